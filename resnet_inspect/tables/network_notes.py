"""What stands below a network's table: published figures, memory, and what a run showed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.published import Figure, figures_of, published_quantity
from resnet_inspect.counting.receptive_field import field_end, wired_fields
from resnet_inspect.networks.graph import LayerGraph, once, unread
from resnet_inspect.networks.ops import Conv2d, MaxPool2d
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import show_shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables.columns import Record, Value, show_bytes

MOST = 4
"""Names that a note lists; of more it says how many."""


def publications(graph: LayerGraph) -> tuple[tuple[Figure, bool], ...]:
    """What was published about a network, with whether our count agrees."""
    return tuple(
        (figure, figure.agrees(published_quantity(graph, figure.quantity)))
        for figure in figures_of(graph)
    )


def references(
    published: Sequence[tuple[Figure, bool]], convention: str
) -> tuple[dict[str, Value], ...]:
    """A row below the total for each source, with whether our count agrees.

    Published FLOPs are MACs and are not compared with the count of another convention.
    """
    rows: dict[str, dict[str, Value]] = {}
    for figure, agrees in published:
        if figure.quantity == "macs" and convention != "macs":
            continue
        # Weights without batch norm are parameters too, of which the source left some out.
        key = "macs" if figure.quantity == "macs" else "params"
        name = figure.source + (", no BN" if figure.quantity == "weights" else "")
        rows.setdefault(name, {"name": name})[key] = f"{'=' if agrees else '≠'} {figure.text}"
    return tuple(rows.values())


@once
def memory_notes(graph: LayerGraph, batch: int, dtype: str | None) -> tuple[str, str]:
    need = memory(graph, batch, dtype)
    partial = "at least " if need.uncounted else ""
    states = ", ".join(
        f"{name} {show_bytes(size)}" for name, size in need.optimizers.items() if size
    )
    inference = (
        f"Inference memory: {partial}{show_bytes(need.weights)} weights, "
        f"{show_bytes(need.inference_peak)} activations at their peak ({need.peak_at})"
    )
    training = (
        f"Training memory: {partial}{show_bytes(need.saved)} saved for backward, "
        f"{show_bytes(need.gradients)} gradients, {states}"
    )
    return inference, training


def not_run(graph: LayerGraph) -> tuple[Record, ...]:
    """A row of the parameters that the network holds and no layer uses; none where all are used."""
    unused = graph.run.unused.values() if graph.run else ()
    if not unused:
        return ()
    params = sum(tensor.entries for tensor in unused)
    frozen = sum(tensor.entries for tensor in unused if not tensor.trainable)
    return (
        {
            "name": "held but not run",
            "params": params,
            "trainable": params - frozen,
            "frozen": frozen,
        },
    )


def gaps(graph: LayerGraph) -> Iterator[str]:
    """Operations that ran and belong to no layer, and where."""
    for gap in graph.run.gaps if graph.run else ():
        yield f"{gap.operation} ({gap.where})" if gap.where else gap.operation


def run_notes(graph: LayerGraph) -> Iterator[str]:
    """What is not run, shared, or has a result that nobody reads; and what its maker says."""
    run = graph.run
    if run is None:
        return
    if run.unused:
        more = sum(tensor.entries for tensor in run.unused.values())
        held = graph_cost(graph).params + more
        yield f"Held but not run: {listed(run.held_apart)}, {more:,} parameters; {held:,} in all"
    for layers, tensors in run.shared.items():
        yield f"{listed(layers)} share {listed(tensors)}, which count with the first"
    if dropped := unread(graph):
        yield f"Run, but no output needs their result: {listed(dropped)}"
    yield from run.notes


def counted_layers(graphs: Iterable[LayerGraph]) -> Iterator[str]:
    """How the depths of networks come about, as papers count them (He et al. 2015, Table 1)."""
    of: dict[str, list[str]] = {}
    for graph in graphs:
        if graph.spec is not None:
            of.setdefault(_layer_sum(graph.spec), []).append(graph.name)
    if of:
        several = sum(map(len, of.values())) > 1
        sums = (f"{said} ({listed(names)})" if several else said for said, names in of.items())
        yield f"Depth: {', '.join(sums)} layers with weights; shortcuts, norms, pools apart"


def _layer_sum(spec: ResNetSpec) -> str:
    """50 = 1 + 3 x 16 + 1: the stem, each block's convolutions, the head."""
    alike: dict[int, int] = {}
    for stage, count in enumerate(spec.blocks):
        each = spec.convolutions_of(stage)
        alike[each] = alike.get(each, 0) + count
    stem = int(spec.stem != "none")
    head = spec.depth - stem - sum(each * blocks for each, blocks in alike.items())
    middle = (f"{each} x {blocks}" if each > 1 else str(blocks) for each, blocks in alike.items())
    terms = (str(stem or ""), *middle, str(head or ""))
    return f"{spec.depth} = {' + '.join(filter(None, terms))}"


def small_input(graph: LayerGraph) -> Iterator[str]:
    """What a stem made for large images leaves of a small one, and what the 3x3 stem would."""
    spec = graph.spec
    if spec is None or spec.stem in ("3x3", "none") or max(graph.input_shape[1:]) > SMALL:
        return
    other = layer_graph(spec.with_changes({"stem": "3x3", "stem_pool": False}), graph.input_shape)
    left, kept = (
        [show_shape(at.leaving.output_shape[1:]) for at in (each.stages[0], each.stages[-2])]
        for each in (graph, other)
    )
    whole = show_shape(graph.input_shape[1:])
    yield (
        f"Of {whole}, the {spec.stem} stem leaves {left[0]} and the last stage {left[1]}; stem=3x3 "
        f"would leave {kept[0]} and {kept[1]}"
    )


def dilated(graph: LayerGraph) -> Iterator[str]:
    """What an output stride keeps and what it costs."""
    if graph.spec is None or not graph.spec.output_stride:
        return
    undone = {"output_stride": 0, "multi_grid": ()}
    plain = layer_graph(graph.spec.with_changes(undone), graph.input_shape)
    ours, theirs = graph_cost(graph), graph_cost(plain)
    macs, written = ours.macs / theirs.macs, ours.written / theirs.written
    yield (
        f"Dilated from stride {graph.spec.output_stride} on: the same weights and parameters as "
        f"without, {macs:.2f} times the MACs, {written:.2f} times the activations"
    )


def padded_unlike(graph: LayerGraph) -> Iterator[str]:
    """Where padding as TensorFlow does it is not torch's."""
    if graph.spec is None or graph.spec.padding == "torch":
        return
    plain = layer_graph(graph.spec.with_changes({"padding": "torch"}), graph.input_shape)
    moved = [
        ours.path
        for ours in graph.layers
        if isinstance(ours.op, (Conv2d, MaxPool2d)) and ours.op != plain.by_name[ours.name].op
    ]
    same = all(
        layer.output_shape == graph.by_name[layer.name].output_shape for layer in plain.layers
    )
    shapes = "all shapes are" if same else "some shapes are not"
    where = listed(moved) if moved else "nothing"
    yield f"Padded unlike torch: {where}; {shapes} those of torch's padding"


def field_note(graph: LayerGraph) -> Iterator[str]:
    """Where receptive fields end; nothing if they do not."""
    if end := field_end(graph):
        yield f"Receptive fields end at {end} ({graph.layer(end).op.kind})."


SMALL = 64
"""Sides of an input up to which a stem of stride 4 leaves hardly anything."""


def wide_field(graph: LayerGraph) -> Iterator[str]:
    """From which stage on units see more than the input, before global pooling."""
    fields, sides = wired_fields(graph)[0], graph.input_shape[1:]
    for stage in graph.stages:
        field = fields[stage.leaving.name]
        if field is None or len(field.axes) != len(sides) or not all(field.stride):
            return
        if any(size > side for size, side in zip(field.size, sides, strict=True)):
            about = "larger than the input, as is usual: see 'resnet-inspect field'"
            yield f"From {stage.name} on a field is {about}"
            return


def listed(names: Iterable[str]) -> str:
    """a, b and c; of many the first few, and how many more."""
    first, more = (every := list(names))[:MOST], len(every) - MOST
    if more > 0:
        return f"{', '.join(first)} and {more:,} more"
    return " and ".join([*([", ".join(first[:-1])] if first[1:] else []), first[-1]])
