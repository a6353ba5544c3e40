"""The words in a diagram: what a layer is called, its numbers, its tooltip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile

from resnet_inspect.networks.branches import Parallel, Part, in_series, is_chain
from resnet_inspect.networks.fusion import fold_layers
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import caption, describe, show_dims
from resnet_inspect.networks.ops import Add, Conv2d, Linear, Op, ZeroPad
from resnet_inspect.networks.torch_ops import Concat
from resnet_inspect.networks.wiring import PADDING, Shortcut
from resnet_inspect.pictures.diagrams.units import Unit, light
from resnet_inspect.tables.columns import compact, show
from resnet_inspect.tables.network import METRICS, Row


def numbers(params: int, macs: int, uncounted: int = 0) -> str:
    """Parameters and MACs in a few words; nothing where there are neither."""
    parts = [f"{compact(params)} params"] if params else []
    if macs or uncounted:
        parts.append(f"{compact(macs)}{'+ ?' if uncounted else ''} MACs")
    return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines side by side: what runs in parallel, or (one column) in no order."""

    columns: tuple[tuple[str | Columns, ...], ...]


Line = str | Columns

LINES = 8
"""The most lines or columns of a box; the rest is counted."""


def unit_lines(unit: Unit, strides: bool = True, among: Collection[str] = ()) -> list[Line]:
    """What a unit's main path does, a line for each layer that is not light.

    Norms and activations are said where they come first (pre-activation). strides: whether to say
    them. among: the names of those of its layers that count, where these are not all.
    """
    firsts = _firsts(unit.body, among)
    gates = {scale.name: gate for scale, gate in unit.gates}

    def say(layer: Layer) -> str | None:
        op = layer.op
        if layer.name in gates:
            return gate_words(gates[layer.name])
        if light(layer):
            return None
        if not strides and isinstance(op, Conv2d):
            op = op.replace(stride=(1, 1))
        return f"{firsts.get(layer.name, '')} {caption(op)}".strip()

    body = [layer for layer in unit.body if layer.name in among] if among else unit.body
    return folded(_lines(in_series(body), say) or [unit.kind])


def _firsts(body: Sequence[Layer], among: Collection[str]) -> dict[str, str]:
    """The norm and activation before each layer of a unit that begins with them, in words."""
    if not body or body[0].op.category not in _BEFORE:
        return {}
    groups = (
        [layer for layer in group if not among or layer.name in among]
        for group in fold_layers(body, light)
    )
    heavy = ((next((each for each in group if not light(each)), None), group) for group in groups)
    return {main.name: before_main(group) for main, group in heavy if main}


_BEFORE = ("normalization", "activation")


def before_main(layers: Sequence[Layer]) -> str:
    """The norms and activations that stand before the layer that a box is about: BN ReLU."""
    first = takewhile(light, layers)
    return " ".join(describe(layer.op) for layer in first if layer.op.category in _BEFORE)


def _lines(parts: Iterable[Part], say: _Say) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        if isinstance(part, Layer):
            lines.extend(filter(None, [say(part)]))
            continue
        if not part.runs:
            lines.append(_interwoven(part, say))
            continue
        if columns := _columns(part, say):
            lines.append(columns)
        if part.join and (words := say(part.join)):
            lines.append(words)
    return lines


_Say = Callable[[Layer], str | None]
"""A layer's words, None where it is not worth a line."""


def _columns(part: Parallel, say: _Say) -> Line | None:
    """What runs side by side; many of the same as one column with their count."""
    said = (tuple(_lines(run, say)) for run in part.runs)
    # What says nothing and meets nothing is a norm or an activation by itself.
    runs = [lines for lines in said if lines or part.join]
    counts = Counter(runs).items() if len(part.runs) > WIDEST else [(run, 1) for run in runs]
    columns = [
        (*folded(lines or ("identity",)), *([f"{count} alike"] if count > 1 else []))
        for lines, count in counts
    ]
    if len(columns) > LINES:
        columns[LINES - 1 :] = [(f"… {len(columns) - LINES + 1} more",)]
    if all(column == ("identity",) for column in columns):
        return None
    return Columns(tuple(columns))


WIDEST = 4
"""Columns that are drawn one by one though they are the same."""


def _interwoven(part: Parallel, say: _Say) -> Columns:
    joins = (Add, Concat)
    counted = [layer for layer in part.layers if not isinstance(layer.op, joins)]
    counts = Counter(filter(None, map(say, counted)))
    lines = [f"{count} of {words}" for words, count in counts.items()]
    return Columns(((_woven(part.layers), *folded(lines)),))


def _woven(layers: Sequence[Layer]) -> str:
    """How layers without an order of branches hang together: '43 layers in a row, 21 skips'."""
    steps = list(pairwise(layers))
    if not all(before.name in layer.inputs for before, layer in steps):
        return f"interwoven, {len(layers)} layers"
    skips = sum(len(set(layer.inputs)) - 1 for _, layer in steps)
    return f"{len(layers)} layers in a row, {skips} skips"


def folded(lines: Sequence[Line]) -> list[Line]:
    """Equal lines in a row as one with its count, and no more than LINES."""
    shown = list(lines)
    if len(lines) > 3:
        shown = []
        for line, same in groupby(lines):
            count = len(list(same))
            text = isinstance(line, str) and count > 1
            shown += [f"{line}  × {count}"] if text else [line] * count
    if len(shown) > LINES:
        shown[LINES - 1 :] = [f"… {len(shown) - LINES + 1} more"]
    return shown


def gate_words(layers: Sequence[Layer]) -> str:
    """What makes a gate: its widths where it is a chain."""
    ops = [layer.op for layer in layers if isinstance(layer.op, (Conv2d, Linear))]
    if not ops:
        return "gate"
    return f"gate {gate_widths(ops)}" if is_chain(layers) else f"gate, {len(layers)} layers"


def gate_widths(ops: Sequence[Conv2d | Linear]) -> str:
    """Channels through a gate: 256 → 16 → 256."""
    first, *_ = ops
    entering = first.in_channels if isinstance(first, Conv2d) else first.in_features
    leaving = [op.out_channels if isinstance(op, Conv2d) else op.out_features for op in ops]
    return " → ".join(map(str, (entering, *leaving)))


def shortcut_words(cut: Shortcut) -> str:
    """What a shortcut runs, in a line: '2×2 average pool, /2 → 1×1, 128'; '' for an identity."""
    return (" → " if is_chain(cut.layers) else " and ").join(shortcut_steps(cut))


def shortcut_steps(cut: Shortcut) -> list[str]:
    """What a shortcut runs, one by one: '1×1, 128, /2'; nothing for an identity."""
    ops = [layer.op for layer in cut.layers if not light(layer)]
    words = [_step(caption(op)) for op in ops if not isinstance(op, Concat)]
    if cut.kind != PADDING or any(isinstance(op, ZeroPad) for op in ops):
        return words
    entering, *before = cut.layers[0].input_shapes[0]
    leaving, *after = cut.layers[-1].output_shape
    steps = {-(-size // left) for size, left in zip(before, after, strict=False)} - {1}
    step = f", /{steps.pop()}" if len(steps) == 1 and not words else ""
    return [*words, f"zero padding, {entering} → {leaving}{step}"]


def paper_caption(op: Op) -> str:
    """An op as He et al. 2015, Figure 2, has it: a convolution is a weight layer."""
    if isinstance(op, (Conv2d, Linear)):
        return "weight layer"
    return caption(op).lower()


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


def chained(lines: Sequence[Line]) -> list[Line]:
    """Convolutions in a row on one line: 1×1, 64 → 3×3, 64 → 1×1, 256."""
    runs: list[list[Line]] = []
    for line in lines:
        before = runs[-1] if runs else []
        if _is_step(line) and before and _is_step(before[-1]) and len(before) < 3:
            before.append(line)
        else:
            runs.append([line])
    return [
        run[0] if len(run) == 1 else " → ".join(_step(str(line)) for line in run) for run in runs
    ]


_STEPS = (*"123456789", "depthwise")


def _is_step(line: Line) -> bool:
    return isinstance(line, str) and " conv, " in line and line.startswith(_STEPS)


def _step(words: str) -> str:
    """A caption where it is plain that convolutions are spoken of: 1×1, 64."""
    return words.replace(" conv, ", ", ")
