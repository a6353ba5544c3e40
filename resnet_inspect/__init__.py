"""What exactly is in a ResNet, what it costs, and why tools disagree about it.

    import resnet_inspect as ri

    ri.table("resnet50")                  # a Table: .to_pandas(), .records(), .write("r50.csv")
    ri.graph("resnet50", blocks=(2, 2, 2, 2))
    ri.build("resnet50")                  # a torch.nn.Module with torchvision's keys

Nothing heavy is loaded before it is used: torch, pandas and rich come in with the call that needs
them. (Some functions carry the name of the module they live in; as all of these modules are
loaded here, `resnet_inspect.graph` is always the function.)
"""

from __future__ import annotations

__version__ = "0.1.0"

from resnet_inspect.api import (
    bench,
    block_diagram,
    build,
    compare,
    compare_blocks,
    diagram,
    diff,
    explain,
    graph,
    models,
    read_bench,
    reconcile,
    report,
    resolve,
    rule,
    table,
    trace,
)
from resnet_inspect.costs import Cost, cost, total
from resnet_inspect.errors import InspectError
from resnet_inspect.graph import Block, Layer, LayerGraph, Stage
from resnet_inspect.memory import Memory, memory
from resnet_inspect.receptive_field import ReceptiveField, receptive_fields
from resnet_inspect.sheet import Sheet
from resnet_inspect.spec import ResNetSpec
from resnet_inspect.table import Column, Table

__all__ = [
    "Block",
    "Column",
    "Cost",
    "InspectError",
    "Layer",
    "LayerGraph",
    "Memory",
    "ReceptiveField",
    "ResNetSpec",
    "Sheet",
    "Stage",
    "Table",
    "__version__",
    "bench",
    "block_diagram",
    "build",
    "compare",
    "compare_blocks",
    "cost",
    "diagram",
    "diff",
    "explain",
    "graph",
    "memory",
    "models",
    "read_bench",
    "receptive_fields",
    "reconcile",
    "report",
    "resolve",
    "rule",
    "table",
    "total",
    "trace",
]
