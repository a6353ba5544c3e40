"""What tells two graphs apart: layers added, removed and changed.

Stages are aligned with stages, blocks with blocks inside of them and layers with layers inside of
those, each so that what is paired is most alike (a global alignment: Needleman & Wunsch 1970);
where blocks are cut differently, layers with layers throughout. What things are called only breaks
ties, and layers are taken in the order of their wiring, so neither a fork that renames its modules
nor one that runs the shortcut first is another network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from resnet_inspect.counting.costs import cost, part_cost
from resnet_inspect.networks.alignment import (
    ADDED,
    CHANGED,
    REMOVED,
    RESIZED,
    SAME,
    Pair,
    Setting,
    align,
    show_value,
)
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.tables.columns import Column, columns
from resnet_inspect.tables.table import Table

SIGNS = {ADDED: "+", REMOVED: "-", CHANGED: "~", RESIZED: "="}


Both = tuple[LayerGraph, LayerGraph]
"""The networks, before and after."""


def diff(before: LayerGraph, after: LayerGraph) -> Table:
    """The layers that tell `after` from `before`, with what each adds in parameters and MACs.

    Layers that are the same but for the shapes that they work on are one row for each stage. The
    rows add up to the difference of the networks' totals.
    """
    pairs, both = align(before, after), (before, after)
    rows: list[dict[str, Any]] = []
    by_stage: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_stage.setdefault(pair.place[0], []).append(pair)
    for stage, of_stage in by_stage.items():
        resized = [pair for pair in of_stage if pair.change == RESIZED]
        rows += [_row(both, pair) for pair in of_stage if pair.change not in (RESIZED, SAME)]
        rows += [_resized_row(both, stage, resized)] if resized else []
    count = Counter(pair.change for pair in pairs)
    return Table(
        title=f"{before.name} → {after.name}, input {_inputs(before, after)}",
        columns=(
            *columns("text", stage="Stage", block="Block", change="", name="Layer"),
            *(Column("before", "Was", rank=-2), Column("after", "Is", rank=-1)),
            Column("what", "What changed", "prose"),
            *columns("count", params="Parameters", macs="MACs"),
        ),
        rows=tuple(rows),
        total={"name": "difference", **_added(both, before.layers, after.layers)},
        meta={
            "before": before.name,
            "after": after.name,
            **{change: count[change] for change in (ADDED, REMOVED, CHANGED, RESIZED, SAME)},
        },
        notes=(_summary(count),),
        group="stage",
        partial=tuple(pair.layer.name for pair in pairs if cost(pair.layer).uncounted),
    ).hiding("stage", "block")


def _inputs(before: LayerGraph, after: LayerGraph) -> str:
    shapes = dict.fromkeys(graph.shown_inputs for graph in (before, after))
    return " → ".join(shapes)


def _summary(count: Counter[str]) -> str:
    told = [f"{count[change]} {change}" for change in (ADDED, REMOVED, CHANGED) if count[change]]
    if count[RESIZED]:
        told.append(f"{count[RESIZED]} the same on other shapes")
    alike = f"{count[SAME]} layers are the same"
    return f"{', '.join(told)}; {alike}." if told else f"No difference: {alike}."


def _row(both: Both, pair: Pair) -> dict[str, Any]:
    return {
        "stage": pair.place[0],
        "block": pair.place[1],
        "change": SIGNS[pair.change],
        "name": pair.layer.name,
        "before": describe(pair.before.op) if pair.before else "",
        "after": describe(pair.after.op) if pair.after else "",
        "what": "; ".join(pair.what) or pair.change,
        **_added_by(both, [pair]),
    }


def _resized_row(both: Both, stage: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    row = dict.fromkeys(("block", "before", "after"), "") | {
        "stage": stage,
        **_added_by(both, pairs),
    }
    name = f"{len(pairs)} layers" if len(pairs) > 1 else "1 layer"
    return row | {"change": SIGNS[RESIZED], "name": name, "what": "the same on other shapes"}


def _added_by(both: Both, pairs: Sequence[Pair]) -> dict[str, int]:
    before = [pair.before for pair in pairs if pair.before]
    return _added(both, before, [pair.after for pair in pairs if pair.after])


def _added(both: Both, before: Iterable[Layer], after: Iterable[Layer]) -> dict[str, int]:
    """The parameters and MACs that layers of the second network have more than of the first."""
    was, now = map(part_cost, both, (before, after))
    return {"params": now.params - was.params, "macs": now.macs - was.macs}


def in_words(before: LayerGraph, after: LayerGraph) -> str:
    """The changes that turn one network into another, the costliest first.

    For networks that differ in settings: stride 1, not 2, in layer2.0.conv1 (+231,211,008 MACs).
    """
    both = before, after
    groups: dict[str, list[Pair]] = {}
    moved: list[Pair] = []
    for pair in align(before, after):
        if pair.change in (ADDED, REMOVED, CHANGED):
            groups.setdefault(_shared_change(pair), []).append(pair)
        elif _added_by(both, [pair])["macs"]:
            moved.append(pair)
    changes = [(what + _names(pairs), _added_by(both, pairs)) for what, pairs in groups.items()]
    if before.inputs != after.inputs:
        shapes = f"input {after.shown_inputs}, not {before.shown_inputs}"
        changes.append((shapes, _added_by(both, moved)))
    elif moved:
        changes.append((f"maps of another size in {_names(moved)}", _added_by(both, moved)))
    changes.sort(key=lambda change: -abs(change[1]["macs"]))
    return "; ".join(f"{what} ({_costs(**costs)})" for what, costs in changes)


def _names(pairs: Sequence[Pair], most: int = 4) -> str:
    names = ", ".join(pair.layer.name for pair in pairs[:most])
    return names + (f" and {len(pairs) - most} more" if len(pairs) > most else "")


def _costs(macs: int, params: int) -> str:
    counts = [f"{macs:+,} MACs"] if macs else []
    counts += [f"{params:+,} parameters"] if params else []
    return ", ".join(counts) or "no MACs"


def _shared_change(pair: Pair) -> str:
    """What a layer may have in common with others: 'stride 1, not 2, in '."""
    if pair.change != CHANGED:
        return "added layers " if pair.change == ADDED else "no layers "
    settings = [setting for setting in pair.settings if setting.name == "kind"] or pair.settings
    return " and ".join((*map(_setting, settings), *pair.wiring)) + " in "


def _setting(setting: Setting) -> str:
    """Stride 1, not 2, or bias, or no bias."""
    words = setting.name.replace("_", " ")
    if isinstance(setting.after, bool):
        return words if setting.after else f"no {words}"
    before, after = (
        f"{value:,}" if isinstance(value, int) else show_value(value)
        for value in (setting.before, setting.after)
    )
    return ("" if setting.name == "kind" else f"{words} ") + f"{after}, not {before},"
