"""Frozen layers -> Table: what a training step saves."""

from __future__ import annotations

from collections.abc import Mapping

from resnet_inspect.counting.freezing import Step
from resnet_inspect.tables.columns import Column, Record
from resnet_inspect.tables.table import Table

_COLUMNS = (
    Column("until", "Frozen until"),
    Column("trained", "Trained", "count"),
    Column("macs", "MACs of a step", "count", 2),
    Column("macs_saved", "MACs saved", "percent"),
    Column("gradients", "Gradients", "bytes", 3),
    Column("gradients_saved", "Gradients saved", "percent"),
    Column("saved", "Kept for backward", "bytes", 3),
    Column("memory", "Memory", "bytes", 1),
    Column("memory_saved", "Memory saved", "percent"),
)


def freezing(name: str, steps: Mapping[str, Step], batch: int = 1) -> Table:
    """A row for each stage until which a network may be frozen; the first freezes nothing."""
    whole = _taken(next(iter(steps.values())))

    def row(until: str, step: Step) -> Record:
        taken = _taken(step)
        saved = {f"{key}_saved": 1 - taken[key] / of if of else None for key, of in whole.items()}
        held = {"trained": step.trained, "saved": step.memory.saved}
        return {"until": until, **held, **taken, **saved}

    return Table(
        title=f"Freezing {name}, batch {batch}",
        columns=_COLUMNS,
        rows=tuple(row(until, step) for until, step in steps.items()),
        meta={"model": name, "batch": batch},
        notes=(
            "MACs of forward and backward passes.",
            "Memory: weights, buffers, gradients, momentum, and what is kept for backward.",
        ),
    )


def _taken(step: Step) -> dict[str, int]:
    """What a step takes that freezing saves some of."""
    memory = step.memory
    return {"macs": step.macs, "gradients": memory.gradients, "memory": memory.training()}
