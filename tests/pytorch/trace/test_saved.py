"""What the backward pass keeps of each function, against what autograd saves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from saved import measured_saved
from torch import Tensor, nn

from resnet_inspect.counting.memory import saved_for_backward
from resnet_inspect.pytorch.trace.trace import trace

Two = Callable[[Tensor, Tensor], Tensor]


class Net(nn.Module):
    """A function of two maps of features."""

    def __init__(self, function: Two) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.left(x), self.right(x))


def of_one(module: object, names: str, *more: object, suffix: str = "") -> dict[str, Two]:
    """Functions of one map, by name."""
    return {
        name + suffix: lambda y, _, name=name: getattr(module, name)(y, *more)
        for name in names.split()
    }


def of_two(names: str) -> dict[str, Two]:
    return {name: lambda y, z, name=name: getattr(torch, name)(y, z) for name in names.split()}


FUNCTIONS: dict[str, Two] = {
    **of_one(
        torch,
        "abs acos acosh angle asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv "
        "exp exp2 expm1 floor frac i0 lgamma log log10 log1p log2 logit nan_to_num neg positive "
        "rad2deg reciprocal relu round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan tanh "
        "trunc",
    ),
    **of_two(
        "add atan2 copysign div fmax fmin fmod hypot logaddexp logaddexp2 matmul max maximum min "
        "minimum mul pow remainder sub xlogy"
    ),
    **of_one(torch, "add div fmod mul pow remainder sub", 2.0, suffix=" number"),
    **of_one(
        F,
        "celu elu gelu hardshrink hardsigmoid hardswish hardtanh instance_norm leaky_relu "
        "logsigmoid mish relu6 rrelu selu silu softplus softshrink softsign tanhshrink",
    ),
    **of_one(F, "glu log_softmax softmax softmin", 1, suffix=" channels"),
    **of_one(
        torch,
        "amax amin argmax cumprod cumsum logsumexp mean nansum prod std sum var",
        1,
        suffix=" channels",
    ),
    **of_one(torch, "amax logsumexp mean std sum var", (2, 3), suffix=" positions"),
    **of_one(torch, "max mean min norm prod std sum var", suffix=" all"),
    **of_one(torch.linalg, "vector_norm", 2, 1),
    "1 - y": lambda y, _: 1 - y,
    "1 / y": lambda y, _: 1 / y,
    "2 ** y": lambda y, _: 2**y,
    "y ** 0.5": lambda y, _: y**0.5,
    "addcmul": lambda y, z: torch.addcmul(y, z, y * 2),
    "addcdiv": lambda y, z: torch.addcdiv(y, y, z),
    "lerp": lambda y, z: torch.lerp(y, z, 0.5),
    "lerp by a tensor": lambda y, z: torch.lerp(y, z, z),
    "clamp": lambda y, _: y.clamp(0, 1),
    "clamp by a tensor": torch.clamp,
    "where": lambda y, z: torch.where(y > 0, y, z),
    "where or zero": lambda y, _: torch.where(y > 0, y, 0.0),
    "masked_fill": lambda y, z: y.masked_fill(z > 0, 0.0),
    "times a mask": lambda y, z: y * (z > 0),
    "threshold": lambda y, _: F.threshold(y, 0.1, 0.0),
    "normalize": lambda y, _: F.normalize(y),
    "local_response_norm": lambda y, _: F.local_response_norm(y, 3),
    "max channels": lambda y, _: y.max(1)[0],
    "min channels": lambda y, _: y.min(1, keepdim=True).values,
    "over its maximum": lambda y, _: y - y.max(1, keepdim=True)[0],
    "median": lambda y, _: y.median(1)[0],
    "sort": lambda y, _: y.sort(1)[0],
    "topk": lambda y, _: y.topk(2, 1)[0],
    "cummax": lambda y, _: y.cummax(1)[0],
    "norm of 1": lambda y, _: y.norm(p=1, dim=1),
    "einsum": lambda y, z: torch.einsum("nchw,ncwk->nchk", y, z),
    "einsum with itself": lambda y, _: torch.einsum("nchw,ncwk->nchk", y, y),
    "gate by einsum": lambda y, z: torch.einsum("nchw,nc->nchw", y, z.mean((2, 3))),
    "tensordot": lambda y, z: torch.tensordot(y, z, ([2], [2])),
    "attention": lambda y, z: F.scaled_dot_product_attention(y, y, z),
    "attention of heads": lambda y, z: (
        F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (y, z, z)))
        .transpose(1, 2)
        .flatten(2)
        .square()
    ),
    "matmul": torch.matmul,
    "matmul, transposed": lambda y, z: y.transpose(2, 3) @ z,
    "matmul, transposed before": lambda y, z: (
        y.unflatten(1, (2, 4)).transpose(1, 2) @ z.unflatten(1, (4, 2))
    ),
    "matmul of what an activation kept in its order": lambda y, z: (
        y.unflatten(1, (2, 4)).transpose(1, 2).relu() @ z.unflatten(1, (4, 2))
    ),
    "matmul, broadcast": lambda y, z: y.unflatten(1, (2, 4)) @ z[:, None, :4],
    "matmul, broadcast from outside": lambda y, z: y.unflatten(1, (2, 4)) @ z[:, :2, None],
    "matmul of a part": lambda y, z: (
        y.unflatten(1, (2, 4))[:, :, :2] @ z.unflatten(1, (2, 4))[:, :, 2:]
    ),
    "index": lambda y, _: y[:, [0, 2]],
    "index_select": lambda y, _: y.index_select(1, torch.tensor([0, 2])),
    "gather": lambda y, _: y.gather(1, torch.zeros(1, 8, 14, 14, dtype=torch.long)),
    **of_one(torch, "tril"),
    "flip": lambda y, _: y.flip(2),
    "roll": lambda y, _: y.roll(1, 2),
    "repeat": lambda y, _: y.repeat(1, 2, 1, 1),
    "stack": lambda y, z: torch.stack([y, z]),
    "cat": lambda y, z: torch.cat([y, z], 1),
    "pixel_shuffle": lambda y, _: F.pixel_shuffle(y, 2),
    "unfold": lambda y, _: F.unfold(y, 3),
    **{
        f"interpolate {mode}": lambda y, _, mode=mode: F.interpolate(y, size=7, mode=mode)
        for mode in ("nearest", "bilinear", "bicubic", "area")
    },
    "grid_sample": lambda y, z: F.grid_sample(y, z[:, :2].permute(0, 2, 3, 1)),
    **{
        f"pad {mode}": lambda y, _, mode=mode: F.pad(y, (1, 1, 1, 1), mode=mode)
        for mode in ("constant", "reflect", "replicate")
    },
    **of_one(F, "avg_pool2d max_pool2d", 2),
    **of_one(F, "adaptive_avg_pool2d adaptive_max_pool2d", 3),
    "lp_pool2d": lambda y, _: F.lp_pool2d(y, 2, 2),
    "max_unpool2d": lambda y, _: F.max_unpool2d(*F.max_pool2d(y, 2, return_indices=True), 2),
    "layer_norm": lambda y, _: F.layer_norm(y, (14,)),
    "rms_norm": lambda y, _: F.rms_norm(y, (14,)),
    "group_norm": lambda y, _: F.group_norm(y, 2),
    "mse_loss": F.mse_loss,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_keeps_what_autograd_saves(name: str) -> None:
    torch.manual_seed(0)
    model = Net(FUNCTIONS[name])
    graph = trace(model.eval(), (3, 16, 16))
    kept = measured_saved(model.train(), torch.rand(1, 3, 16, 16))
    assert saved_for_backward(graph) == kept
