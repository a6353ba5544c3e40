"""pycls' complexities of its residual networks (facebookresearch/pycls, dev/model_complexity.json).

Every residual and RegNet configuration that the file lists: 59, of 33 networks. Its FLOPs are
multiply-adds and additions of biases; its activations what convolutions,
linear layers and max pools give.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.networks.ops import Convolution, Linear, MaxPool2d
from resnet_inspect.networks.shapes import elements

FACTS = Path(__file__).parents[1] / "facts" / "pycls_complexity.csv"
ROWS = list(csv.DictReader(FACTS.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["config"])
def test_complexity(row: dict[str, str]) -> None:
    graph = ri.graph(f"{row['model']}[{row['changes']}]" if row["changes"] else row["model"])
    cost = graph_cost(graph)
    counted = [x for x in graph.layers if isinstance(x.op, (Convolution, Linear, MaxPool2d))]
    assert cost.params == int(row["params"])
    assert cost.macs + cost.bias == int(row["flops"])
    assert sum(elements(layer.output_shape) for layer in counted) == int(row["acts"])
