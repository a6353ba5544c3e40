"""Commands that print tables of every kind, for tests of how tables are written."""

from __future__ import annotations

from pathlib import Path

import pytest

REPORTS = Path(__file__).parents[1] / "reports"

TABLES = (
    "table resnet152",
    "table resnet50 --level stage",
    "table resnet50 --level stage --columns all",
    "table --style paper resnet18 resnet34 resnet50 resnet101 resnet152",
    "models",
    "models --accuracy --under params=30M",
    "explain resnet50 layer1.0",
    "explain resnet50 layer2.0.conv2",
    "explain residual",
    "conventions resnet18 resnet50",
    "paths resnet50",
    "signal resnet18 plain34",
    "field resnet50",
    "compare resnet18 resnet34 resnet50 resnet101 resnet152",
    "compare-blocks",
    "diff resnet50 resnet50d",
    "forecast resnet18 resnet50 --device rtx4090 --batch 1,64",
    "cost resnet50 --device a100",
    "devices",
    "roofline resnet18 --device rtx4090",
    f"results {REPORTS}/latency/cpu/ladder.jsonl",
)

LONGEST = pytest.param("models --accuracy", marks=pytest.mark.slow)
"""A thousand rows of the same columns."""
