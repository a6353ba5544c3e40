"""The lines above a diagram: the network's name and totals, and what strokes and fills mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.ops import Conv2d, Linear
from resnet_inspect.networks.wiring import IDENTITY, PADDING, PROJECTION
from resnet_inspect.pictures.diagrams.fills import AMOUNTS, CHANGE, Fills
from resnet_inspect.pictures.diagrams.scene import Line, Text
from resnet_inspect.pictures.diagrams.sketch import Sketch
from resnet_inspect.pictures.diagrams.style import SMALL, Style
from resnet_inspect.pictures.themes import on_ramp
from resnet_inspect.tables.columns import compact

STROKES = {IDENTITY: "identity", PROJECTION: "projection", PADDING: "zero padding", "gate": "gate"}
"""What has a line of its own beside the main path, in words."""

_STEPS = 20
_GAP = Text("    ", SMALL)


def heading(sketch: Sketch) -> tuple[Line, ...]:
    """A network's name and what it costs in all."""
    graph, spent, style = sketch.graph, sketch.whole, sketch.style
    at_least = "at least " if spent.uncounted else ""
    lines = [
        f"{spent.params:,} parameters",
        f"{at_least}{spent.macs:,} MACs at {' and '.join(map(show_dims, graph.inputs.values()))}",
    ]
    if style.alone:
        ops = [layer.op for layer in graph.layers]
        weights = [op.weights for op in ops if isinstance(op, (Conv2d, Linear))]
        written = " + ".join(f"{count:,}" for count in weights)
        lines.insert(0, f"{written} = {sum(weights):,} weights")
    muted = style.theme.muted
    name = (Text(graph.name, 15, heavy=True),)
    return (name, *((Text(line, SMALL, colour=muted),) for line in lines))


def legend(style: Style, fills: Fills, sketches: Sequence[Sketch]) -> tuple[Line, ...]:
    """Lines for the strokes and fills that a picture has."""
    kinds = {kind for sketch in sketches for kind in sketch.strokes.values()}
    if style.level in ("conv", "layer") and any(sketch.gates for sketch in sketches):
        kinds.add("gate")
    lines: list[Line] = []
    samples = [
        (Text("", stroke=kind), Text(f" {words}", SMALL))
        for kind, words in STROKES.items()
        if kind in kinds
    ]
    if samples:
        lines.append(_apart(samples))
    if style.level == "conv":
        told = AMOUNTS["activations"][0] if fills.by == "activations" else "parameters · MACs"
        pieces = any(sketch.piece(x) for sketch in sketches for x in sketch.graph.layers)
        lead = ", on lines: tensors or slices of them" if pieces else ""
        lines.append((Text(f"in boxes: {told}{lead}", SMALL, colour=style.theme.muted),))
    return (*lines, *_meanings(style, fills))


def _meanings(style: Style, fills: Fills) -> Iterator[Line]:
    """What fills mean."""
    theme = style.theme
    if fills.by in AMOUNTS:
        shares = [at / (_STEPS - 1) for at in range(_STEPS)]
        bar = [Text("█", SMALL, colour=on_ramp(theme.ramp, share)) for share in shares]
        most = f" {compact(fills.highest)} {AMOUNTS[fills.by][0]} in a {BOXES[style.level]}"
        yield (Text("0 ", SMALL), *bar, Text(most, SMALL))
    elif fills.by in ("op", CHANGE):
        meanings = fills.categories or {**theme.changes, "the same": theme.quiet}
        swatches = [
            (Text("■", 13, colour=fill), Text(f" {name}", SMALL)) for name, fill in meanings.items()
        ]
        # Two short lines where one would be wider than the picture.
        half = len(swatches) if len(swatches) < 5 else -(-len(swatches) // 2)
        for at in range(0, len(swatches), half):
            yield _apart(swatches[at : at + half])


BOXES = {"stage": "stage", "block": "block", "conv": "convolution", "layer": "layer"}
"""What has a box at each level, in a word."""


def _apart(groups: Sequence[Line]) -> Line:
    """Groups of words in a line with a gap between them."""
    found: list[Text] = []
    for group in groups:
        assert isinstance(group, tuple)
        found += [_GAP, *group] if found else group
    return tuple(found)
