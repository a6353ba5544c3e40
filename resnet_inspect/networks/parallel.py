"""Blocks of convolutions that run side by side, and are one convolution when they are folded.

RepVGG (Ding et al. 2021, arXiv 2101.03697, Figure 2) and MobileOne (Vasu et al. 2022, arXiv
2206.04040, Figure 3). Paths are timm's, but that its list of kernels has names of its own.
"""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.design import Builder, Part, Tensor, conv, normalized
from resnet_inspect.networks.gates import squeeze_excite
from resnet_inspect.networks.graph import STEM

PARALLEL = ("repvgg", "mobileone")
"""Kinds of block, and `repvgg` of stem, whose convolutions run side by side."""


def parallel(net: Builder[Tensor], part: Part, path: str, entering: Tensor) -> Tensor:
    """A 1x1, 3x3 convolutions, and the input where the shape stays, each normalized: their sum.

    A part without a 3x3 has further 1x1 in its place.
    """
    spec, kernel, is_stem = part.design, 3 if part.inner else 1, part.kind == STEM
    branches = 1 if is_stem else spec.branches
    sides = {"conv_kxk" + (f"_{n}" if n else ""): kernel for n in range(branches)}
    if kernel > 1:
        sides = {"conv_1x1": 1, **sides}
    kept, total = None, None
    if not part.changes:
        kept = normalized(net, spec, part.leaving, entering, f"{path}.identity")
    bias = ("stem" if is_stem else "residual") in spec.bias
    for name, side in sides.items():
        op = conv(part.entering, part.leaving, side, part.stride, part.groups, bias)
        out = net.add(op, entering, name=f"{path}.{name}.conv")
        out = normalized(net, spec, part.leaving, out, f"{path}.{name}.bn")
        if total is None:
            total = out
        else:  # RepVGG's first sum is a new tensor
            added = ops.Add(spec.block == "mobileone")
            total = net.add(added, total, out, name=f"{path}.add")
    assert total is not None
    if kept is not None:
        total = net.add(ops.Add(), total, kept, name=f"{path}.add")
    if spec.attention != "none" and not (is_stem and spec.block == "mobileone"):
        total = squeeze_excite(net, part, f"{path}.se", part.leaving, total)
    return net.add(spec.act, total, name=f"{path}.{spec.act_path}")
