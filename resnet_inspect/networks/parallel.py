"""Blocks of convolutions that run side by side, and are one convolution when they are folded.

RepVGG (Ding et al. 2021, arXiv 2101.03697, Figure 2) and MobileOne (Vasu et al. 2022, arXiv
2206.04040, Figure 3). Paths are timm's, but that its list of kernels has names of its own.
"""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.design import Module, Part, Tensor, conv
from resnet_inspect.networks.gates import squeeze_excite
from resnet_inspect.networks.graph import STEM

PARALLEL = ("repvgg", "mobileone")
"""Kinds of block, and `repvgg` of stem, whose convolutions run side by side."""


def parallel(module: Module[Tensor], part: Part, entering: Tensor) -> Tensor:
    """A 1x1, 3x3 convolutions, and the input where the shape stays, each normalized: their sum.

    A part without a 3x3 has further 1x1 in its place.
    """
    spec, kernel, is_stem = part.design, 3 if part.inner else 1, part.kind == STEM
    branches = 1 if is_stem else spec.branches
    sides = {"conv_kxk" + (f"_{n}" if n else ""): kernel for n in range(branches)}
    if kernel > 1:
        sides = {"conv_1x1": 1, **sides}
    kept = [] if part.changes else [module.normalized(entering, "identity")]
    bias = ("stem" if is_stem else "residual") in spec.bias
    total: list[Tensor] = []
    for name, side in sides.items():
        op = conv(part.entering, part.leaving, side, part.stride, part.groups, bias)
        inner = module.within(name)
        total.append(inner.normalized(inner.add(op, entering, name="conv"), "bn"))
        if len(total) > 1:  # RepVGG's first sum is a new tensor
            total = [module.add(ops.Add(spec.block == "mobileone"), *total)]
    tensor = module.add(ops.Add(), *total, *kept) if kept else total[0]
    if spec.attention != "none" and not (is_stem and spec.block == "mobileone"):
        tensor = squeeze_excite(module.within("se"), part, tensor)
    return module.add(spec.act, tensor, name=spec.act_path)
