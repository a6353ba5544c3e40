"""Norms that activate: what they hold, cost and keep, against torch."""

from __future__ import annotations

import pytest
import torch
from saved import measured_saved
from torch import nn

from resnet_inspect.counting.costs import cost
from resnet_inspect.counting.kept import saved_copy_bytes, saved_tensors
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import Layer
from resnet_inspect.pytorch import modules
from resnet_inspect.pytorch.trace.trace import trace

BATCH, SHAPE = 2, (16, 5, 7)
OPS = [
    ActiveNorm(groups, 16, True, kind, activates)
    for kind, groups in (
        ("EvoNormS0", 4),
        ("EvoNormS0", 1),
        ("EvoNormS0", 16),
        ("FilterResponseNorm", 16),
    )
    for activates in (True, False)
]


@pytest.mark.parametrize("op", OPS, ids=repr)
def test_parameters_operations_and_tracing(op: ActiveNorm) -> None:
    model = modules.ActiveNorm(op)
    assert sum(p.numel() for p in model.parameters()) == op.params == (2 + op.activates) * 16
    (layer,) = trace(nn.Sequential(model), SHAPE).layers
    assert layer.op == op
    assert cost(layer).flops == (2 + op.activates) * 16 * 5 * 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("op", OPS, ids=repr)
def test_it_keeps_what_torch_keeps(op: ActiveNorm, dtype: torch.dtype) -> None:
    layer = Layer("norm", "norm", op, ("x",), (SHAPE,), SHAPE)
    x = torch.randn(BATCH, *SHAPE, dtype=dtype, requires_grad=True)
    own = x.numel() * x.element_size()
    assert saved_tensors(op, layer) == ("x",)
    copies = saved_copy_bytes(op, layer, x.element_size(), BATCH)
    assert measured_saved(modules.ActiveNorm(op).to(dtype), x) == own + copies


def test_a_norm_that_activates_bends_what_a_norm_gives() -> None:
    x = torch.randn(BATCH, *SHAPE, generator=torch.Generator().manual_seed(0))
    evo, still = modules.ActiveNorm(OPS[0]), modules.ActiveNorm(OPS[1])
    assert torch.allclose(evo(x), still(x) * x.sigmoid(), atol=1e-6)
    groups = still(x).reshape(BATCH, 4, -1)
    assert torch.allclose(groups.var(2, unbiased=False), torch.ones(BATCH, 4), atol=1e-4)
    thresholded, linear = (modules.ActiveNorm(op) for op in OPS[-2:])
    assert torch.equal(thresholded(x), linear(x).relu())
    assert torch.allclose(linear(x).square().mean((2, 3)), torch.ones(BATCH, 16), atol=1e-4)
