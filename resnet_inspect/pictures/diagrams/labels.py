"""The words in a diagram: what a layer is called, its numbers, its tooltip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as _escape
from itertools import groupby

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import caption, show_dims
from resnet_inspect.networks.ops import Add, Conv2d, Linear, Op, Scale, ZeroPad
from resnet_inspect.pictures.diagrams.units import Unit
from resnet_inspect.tables.characters import visible_lines
from resnet_inspect.tables.columns import compact, show
from resnet_inspect.tables.network import METRICS, Row

# Graphviz takes \N, \G and others in labels and tooltips for names of nodes and graphs to put in,
# and has no way to say in all of them that they are not; a space without width behind the
# backslash keeps them apart.
_BACKSLASH = "\\\u200b"


def escape(text: str) -> str:
    """Text that stays text in an HTML-like label, whatever markup it holds."""
    line = visible_lines(text).replace("\n", " ").replace("\t", " ")
    return _escape(line.replace("\\", _BACKSLASH))


def tip(text: str) -> str:
    """Text that stays text in a tooltip: DOT's escString, in which line breaks are escapes."""
    kept = visible_lines(text).replace("\\", f"\\{_BACKSLASH}").replace("&", "&amp;")
    return kept.replace("\n", "\\n")


def numbers(params: int, macs: int, uncounted: int = 0) -> str:
    """Parameters and MACs in a few words; nothing where there are neither."""
    parts = [f"{compact(params)} params"] if params else []
    if macs or uncounted:
        parts.append(f"{compact(macs)}{'+ ?' if uncounted else ''} MACs")
    return " · ".join(parts)


def light(layer: Layer) -> bool:
    """Whether a layer is drawn small: it passes a tensor on without adding any up."""
    if isinstance(layer.op, (Add, Scale, ZeroPad)) or len(layer.inputs) != 1:
        return False
    spent = cost(layer)
    return not (spent.macs or spent.pooling or spent.uncounted)


def unit_lines(unit: Unit, strides: bool = True) -> list[str]:
    """What a unit's residual path does, a line for each layer that is not light."""
    kept = [layer.op for layer in unit.residual if not light(layer)]
    ops = [op for op in kept if not isinstance(op, (Add, Scale))]
    if not strides:
        ops = [op.replace(stride=(1, 1)) if isinstance(op, Conv2d) else op for op in ops]
    lines = [caption(op) for op in ops]
    gate = [layer.op for layer in unit.gates if isinstance(layer.op, (Conv2d, Linear))]
    if gate:
        lines.append("gate " + gate_widths(gate))
    return folded(lines or [unit.kind])


LINES = 8
"""The most lines of a box; the rest is counted."""


def folded(lines: Sequence[str]) -> list[str]:
    """Equal lines in a row as one with its count, and no more than LINES."""
    shown = list(lines)
    if len(lines) > 3:
        runs = [(line, len(list(same))) for line, same in groupby(lines)]
        shown = [f"{line}  × {count}" if count > 1 else line for line, count in runs]
    if len(shown) > LINES:
        shown[LINES - 1 :] = [f"… {len(shown) - LINES + 1} more"]
    return shown


def gate_widths(ops: Sequence[Conv2d | Linear]) -> str:
    """Channels through a gate: 256 → 16 → 256."""
    first, *_ = ops
    entering = first.in_channels if isinstance(first, Conv2d) else first.in_features
    leaving = [op.out_channels if isinstance(op, Conv2d) else op.out_features for op in ops]
    return " → ".join(map(str, (entering, *leaving)))


def shortcut_words(layers: Iterable[Layer]) -> str:
    """What a shortcut runs: 1×1 conv, 128, /2."""
    return ", ".join(caption(layer.op) for layer in layers if not light(layer))


SHORT = 15


def short(name: str) -> str:
    """A name where there is room for SHORT characters: its end says more than its start."""
    return name if len(name) <= SHORT else f"…{name[1 - SHORT :]}"


def product(op: Op) -> str:
    """The arithmetic of an op's weights: 1×1×256×64 = 16,384; nothing if it has none."""
    if isinstance(op, Conv2d):
        factors = show_dims((*op.kernel, op.in_channels // op.groups, op.out_channels))
        return f"{factors} = {op.weights:,}"
    if isinstance(op, Linear):
        return f"{op.in_features}×{op.out_features} = {op.weights:,}"
    return ""


FACTS = (
    "operation",
    "input_shape",
    "output_shape",
    "params",
    "macs",
    "share",
    "flops",
    "activations",
    "traffic",
    "intensity",
)
SIGHT = ("receptive_field", "field_stride")
"""The columns of the table (network.METRICS) that a tooltip shows: what follows from ops and
shapes, and what depends on the place in the network."""


def tooltip(row: Row) -> str:
    """A layer's or block's row of the table, a line for each column that has a value."""
    return "\n".join((row.name, *columns(row, FACTS), *columns(row, SIGHT)))


def columns(row: Row, keys: Iterable[str]) -> list[str]:
    """Some columns of a row with their titles, left out where they have no value."""
    cells = ((column, value(row)) for column, value in map(METRICS.__getitem__, keys))
    return [
        f"{column.title}: {show(cell, column.kind)}" for column, cell in cells if cell is not None
    ]


def chained(lines: Sequence[str]) -> list[str]:
    """Convolutions in a row on one line: 1×1, 64 → 3×3, 64 → 1×1, 256."""
    runs: list[list[str]] = []
    for line in lines:
        if runs and " conv, " in line and " conv, " in runs[-1][-1] and len(runs[-1]) < 3:
            runs[-1].append(line)
        else:
            runs.append([line])
    return [
        run[0] if len(run) == 1 else " → ".join(line.replace(" conv, ", ", ") for line in run)
        for run in runs
    ]
