"""A small network, and how to measure it quickly."""

from __future__ import annotations

import torch

import resnet_inspect as ri
from resnet_inspect.measuring.records import Case
from resnet_inspect.measuring.sampling import StoppingRule
from resnet_inspect.pytorch.bench.runner import Runner

CPU = torch.device("cpu")
GRAPH = ri.graph("resnet20_cifar", blocks=(1, 1, 1))
CASE = Case(GRAPH.name, GRAPH.input_shape, 2)
RULE = StoppingRule(half_width=0.5, budget=0.05, warmup=0.05, burst=0.01)
RUNNER = Runner(CPU, RULE, 1)
QUICK = {"device": "cpu", "threads": 1, "budget": 0.05, "half_width": 0.5}
"""The same as arguments of the public functions."""
