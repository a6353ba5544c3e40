"""A network as the data of a page: what folds, the row of each part, and what reads what.

Parts hold parts: a stage its blocks, a block what runs in a row and what side by side (as
branches.py finds it), a convolution its batch norm and activation (fusion.py). Layers are numbers:
their place in running order, which is also that of their row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from resnet_inspect.counting.costs import graph_cost, part_cost
from resnet_inspect.counting.dtypes import chosen_dtype, element_bytes
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.branches import Parallel, Part, in_series, layers_of
from resnet_inspect.networks.fusion import fold, main_layer
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.op_labels import CATEGORIES, caption, describe, show_dims
from resnet_inspect.networks.ops import Add
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.units import DrawnStage, Run, Unit, stages
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.columns import Value
from resnet_inspect.tables.network import Row, metrics, table

Data = dict[str, Any]
Item = int | Data
"""A layer, by its number, or a part of several."""

LARGEST = 1 << 53
"""Integers from here on are not exact in JavaScript; they go as text."""


def network(graph: LayerGraph, marks: Mapping[str, str], names: Mapping[str, str]) -> Data:
    """All that a page needs to know of a network.

    marks: what became of layers, in a diff. names: what parts are called, where not by their own.
    """
    return _Network(graph, names).data(marks)


class _Network:
    """A network's rows, which grow with its parts."""

    def __init__(self, graph: LayerGraph, names: Mapping[str, str]) -> None:
        self.graph, self.names = graph, names
        self.metrics = metrics(graph)
        self.fields = receptive_fields(graph)
        self.itemsize = element_bytes(chosen_dtype(graph, None))
        self.table = table(graph)
        self.rows = [[_plain(row[key]) for key in self.metrics] for row in self.table.rows]
        self.block = {layer.name: block for block in graph.blocks for layer in block.layers}
        self.place = {layer.name: at for at, layer in enumerate(graph.layers)}
        groups = chain.from_iterable(map(fold, graph.blocks))
        self.group = {layer.name: at for at, group in enumerate(groups) for layer in group}
        self.ways: dict[tuple[str, str], str] = {}

    def data(self, marks: Mapping[str, str]) -> Data:
        graph = self.graph
        tree = [self.stage(*numbered) for numbered in _numbered(stages(graph, marks=marks))]
        whole = self.row(Row(graph.name, "", "network", "", "", graph.layers, *self.costs()))
        entering = {name: ~at for at, name in enumerate(graph.inputs)}
        places = {**entering, **self.place}
        return {
            "name": visible(graph.name),
            "title": visible(self.table.title),
            "notes": [*map(visible, self.table.notes), visible(self.table.caveat)],
            "columns": [
                [key, column.title, column.kind] for key, (column, _) in self.metrics.items()
            ],
            "row": whole,
            "rows": self.rows,
            "names": [visible(self.names.get(layer.name, layer.name)) for layer in graph.layers]
            if self.names
            else [],
            "captions": [visible(caption(layer.op)) for layer in graph.layers],
            "categories": [CATEGORIES.index(layer.op.category) for layer in graph.layers],
            "changes": [marks.get(layer.name, "same") for layer in graph.layers] if marks else [],
            "inputs": [
                visible(f"{name} {show_dims(shape)}") for name, shape in graph.inputs.items()
            ],
            "outputs": [places[name] for name in dict.fromkeys(graph.outputs)],
            "edges": [
                [places[name], at, self.ways.get((name, layer.name), "")]
                for at, layer in enumerate(graph.layers)
                for name in dict.fromkeys(layer.inputs)
            ],
            "tree": tree,
        }

    def costs(self, layers: Sequence[Layer] = ()) -> tuple[Any, ...]:
        """The last fields of a Row: those of some layers, or of all."""
        whole = graph_cost(self.graph)
        own = part_cost(self.graph, layers) if layers else whole
        last = layers[-1] if layers else self.graph.output
        return own, self.fields[last.name], whole, self.itemsize

    def row(self, row: Row) -> int:
        """The number of a new row."""
        self.rows.append([_plain(value(row)) for _, value in self.metrics.values()])
        return len(self.rows) - 1

    def part(
        self, name: str, path: str, kind: str, layers: Sequence[Layer], **more: object
    ) -> Data:
        """A part of several layers with its row, as the table has it."""
        row = Row(name, path, kind, "", "", tuple(layers), *self.costs(layers))
        name = visible(self.names.get(name, name))
        return {"name": name, "kind": visible(kind), "row": self.row(row), **more}

    def stage(self, number: int | None, drawn: DrawnStage) -> Data:
        units, stage = list(drawn.units), drawn.stage
        if len(units) == 1:
            name = visible(self.names.get(stage.name, stage.name))
            return self.unit(units[0]) | {"name": name, "stage": number}
        return self.part(
            stage.name,
            stage.path,
            f"{len(units)} × {drawn.kind}",
            tuple(stage.layers),
            level="stage",
            stage=number,
            said=_stage_lines(drawn),
            cuts=_shortcut_words(units),
            parts=[self.run(run) for run in drawn.runs],
        )

    def run(self, run: Run) -> Data:
        """Units that repeat. later: what is drawn for each layer of the second to the last."""
        units = [self.unit(unit) for repeat in run.repeats for unit in repeat]
        if run.count == 1:
            return {"units": units, "count": 1}
        layers = [layer for repeat in run.repeats for unit in repeat for layer in unit.layers]
        ends = (run.drawn[0].name, run.repeats[-1][-1].name)
        first, last = (self.names.get(name, name) for name in ends)
        mine = sum(len(unit.layers) for unit in run.drawn)
        return self.part(
            f"{first} to {last}",
            "",
            f"{run.count} × {' + '.join(unit.kind for unit in run.drawn)}",
            layers,
            units=units,
            count=run.count,
            start=self.place[layers[mine].name],
            later=[self.place[shown.name] for _, shown, _ in run.pairs][mine:],
        )

    def unit(self, unit: Unit) -> Data:
        for cut in unit.shortcuts:
            self.way(cut.layers, cut.kind)
            self.ways[cut.end, cut.addition.name] = cut.kind
        for gating, gate in unit.gates:
            self.way(gate, "gate")
            self.ways[gating.inputs[1], gating.name] = "gate"
        return self.part(
            unit.name,
            self.block[unit.layers[0].name].path,
            unit.kind,
            unit.layers,
            level="unit",
            said=[[_lines(labels.chained(labels.unit_lines(unit))), 1]],
            cuts=_shortcut_words([unit]),
            strokes=[cut.kind for cut in unit.shortcuts],
            parts=self.items(in_series(unit.layers), unit.beside),
        )

    def way(self, layers: Iterable[Layer], kind: str) -> None:
        """What kind of path the inputs of these layers are part of."""
        self.ways.update(((name, layer.name), kind) for layer in layers for name in layer.inputs)

    def items(self, parts: Iterable[Part], beside: frozenset[str]) -> list[Item]:
        """What runs in a row: convolutions with what is folded into them, and what is parallel."""
        flat = [each for part in parts for each in self.flat(part, beside)]
        found: list[Item] = []
        for group, run in groupby(flat, self.group_of):
            each = list(run)
            found += each if group is None else [self.folded(each)]
        return found

    def group_of(self, item: Layer | Data) -> int | None:
        """What a layer is folded into; None for what is no layer."""
        return self.group[item.name] if isinstance(item, Layer) else None

    def flat(self, part: Part, beside: frozenset[str]) -> Iterator[Any]:
        if isinstance(part, Layer):
            yield part
        elif not part.runs:
            yield {"ranks": self.ranks(part.layers)}
        else:
            runs = [self.items(run, beside) for run in part.runs]
            side = [_side(run, part, beside) for run in part.runs]
            yield {"runs": runs, "side": side}
            yield from part.after

    def folded(self, layers: Sequence[Layer]) -> Item:
        """A layer, or one with the batch norm and activation that it is shown with."""
        if len(layers) == 1:
            return self.place[layers[0].name]
        main = main_layer(layers)
        at = layers.index(main)
        return self.part(
            main.name,
            main.path,
            "layer",
            layers,
            level="conv",
            before=" ".join(visible(describe(layer.op)) for layer in layers[:at]),
            after=" ".join(visible(describe(layer.op)) for layer in layers[at + 1 :]),
            main=self.place[main.name],
            parts=[self.place[layer.name] for layer in layers],
        )

    def ranks(self, layers: Sequence[Layer]) -> list[list[Item]]:
        """Interwoven layers in rows, each below all that it reads."""
        groups: dict[int, list[Layer]] = {}
        for layer in layers:
            groups.setdefault(self.group[layer.name], []).append(layer)
        rank: dict[str, int] = {}
        rows: dict[int, list[Item]] = {}
        for group in groups.values():
            before = [rank[name] for layer in group for name in layer.inputs if name in rank]
            row = max(before, default=-1) + 1
            rank.update((layer.name, row) for layer in group)
            rows.setdefault(row, []).append(self.folded(group))
        return [rows[row] for row in sorted(rows)]


def _plain(value: Value) -> Any:
    """A value as JSON has it: exact, and text that only shows."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, int) and abs(value) >= LARGEST else value


def _side(run: Sequence[Part], part: Parallel, beside: frozenset[str]) -> bool:
    """Whether a run is beside the main path: a shortcut or a gate."""
    if run:
        return all(layer.name in beside for layer in layers_of(run))
    return part.join is not None and isinstance(part.join.op, Add)


def _numbered(drawn: Iterable[DrawnStage]) -> Iterator[tuple[int | None, DrawnStage]]:
    """Stages with their number among those that hold blocks; None for stem and head."""
    number = 0
    for stage in drawn:
        yield (number if stage.holds_blocks else None), stage
        number += stage.holds_blocks


def _stage_lines(drawn: DrawnStage) -> list[Any]:
    """What the blocks of a stage do, strides left out, with how many do it."""
    said = [
        (_lines(labels.chained(labels.unit_lines(unit, strides=False))), run.count)
        for run in drawn.runs
        for unit in run.drawn
    ]
    return [
        [lines, sum(count for _, count in alike)]
        for lines, alike in groupby(said, key=itemgetter(0))
    ]


def _shortcut_words(units: Iterable[Unit]) -> list[str]:
    """The shortcuts of some units in words, with how many there are of each."""
    words = Counter(
        f"{cut.kind}: {said}" if (said := labels.shortcut_words(cut)) else cut.kind
        for unit in units
        for cut in unit.shortcuts
    )
    return [visible(f"{said} × {count}" if count > 1 else said) for said, count in words.items()]


def _lines(lines: Iterable[labels.Line]) -> list[Any]:
    """Lines of a box: text, or lists of lines side by side."""
    return [
        visible(line) if isinstance(line, str) else [_lines(column) for column in line.columns]
        for line in lines
    ]
