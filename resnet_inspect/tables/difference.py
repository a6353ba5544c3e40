"""What tells two graphs apart: layers added, removed and changed.

Stages are aligned with stages, blocks with blocks inside of them and layers with layers inside of
those, each so that what is paired is most alike (a global alignment: Needleman & Wunsch 1970);
where blocks are cut otherwise, layers with layers throughout. What things are called only breaks
ties, and layers are taken in the order of their wiring, so neither a fork that renames its modules
nor one that runs the shortcut first is another network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from resnet_inspect.counting.costs import Cost, cost, total
from resnet_inspect.networks.alignment import ADDED, CHANGED, REMOVED, RESIZED, SAME, Pair, align
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.tables.columns import Column
from resnet_inspect.tables.table import Table

# --- the table -----------------------------------------------------------------------------------

SIGNS = {ADDED: "+", REMOVED: "-", CHANGED: "~", RESIZED: "="}


def diff(before: LayerGraph, after: LayerGraph) -> Table:
    """The layers that tell `after` from `before`, with what each adds in parameters and MACs.

    Layers that are the same but for the shapes that they work on are one row for each stage. The
    rows add up to the difference of the networks' totals.
    """
    pairs = align(before, after)
    told = [pair for pair in pairs if pair.change in (ADDED, REMOVED, CHANGED)]
    rows = [_row(pair) for pair in told] + _resized_rows(pairs)
    count = Counter(pair.change for pair in pairs)
    was, now = total(before.layers), total(after.layers)
    uncounted = [pair.layer.name for pair in pairs if cost(pair.layer).uncounted]
    order = {stage: at for at, stage in enumerate(dict.fromkeys(p.place[0] for p in pairs))}
    rows.sort(key=lambda row: order[str(row["stage"])])
    return Table(
        title=f"{before.name} → {after.name}, input {_inputs(before, after)}",
        columns=(
            Column("stage", "Stage"),
            Column("block", "Block"),
            Column("change", ""),
            Column("name", "Layer"),
            Column("before", "Was"),
            Column("after", "Is"),
            Column("what", "What changed", "prose"),
            Column("params", "Parameters", "count"),
            Column("macs", "MACs", "count"),
        ),
        rows=tuple(rows),
        total={
            "name": "difference",
            "params": now.params - was.params,
            "macs": now.macs - was.macs,
        },
        meta={
            "before": before.name,
            "after": after.name,
            **{change: count[change] for change in (ADDED, REMOVED, CHANGED, RESIZED, SAME)},
        },
        notes=(_summary(count),),
        group="stage",
        shown=("change", "name", "before", "after", "what", "params", "macs"),
        partial=tuple(uncounted),
    )


def _inputs(before: LayerGraph, after: LayerGraph) -> str:
    shapes = dict.fromkeys(show_shape(graph.input_shape) for graph in (before, after))
    return " → ".join(shapes)


def _summary(count: Counter[str]) -> str:
    told = [f"{count[change]} {change}" for change in (ADDED, REMOVED, CHANGED) if count[change]]
    if count[RESIZED]:
        told.append(f"{count[RESIZED]} the same on other shapes")
    alike = f"{count[SAME]} layers are the same"
    return f"{', '.join(told)}; {alike}." if told else f"No difference: {alike}."


def _row(pair: Pair) -> dict[str, Any]:
    spent = _difference([pair])
    return {
        "stage": pair.place[0],
        "block": pair.place[1],
        "change": SIGNS[pair.change],
        "name": pair.layer.name,
        "before": describe(pair.before.op) if pair.before else "",
        "after": describe(pair.after.op) if pair.after else "",
        "what": "; ".join(pair.what) or pair.change,
        "params": spent.params,
        "macs": spent.macs,
    }


def _resized_rows(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    rows = []
    for stage in dict.fromkeys(pair.place[0] for pair in pairs):
        resized = [pair for pair in pairs if pair.change == RESIZED and pair.place[0] == stage]
        if resized:
            spent = _difference(resized)
            count = f"{len(resized)} layers" if len(resized) > 1 else "1 layer"
            rows.append(
                {
                    "stage": stage,
                    "block": "",
                    "change": SIGNS[RESIZED],
                    "name": count,
                    "before": "",
                    "after": "",
                    "what": "the same on other shapes",
                    "params": spent.params,
                    "macs": spent.macs,
                }
            )
    return rows


def _difference(pairs: Sequence[Pair]) -> Cost:
    """What the second network's layers cost more than the first's."""
    was = total([pair.before for pair in pairs if pair.before])
    now = total([pair.after for pair in pairs if pair.after])
    return Cost(params=now.params - was.params, macs=now.macs - was.macs)
