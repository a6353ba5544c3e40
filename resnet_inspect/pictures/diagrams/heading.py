"""The lines above a diagram: the network's name and totals, and what strokes and fills mean."""

from __future__ import annotations

from collections.abc import Collection

from resnet_inspect.counting.costs import Cost
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_labels import show_dims
from resnet_inspect.networks.ops import Conv2d, Linear
from resnet_inspect.pictures.diagrams.dot import SMALL, STROKES, Style, sized, stroke_sample
from resnet_inspect.pictures.diagrams.fills import AMOUNTS, CHANGE, Fills
from resnet_inspect.pictures.themes import on_ramp
from resnet_inspect.tables.columns import compact

_WORDS = {"padding": "zero padding"}
_STEPS = 20
_GAP = "    "


def heading(graph: LayerGraph, spent: Cost, style: Style) -> list[str]:
    """A network's name and what it costs in all, as lines of HTML-like text."""
    at_least = "at least " if spent.uncounted else ""
    lines = [
        f"{spent.params:,} parameters",
        f"{at_least}{spent.macs:,} MACs at {' and '.join(map(show_dims, graph.inputs.values()))}",
    ]
    if style.arithmetic:
        ops = [layer.op for layer in graph.layers]
        weights = [op.weights for op in ops if isinstance(op, (Conv2d, Linear))]
        written = " + ".join(f"{count:,}" for count in weights)
        lines.insert(0, f"{written} = {sum(weights):,} weights")
    muted = style.theme.muted
    return [sized(graph.name, "20", heavy=True), *(sized(line, "12", muted) for line in lines)]


def legend(style: Style, fills: Fills, kinds: Collection[str]) -> list[str]:
    """Lines of HTML-like text for the strokes and fills that a picture has.

    All of it is text, glyphs of the font standing for strokes and swatches.
    """
    theme = style.theme

    def word(text: str) -> str:
        return sized(text, SMALL, theme.ink)

    lines = []
    if kinds:
        samples = [
            stroke_sample(kind, theme.shortcut) + word(f"  {_WORDS.get(kind, kind)}")
            for kind in STROKES
            if kind in kinds
        ]
        lines.append(word(_GAP).join(samples))
    if fills.by in AMOUNTS:
        shares = [at / (_STEPS - 1) for at in range(_STEPS)]
        bar = "".join(sized("█", SMALL, on_ramp(theme.ramp, share)) for share in shares)
        most = f" {compact(fills.highest)} {AMOUNTS[fills.by][0]} in a {style.level}"
        lines.append(word("0 ") + bar + word(most))
    elif fills.by in ("op", CHANGE):
        meanings = fills.categories or {**theme.changes, "the same": theme.quiet}
        swatches = [sized("■", "13", fill) + word(f" {name}") for name, fill in meanings.items()]
        # Two short lines where one would be wider than the picture.
        half = len(swatches) if len(swatches) < 5 else -(-len(swatches) // 2)
        lines += [word(_GAP).join(swatches[at : at + half]) for at in range(0, len(swatches), half)]
    return lines
