"""Networks as He et al. 2015, Table 1, has them: a column each, a row for every stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Block, Layer, LayerGraph
from resnet_inspect.networks.naming import paper_names
from resnet_inspect.networks.op_labels import describe
from resnet_inspect.networks.ops import Conv2d, Linear, Pool2d
from resnet_inspect.networks.parts import roles
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.tables.columns import Column, Record, Value
from resnet_inspect.tables.network_notes import listed
from resnet_inspect.tables.table import Table

HEAD = "head"
"""The row that the paper has no name for."""


class _Row(NamedTuple):
    """What stands in a network's column: the size of the map that leaves it, and its layers."""

    size: str
    layers: str


def paper_table(graphs: Sequence[LayerGraph]) -> Table:
    """Table 1 of the paper for any networks; raises InspectError where there is none.

    A block is [1x1, 64; 3x3, 64; 1x1, 256] x 3: its convolutions and how often it stands there.
    Shortcuts, batch norm and activations are left out, as they are in the paper.
    """
    if not graphs:
        raise InspectError("no network; name at least one, such as resnet50")
    keys = _keys(graphs)
    made = {key: dict(_rows(graph)) for key, graph in zip(keys, graphs, strict=True)}
    names = {name for rows in made.values() for name in rows}
    headed = (HEAD,) if HEAD in names else ()
    rows: list[Record] = []
    for name in (*sorted(names - {HEAD}, key=_number), *headed):
        own = {key: rows[name] for key, rows in made.items() if name in rows}
        sizes = " or ".join(dict.fromkeys(row.size for row in own.values()))
        row: dict[str, Value] = {"name": name, "output": sizes}
        rows.append(row | {key: row.layers for key, row in own.items()})
    flops = {key: graph_cost(graph).macs for key, graph in zip(keys, graphs, strict=True)}
    last: Record = {"name": "FLOPs", **flops}
    inputs = " or ".join(dict.fromkeys(graph.shown_inputs for graph in graphs))
    return Table(
        title=f"Architectures, as in He et al. 2015, Table 1, input {inputs}",
        columns=(
            Column("name", "Layer name"),
            Column("output", "Output size"),
            *(Column(key, key, "stack") for key in keys),
        ),
        rows=tuple(rows),
        references=(last,),
        besides=(last,),
        notes=(
            "FLOPs are multiply-adds of convolution and linear layers, as in the paper.",
            *_strides(keys, graphs),
        ),
        group="name",
    )


def renamed(table: Table, graph: LayerGraph) -> Table:
    """A network's table with the paper's names for stages, blocks and layers."""
    names = paper_names(graph)

    def named(row: Record) -> Record:
        told = {key: names.get(str(row[key])) for key in ("name", "stage", "block") if key in row}
        return {**row, **{key: name for key, name in told.items() if name}}

    return replace(table, rows=tuple(map(named, table.rows)))


def _number(name: str) -> tuple[int, str]:
    """conv2_x is before conv10_x."""
    return int(name.removeprefix("conv").partition("_")[0]), name


def _keys(graphs: Sequence[LayerGraph]) -> list[str]:
    """The networks' names, with their inputs where several have one name."""
    often = Counter(graph.name for graph in graphs)
    keys = [f"{g.name}, {g.shown_inputs}" if often[g.name] > 1 else g.name for g in graphs]
    if len(set(keys)) < len(keys):
        raise InspectError(f"{listed(keys)} are the same network; name each once")
    return keys


def _rows(graph: LayerGraph) -> Iterator[tuple[str, _Row]]:
    """Each stage by its name in the paper; the pool behind the stem stands where its size does."""
    names, playing = paper_names(graph), roles(graph)
    moved: list[str] = []
    for stage in graph.stages:
        blocks = stage.blocks
        name = names.get(stage.name, HEAD)
        if blocks[0].is_head:
            lines = [line for layer in stage.layers if (line := _line(layer))]
            apart = ", " if len(lines) < 3 else "; "
            yield name, _Row(_size(blocks[0].layers[0].output_shape), apart.join(lines))
        elif blocks[0].is_stem:
            layers = list(stage.layers)
            while isinstance(layers[-1].op, Pool2d) and len(layers) > 1:
                moved.insert(0, str(_line(layers.pop())))
            lines = [line for layer in layers if (line := _line(layer))]
            yield name, _Row(_size(layers[-1].output_shape), "; ".join(lines))
        else:
            lines, moved = [*moved, *_blocks(blocks, playing)], []
            yield name, _Row(_size(stage.output.output_shape), "; ".join(lines))


def _size(shape: Shape) -> str:
    return show_shape(shape[1:]) if len(shape) > 2 else "1x1"


def _blocks(blocks: Sequence[Block], playing: Mapping[str, str]) -> Iterator[str]:
    """[3x3, 64; 3x3, 64] x 3 for blocks in a row that are alike; pools before them stand alone."""
    parts: list[tuple[str, ...]] = []
    for block in blocks:
        lines = list(_block(block, playing))
        while lines and " pool" in lines[0] and len(lines) > 1:
            parts.append((lines.pop(0),))
        parts.append(("[", *lines))
    for (first, *lines), alike in groupby(parts):
        yield f"[{'; '.join(lines)}] x {len(list(alike))}" if first == "[" else first


def _block(block: Block, playing: Mapping[str, str]) -> Iterator[str]:
    """A line for each layer with weights on a block's residual path, and one for its gate."""
    gated = False
    for layer in block.layers:
        role = playing[layer.name]
        if role == "squeeze and excitation":
            if not gated and isinstance(layer.op, (Conv2d, Linear)):
                width = layer.output_shape[0]
                yield f"SE, {width}"
                gated = True
        elif role != "shortcuts" and (line := _line(layer, stride=False)):
            yield line


_PASSED_OVER = {"normalization", "activation", "addition and gating", "reshaping", "dropout"}


def _line(layer: Layer, *, stride: bool = True) -> str | None:
    """A layer as the paper writes it: 7x7, 64, stride 2; None for what it leaves out."""
    op = layer.op
    if isinstance(op, Conv2d):
        split = "depthwise" if op.groups == op.in_channels > 1 else f"{op.groups} groups"
        groups = f", {split}" if op.groups > 1 else ""
        step = _stride(op.stride) if stride else ""
        return f"{show_shape(op.kernel)}, {op.out_channels}{groups}{step}"
    if isinstance(op, Linear):
        return f"{op.out_features}-d fc"
    if isinstance(op, Pool2d):
        word = "max" if op.kind == "MaxPool2d" else "average"
        return f"{show_shape(op.kernel)} {word} pool{_stride(op.stride)}"
    if op.category == "pooling":
        return "average pool"
    return None if op.category in _PASSED_OVER else describe(op)


def _stride(stride: Shape) -> str:
    if set(stride) == {1}:
        return ""
    return f", stride {stride[0] if len(set(stride)) == 1 else show_shape(stride)}"


def _strides(keys: Sequence[str], graphs: Sequence[LayerGraph]) -> Iterator[str]:
    """Which blocks halve the size, of each network or of all."""
    told: dict[str, list[str]] = {}
    for key, graph in zip(keys, graphs, strict=True):
        names = paper_names(graph)
        halving = [
            names.get(block.name, block.name)
            for block in graph.blocks
            if not block.is_stem and any(_strides_in(layer) for layer in block.layers)
        ]
        if halving:
            told.setdefault(listed(halving), []).append(key)
    for blocks, those in told.items():
        of = "" if len(those) == len(keys) else f" of {listed(those)}"
        yield f"Stride 2 is in {blocks}{of}."


def _strides_in(layer: Layer) -> bool:
    return isinstance(layer.op, Conv2d) and max(layer.op.stride) > 1
