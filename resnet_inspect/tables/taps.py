"""A backbone's taps -> Table: where features are taken, what they are, what they cost."""

from __future__ import annotations

from resnet_inspect.counting.costs import graph_cost, part_cost
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.networks.graph import LayerGraph, needed
from resnet_inspect.networks.taps import Tap, taps
from resnet_inspect.tables.columns import Column, Record, columns
from resnet_inspect.tables.table import Table


def tap_table(graph: LayerGraph) -> Table:
    """A row a tap, each with all that is computed up to there, itself included."""
    found = taps(graph)
    return Table(
        f"{graph.name}: where features are taken, input {graph.shown_inputs}",
        (
            *columns("text", name="Tap", node="Node", timm="timm", mmseg="mmseg"),
            Column("channels", "Channels", "count"),
            Column("stride", "Stride", "pair"),
            Column("output_shape", "Shape", "shape"),
            Column("receptive_field", "Field", "pair", rank=1),
            *columns("count", 2, params="Parameters so far"),
            Column("macs", "MACs so far", "count"),
            Column("share", "of MACs", "share"),
        ),
        tuple(_row(graph, at, tap) for at, tap in enumerate(found)),
        meta={"model": graph.name, "input": list(graph.input_shape)},
        notes=(_NODE, _INDEX) if graph.spec is not None else (_NODE,),
    )


_NODE = (
    "Node: for torchvision's create_feature_extractor, and for build(features=..), which stops "
    "behind the last."
)
_INDEX = "timm, mmseg: the number in out_indices; mmseg counts stages only."


def _row(graph: LayerGraph, at: int, tap: Tap) -> Record:
    spent = part_cost(graph, needed(graph, [tap.layer.name]))
    whole = graph_cost(graph).macs
    field = receptive_fields(graph)[tap.layer.name]
    channels, *size = tap.layer.output_shape
    sides = zip(graph.input_shape[1:], size, strict=True)
    indexed = graph.spec is not None
    return {
        "name": tap.name,
        "node": tap.node,
        "timm": at if indexed else None,
        "mmseg": tap.stage,
        "channels": channels,
        "stride": tuple(-(-before // after) for before, after in sides),
        "output_shape": tap.layer.output_shape,
        "receptive_field": field.size if field else None,
        "params": spent.params,
        "macs": spent.macs,
        "share": spent.macs / whole if whole else 0.0,
    }
