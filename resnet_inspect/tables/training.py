"""Costs of training -> Table."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.counting.training_memory import training_memory
from resnet_inspect.counting.training_step import Settings
from resnet_inspect.errors import InspectError
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.fit import room
from resnet_inspect.forecasting.fitted import DATASHEET
from resnet_inspect.forecasting.training import EFFICIENCY, TrainingCost, best_record
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.tables.columns import Column, Value, columns, show_bytes
from resnet_inspect.tables.table import Table

_COLUMNS = (
    *columns("text", model="Network", device="Device"),
    *columns("count", 5, gpus="Devices", batch="Batch each"),
    *columns("text", 7, dtype="Type", mode="Mode", layout="Layout"),
    Column("steps", "Steps", "count", 6),
    Column("images_per_second", "Images/s", "rate", 2),
    *columns("number", hours="Hours", hours_low="from", hours_high="to"),
    Column("watts", "W each", "rate", 4),
    Column("kwh", "kWh", "number"),
    *columns("number", 3, kwh_low="from", kwh_high="to"),
    *columns("number", money="Money", money_low="from", money_high="to"),
    *columns("count", 9, epochs="Epochs", images="Images"),
    *columns("number", 9, efficiency="Efficiency", power_limit="W allowed"),
    *columns("text", 9, calibrated="Time by", drawn_by="Power by"),
)

_IN_NOTES = (
    *("mode", "layout", "epochs", "images", "efficiency", "power_limit"),
    *("calibrated", "drawn_by"),
)

_PRICED = ("money", "money_low", "money_high")


def training_cost_table(costs: Sequence[TrainingCost]) -> Table:
    """A row for each cost; raises InspectError for none."""
    if not costs:
        raise InspectError("no network to train; name at least one, such as 'resnet50'")
    plan = costs[0].plan
    return Table(
        title=f"Training for {plan.epochs:,} epochs of {plan.images:,} images",
        columns=_COLUMNS,
        rows=tuple(map(_record, costs)),
        notes=_notes(costs),
        partial=tuple(dict.fromkeys(c.forecast.model for c in costs if c.forecast.uncounted)),
    ).hiding(*_IN_NOTES, *(_PRICED if plan.price is None else ()))


def _record(cost: TrainingCost) -> dict[str, Value]:
    row: dict[str, Value] = cost.forecast._asdict()
    ranges = {"hours": cost.hours, "kwh": cost.energy, "money": cost.money}
    for key, found in ranges.items():
        if found is not None:
            row |= {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}
    return row | {
        "gpus": cost.plan.devices,
        "epochs": cost.plan.epochs,
        "images": cost.plan.images,
        "efficiency": cost.plan.scaling,
        "power_limit": cost.limit,
        "steps": cost.steps,
        "images_per_second": cost.images_per_second,
        "watts": cost.watts.value,
        "drawn_by": cost.drawn_by,
    }


def _notes(costs: Sequence[TrainingCost]) -> tuple[str, ...]:
    first = costs[0]
    plan, made = first.plan, first.forecast
    notes = [f"A step of forward, backward and SGD with momentum, {made.mode}, {made.layout}."]
    if plan.devices > 1:
        chosen = "" if plan.efficiency is not None else f", unless you set it ({EFFICIENCY:g})"
        notes.append(
            f"{plan.devices} devices do {plan.scaling:.0%} of {plan.devices} times one's work"
            f"{chosen}; loading of data is taken to keep up."
        )
    if plan.limit is not None:
        left = ", ".join(f"{c.forecast.device} {c.slowed:.0%}" for c in _each_device(costs))
        notes.append(f"Held to {plan.limit:g} W each, of its throughput is left: {left}.")
    notes.append(
        "From and to: bounds of the forecast's step and of the power. kWh: of the devices alone, "
        "without hosts and cooling."
    )
    if any(cost.drawn_by == DATASHEET for cost in costs):
        notes.append("Power where nobody measured it: the share of its TDP that others draw.")
    if plan.price is not None:
        unit = "hour of one device" if plan.price.unit == "h" else "kWh"
        notes.append(f"Money: {plan.price.amount:g} for each {unit}, as you say.")
    return (*notes, *_records(costs))


def _each_device(costs: Sequence[TrainingCost]) -> list[TrainingCost]:
    return list({cost.forecast.device: cost for cost in costs}.values())


def _records(costs: Sequence[TrainingCost]) -> list[str]:
    """What the best reach, for the network that they all train."""
    notes = []
    for cost in _each_device([cost for cost in costs if cost.forecast.model == "resnet50"]):
        best = best_record(cost.forecast.device, cost.plan.devices)
        if best is not None:
            notes.append(
                f"The best with resnet50, tuned by experts (MLPerf training v2.1): "
                f"{best.organisation} {best.rate:,.0f} images/s on {best.devices} {best.device} "
                f"({best.rate / best.devices:,.0f} each), "
                f"75.9% top-1 in {best.minutes:g} min and {best.epochs} epochs."
            )
    return notes


def too_large(graph: LayerGraph, device: Device, batch: int, dtype: str) -> list[str]:
    """A note where a step cannot be taken in what the device has."""
    if not device.memory:
        return []
    held, of = training_memory(graph, Settings(dtype=dtype)).total(batch), room(device)
    if held <= of.budget:
        return []
    size = f"it holds {show_bytes(held)}, of {show_bytes(of.budget)} that are left"
    return [f"{graph.name} at batch {batch} does not fit {of.name}: {size}; see 'fit'."]
