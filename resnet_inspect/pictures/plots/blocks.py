"""How the two residual blocks grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resnet_inspect.networks.shapes import Pair, show_shape
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    Plot,
    backed,
    marked,
    note,
    shared_legend,
    side_by_side,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.block_comparison import compare_blocks
from resnet_inspect.tables.columns import show_round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def blocks(channels: int = 256, size: int | Pair = 14) -> Plot:
    """How basic block and bottleneck grow with channels and with input size."""
    sheet = compare_blocks(channels, size)
    groups: list[list[Any]] = list(map(list, sheet["growth"].groups))
    wide, tall = groups
    pair = (size, size) if isinstance(size, int) else size

    def paint(figure: Figure, theme: Theme) -> None:
        panels = side_by_side(figure, 3)
        sides: list[Any] = [row["size"] for row in tall]
        for axes, key, title, ticks, heights in (
            (panels[0], "weights", "Weights", [row["channels"] for row in wide], wide),
            (panels[1], "macs", f"MACs at {show_shape(pair)}", [r["channels"] for r in wide], wide),
            (panels[2], "macs", f"MACs at {channels} channels", [h * w for h, w in sides], tall),
        ):
            for number, kind in enumerate(("basic", "bottleneck")):
                axes.plot(
                    ticks,
                    [row[f"{kind}_{key}"] for row in heights],
                    **marked(theme, number),
                    linestyle=DASHES[number],
                    label="basic block: 3x3, 3x3" if number == 0 else "bottleneck: 1x1, 3x3, 1x1",
                )
            along = "height and width" if heights is tall else "channels"
            axes.set(xscale="log", yscale="log", title=title, xlabel=along)
            axes.minorticks_off()
            names = [_side_text(side) for side in sides] if heights is tall else ticks
            axes.set_xticks(ticks, names)
            axes.yaxis.set_major_formatter(lambda value, _: show_round(value))
            _mark_ratio(axes, theme, ticks[len(ticks) // 2], heights[len(ticks) // 2], key)
        shared_legend(figure, panels[0], loc="outside upper center", ncols=2)

    row = sheet["blocks"].records()[1]
    return Plot(
        "blocks",
        "Weights and MACs of basic block and bottleneck against channels and input size; at equal "
        f"channels the basic block has {row['weights_ratio']:.2f} times as many.",
        (9.3, 3.5),
        paint,
        columns=3,
    )


def _side_text(side: Pair) -> str:
    return str(side[0]) if side[0] == side[1] else show_shape(side)


def _mark_ratio(axes: Axes, theme: Theme, at: Any, row: Any, key: str) -> None:
    """An arrow between the two lines that says how far apart they are."""
    low, high = row[f"bottleneck_{key}"], row[f"basic_{key}"]
    arrow = {"arrowstyle": "<->", "color": theme.muted, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (at, low * 1.25), (at, high / 1.25), arrowprops=arrow)
    middle = (at, low**0.36 * high**0.64)
    note(axes, f"{high / low:.2f} ×", middle, (6, 0), va="center", bbox=backed(theme))
