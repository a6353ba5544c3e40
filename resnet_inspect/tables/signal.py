"""The signal and the gradient through networks -> tables, theory beside measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from resnet_inspect.errors import check_name
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Conv2d
from resnet_inspect.propagation.signal import NEAR, LayerSignal, Signal
from resnet_inspect.tables.columns import Column, Record, Value, columns
from resnet_inspect.tables.table import Sheet, Table

TABLES = ("summary", "layers")
LEVELS = ("block", "layer")

_QUANTITIES = {"mean_square": "Mean square", "variance": "Variance", "gradient": "Gradient²"}


_ALIKE = (
    "Gradients alike: the correlation of the gradients of two independent inputs (Balduzzi et al. "
    "2017, arXiv 1702.08591)."
)


def signal(signals: Sequence[Signal], level: str = "block") -> Sheet:
    """Tables 'summary', a row a network, and 'layers', a row a block's output or a layer.

    Raises UnknownNameError for the level.
    """
    check_name("level", level, LEVELS)
    title = "Signal and gradient at initialisation"
    measured = any(each.measured for each in signals)
    return Sheet(
        title,
        {
            "summary": _summary(title, signals, measured),
            "layers": _layers(signals, level, measured),
        },
        {"inputs": [list(each.graph.input_shape) for each in signals]},
    )


_NORM = "‖gradient‖²"

_SQUARES = (
    f"Gradient²: the mean over a block's output of its squares; {_NORM}: their sum, which is more "
    "for an output of more values."
)

_TRAVELS = (
    # what, the key of its value, whether it travels back, whether it is of the output as a whole
    ("variance", "variance", False, False),
    ("gradient²", "gradient", True, False),
    (_NORM, "gradient", True, True),
)


def _summary(title: str, signals: Sequence[Signal], measured: bool) -> Table:
    found = ("measured", "error", "holds")
    return Table(
        title=f"{title}: between the outputs of the first and last residual block",
        columns=(
            Column("model", "Network"),
            Column("init", "Initialisation"),
            *columns("text", first="First block", last="Last block", ratio="Ratio"),
            Column("theory", "Theory", "figures"),
            Column("measured", "Measured", "figures"),
            Column("error", "±", "figures", 1),
            Column("holds", "Theory holds"),
        ),
        rows=tuple(row for each in signals for row in _ratios(each)),
        notes=(_SQUARES, *_caveats(signals)),
    ).hiding("init", "first", "last", *(() if measured else found))


def _ratios(told: Signal) -> Iterator[Record]:
    first, last = told.ends
    for what, key, back, whole in _TRAVELS:
        over, under = (first, last) if back else (last, first)
        size = 1.0
        if whole:
            a, b = (prod(told.graph.by_name[name].output_shape) for name in (over, under))
            size = a / b
        theory, found = told.ratio(key, over, under)
        row: dict[str, Value] = {
            "model": told.name,
            "init": told.init,
            "first": first,
            "last": last,
            "ratio": f"{what}, {'first/last' if back else 'last/first'}",
            "theory": None if theory is None else size * theory,
        }
        if found is not None:
            row["measured"], row["error"] = found.times(size)
        if found is not None and theory is not None:
            parts = told.parts_at(key)
            row["holds"] = f"{'back ' if back else ''}to {parts}" if parts else "throughout"
        yield row


def _depthwise(layer: Layer) -> bool:
    return isinstance(layer.op, Conv2d) and layer.op.groups == layer.op.in_channels > 1


def _caveats(signals: Sequence[Signal]) -> Iterator[str]:
    """What theory takes for granted, and where it stops."""
    yield (
        "Theory: inputs of white noise, many channels, weights independent going back "
        "(Schoenholz et al. 2017, arXiv 1611.01232); the gradient of the output is 1."
    )
    if names := ", ".join(s.name for s in signals if any(map(_depthwise, s.graph.layers))):
        yield (
            f"Depthwise convolutions, as of {names}, take one channel where theory has many: "
            "read gradients as orders of magnitude."
        )
    yield (
        "Few channels: with 16 to 64, gradient² grows less through plain networks than theory has "
        "it, by 8% at depth 32, 22% at 56 and 84% at 110; through residual ones, by 9% at most."
    )
    yield (
        "A batch of B takes 1/B off the gradient at the last batch norm. With rectifiers and gates "
        "theory holds to a twentieth, with GELU to a tenth, with SiLU and the like to 4% a block."
    )
    if any(each.measured for each in signals):
        yield (
            f"Theory holds: to the first block where it is off by more than {NEAR:.0%} and two "
            "standard errors."
        )
    for each in signals:
        if each.stopped:
            yield (
                f"{each.name}: theory stops at {each.stopped}; it has no rule for that, or for "
                "what enters it."
            )
        for doubt in each.doubts:
            yield f"{each.name}: theory is off at {doubt.layer}, which {doubt.why}."
        if each.graph.maker is not None:
            yield f"{each.name} starts its own weights; theory takes them as {each.init}."


def _layers(signals: Sequence[Signal], level: str, measured: bool) -> Table:
    normed = any(x.op.category == "normalization" for s in signals for x in s.graph.layers)
    shown = ["model"] if len(signals) > 1 else []
    shown += ["name", "operation", *(() if normed else ("mean_square",))]
    for key in ("variance", "gradient"):
        shown += [key, *([f"{key}_measured", f"{key}_error"] if measured else [])]
    shown += [] if normed else ["alike"]
    quantities = [
        Column(f"{key}{suffix}", words or title, "figures", rank)
        for key, title in _QUANTITIES.items()
        for suffix, words, rank in (("", "", 0), ("_measured", "measured", 0), ("_error", "±", 1))
    ]
    named = (
        Column("model", "Network"),
        Column("name", "Output of"),
        Column("stage", "Stage"),
        Column("operation", "Operation", rank=2),
    )
    return Table(
        title="Signal and gradient through depth",
        columns=(*named, *quantities, Column("alike", "Gradients alike", "figures", 1)),
        rows=tuple(row for each in signals for row in _rows(each, level)),
        group="model" if len(signals) > 1 else "stage",
        shown=tuple(shown),
        notes=() if normed else (_ALIKE,),
    )


def _rows(told: Signal, level: str) -> Iterator[Record]:
    for stage in told.graph.stages:
        for block in stage.blocks:
            for layer in block.layers if level == "layer" else (block.output,):
                name = layer.name if level == "layer" else block.name
                yield {"model": told.name, "name": name, "stage": stage.name} | _row(told, layer)


def _row(told: Signal, layer: Layer) -> dict[str, Value]:
    theory: LayerSignal = told.by_name[layer.name]
    row: dict[str, Value] = {"operation": layer.op.kind, "alike": theory.alike}
    for key in _QUANTITIES:
        row[key] = getattr(theory, key)
        if layer.name in told.measured:
            found = getattr(told.measured[layer.name], key)
            row[f"{key}_measured"], row[f"{key}_error"] = found
    return row
