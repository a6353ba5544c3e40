"""What the choices of the ResNet papers cost in whole networks.

Shortcut options A to D, the stride in the 1x1 (v1) or the 3x3 (v1.5), and the tweaks B, C and D:
each network is the zoo's with one field changed, and differs from it by what stands in the table.
"""

from __future__ import annotations

from typing import Any

from resnet_inspect.counting.costs import Cost, spec_cost, total
from resnet_inspect.counting.published import TRICKS, figures
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.tables.columns import Column, Value
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Table

OPTION_NETWORKS = ("resnet34", "resnet50")


VERSION_NETWORKS = ("resnet50", "resnet101", "resnet152")

_DIFFERENCES = (
    Column("params", "Parameters", "count"),
    Column("params_more", "more", "count"),
    Column("macs", "MACs", "count"),
    Column("macs_more", "more", "count"),
)


def _cost(name: str, **changes: Any) -> Cost:
    return spec_cost(zoo.spec(name).with_changes(changes))


def _against(spent: Cost, base: Cost) -> dict[str, Value]:
    return {
        "params": spent.params,
        "params_more": spent.params - base.params,
        "macs": spent.macs,
        "macs_more": spent.macs - base.macs,
    }


_OPTIONS = {
    "A": "zeros where the shape changes",
    "B": "1x1 where the shape changes",
    "C": "1x1 in every block",
    "D": "average and 1x1 where it changes",
}


def options() -> Table:
    """Shortcut options A, B, C (He et al. 2015, section 4.1, Table 3) and D in whole networks."""
    rows: list[dict[str, Value]] = []
    for name in OPTION_NETWORKS:
        base = _cost(name, shortcut="A")
        rows.extend(
            {
                "model": name,
                "option": option,
                "is": words,
                **_against(_cost(name, shortcut=option), base),
            }
            for option, words in _OPTIONS.items()
        )
    return Table(
        f"Shortcut options in whole networks, input 3x224x224, one sample ({MACS})",
        (
            Column("model", "Network"),
            Column("option", "Option"),
            Column("is", "Shortcut", rank=1),
            *_DIFFERENCES,
        ),
        tuple(rows),
        group="model",
        notes=("'More' is more than option A.",),
    )


def versions() -> Table:
    """v1 (stride in the first 1x1, as published) against v1.5 (stride in the 3x3), by stage."""
    rows: list[dict[str, Value]] = []
    for name in VERSION_NETWORKS:
        spec = zoo.spec(name)
        graphs = [layer_graph(spec.with_changes({"stride_in": at})) for at in ("1x1", "3x3")]
        pairs = [
            (before.name, total(before.layers), total(after.layers))
            for before, after in zip(*(graph.stages for graph in graphs), strict=True)
        ]
        whole = [total(graph.layers) for graph in graphs]
        pairs.append(("in all", whole[0], whole[1]))
        rows.extend(
            {
                "model": name,
                "stage": stage,
                "v1": v1.macs,
                "v1_5": v1_5.macs,
                "macs_more": v1_5.macs - v1.macs,
                "params_more": v1_5.params - v1.params,
            }
            for stage, v1, v1_5 in pairs
            if v1_5.macs != v1.macs
        )
    return Table(
        f"v1 against v1.5, input 3x224x224, one sample ({MACS})",
        (
            Column("model", "Network"),
            Column("stage", "Stage"),
            Column("v1", "v1", "count"),
            Column("v1_5", "v1.5", "count"),
            Column("macs_more", "more MACs", "count"),
            Column("params_more", "more params", "count", 1),
        ),
        tuple(rows),
        group="model",
        notes=(
            "v1 strides in a stage's first 1x1; v1.5 in the 3x3 behind it, so that the 1x1 runs at",
            "four times as many positions. One block of a stage does so, whatever the depth.",
        ),
    )


_TWEAKS: tuple[tuple[str, dict[str, str], str, str, str], ...] = (
    ("resnet50", {"stride_in": "1x1"}, "ResNet-50", "as published in 2015", "resnet50_v1"),
    ("resnet50", {}, "ResNet-50-B", "stride in the 3x3", "resnet50"),
    ("resnet50c", {}, "ResNet-50-C", "and three 3x3 for the 7x7", "resnet50c"),
    ("resnet50d", {}, "ResNet-50-D", "and average before the shortcut's 1x1", "resnet50d"),
)


def tweaks() -> Table:
    """The tweaks B, C and D of He et al. 2018 (arXiv 1812.01187, Figure 2), one on another."""
    rows: list[dict[str, Value]] = []
    base = _cost("resnet50", stride_in="1x1")
    for name, changes, title, words, published in _TWEAKS:
        spent = _cost(name, **changes)
        printed = [figure for figure in figures(published) if figure.unit == "G"]
        figure = next((f for f in printed if f.source == TRICKS), printed[-1])
        sign = "=" if figure.agrees(spent.macs) else "≠"
        rows.append(
            {
                "network": title,
                "is": words,
                **_against(spent, base),
                "published": f"{sign} {figure.text}",
            }
        )
    return Table(
        f"Tweaks B, C and D, input 3x224x224, one sample ({MACS})",
        (
            Column("network", "Network"),
            Column("is", "Tweak", rank=2),
            *_DIFFERENCES,
            Column("published", "Published", rank=1),
        ),
        tuple(rows),
        notes=("'More' is more than the network as published in 2015 (stride in the 1x1).",),
    )
