"""Parameters against MACs for the whole zoo."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from resnet_inspect.pictures.plots.labels import label_around
from resnet_inspect.pictures.plots.plot import (
    SMALLEST,
    Plot,
    headed,
    marked,
    panels,
    plain_numbers,
)
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables import zoo as zoo_table
from resnet_inspect.tables.columns import show_round
from resnet_inspect.tables.network import MACS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: dict[str, tuple[str, ...]] = {
    "Original, wide and plain": ("resnet", "resnet-v1", "wide", "plain[13][84]", "*_d2l"),
    "ResNeXt": ("resnext",),
    "Stems and shortcuts": ("tweaks",),
    "Squeeze and excitation": ("se",),
    "Squeeze and excitation, as first released": ("legacy",),
    "Efficient channel attention": ("eca",),
    "Pre-activation": ("preact",),
    "Group norm and BiT": ("group-norm", "bit"),
    "Anti-aliased": ("anti-aliased",),
    "ResNet-RS": ("rs",),
    "Selective kernels and ResNeSt": ("sk", "resnest"),
    "Res2Net": ("res2net",),
    "RegNet X": ("regnetx_*",),
    "RegNet Y": ("regnety_*",),
    "RegNet, others": ("regnet", "regnetv", "regnetz"),
    "GENet": ("genet",),
    "Norms that activate": ("evonorm", "frn"),
    "Without normalization: NF-ResNet and NF-RegNet": ("nf", "nf-regnet"),
    "Without normalization: NFNet": ("nfnet", "nfnet-dm", "nfnet-l"),
    "Small ones of timm, 256x256": ("ts",),
    "CLIP's": ("clip",),
    "Self-attention": ("botnet", "lambda", "halonet"),
    "RepVGG and MobileOne": ("repvgg", "mobileone"),
    "VGG": ("vgg",),
    "Backbones of detectors and segmenters": ("backbone",),
    "Faces, 112x112": ("face",),
    "BagNet": ("bagnet",),
    "32x32, of repositories": ("*_cifar10*",),
    "Small images": ("cifar", "plain", "notes"),
    "Towers for games and super-resolution": ("games", "resolution"),
}
"""The families, or patterns of names, that share a panel: a network is in the first that fits.

Families that are not here have panels of their own.
"""


def _panel(row: Any) -> str:
    fitting = (
        title
        for title, kinds in PANELS.items()
        if any(kind == row["family"] or fnmatch(row["name"], kind) for kind in kinds)
    )
    return next(fitting, str(row["family"]))


def zoo() -> Plot:
    """Parameters against MACs for the whole zoo, a panel for each kind, every network labelled."""
    rows: Sequence[Any] = zoo_table.models().rows
    found: dict[str, list[Any]] = {title: [] for title in PANELS}
    for row in rows:
        found.setdefault(_panel(row), []).append(row)
    groups = {title: group for title, group in found.items() if group}
    lines = -(-len(groups) // 2)

    def paint(figure: Figure, theme: Theme) -> None:
        grid = [axes for row in zip(*panels(figure, 2, lines), strict=True) for axes in row]
        for axes, (title, group) in zip(grid, groups.items(), strict=False):
            _scatter(axes, group, theme)
            axes.set(title=title, xlabel="MACs")
        for axes in grid[len(groups) :]:
            axes.set_axis_off()
        headed(figure, f"Parameters against {MACS}")
        # Labels are put where the axes and their points are known.
        figure.draw_without_rendering()
        for axes, (_, group) in zip(grid, groups.items(), strict=False):
            label_around(axes, {str(row["name"]): _point(row) for row in group})

    return Plot(
        "zoo",
        f"Parameters against MACs of the {len(rows)} networks of the zoo, by family.",
        (9.3, 0.5 + 3.5 * lines),
        paint,
        columns=2,
    )


def _point(row: Any) -> tuple[int, int]:
    return row["macs"], row["params"]


def _scatter(axes: Axes, rows: Sequence[Any], theme: Theme) -> None:
    """Networks on logarithmic axes, with a marker and a legend where families share the panel."""
    families = dict.fromkeys(row["family"] for row in rows)
    axes.set(xscale="log", yscale="log")
    for number, family in enumerate(families):
        places = [_point(row) for row in rows if row["family"] == family]
        look = marked(theme, number)
        axes.plot(*zip(*places, strict=True), linestyle="none", label=family, **look)
    if len(families) > 1:
        axes.legend(loc="lower right", fontsize=SMALLEST, handletextpad=0.2)
    axes.margins(x=0.36, y=0.14)
    axes.set_ylabel("parameters")
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        wide = axis is axes.xaxis and high > 200 * low  # names of ticks would touch
        plain_numbers(axis, (1,) if wide else (1, 2, 5), show_round)
