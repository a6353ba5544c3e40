"""Squeeze-and-excitation, and what other kinds of attention have in common with it."""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.channel_rules import squeezed_channels
from resnet_inspect.networks.design import Design, Module, Part, Tensor, conv

GATES = ("se", "eca", "gc", "cbam")
"""Attention that gates a tensor."""

TWICE = ("cbam",)
"""Attention that runs layers of its own twice, whose parameters count once."""

HIERARCHY = "hierarchy"

PATHS = ("sk", "sk-full", "split", HIERARCHY)
"""Attention that takes the place of a 3x3 convolution, and parts of it that are fed in turn."""

GLOBAL, SIGMOID, SCALE = ops.GlobalAvgPool2d(), ops.Sigmoid(), ops.Scale()
GATE_ACT = ops.ReLU()
"""timm activates gates by ReLU whatever the activation, as the papers do, but for RegNet's."""


def gated_at(spec: Design) -> str:
    """Where the blocks of a network have gates, of the choices of attention_at; '' for nowhere."""
    return spec.attention_at if spec.attention in GATES else ""


def hidden(part: Part, channels: int) -> int:
    """Hidden units of attention."""
    spec = part.design
    channels = part.entering if spec.se_entering else channels
    return squeezed_channels(channels, spec.se_reduction, spec.se_multiple)


def squeeze_excite(module: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """Squeeze-and-excitation (Hu et al. 2017, Figure 3), as 1x1 convolutions like timm's."""
    channels = module.shape(tensor)[0]
    units = hidden(part, channels)
    gate = module.run(
        tensor,
        squeeze=GLOBAL,
        fc1=conv(channels, units, 1, bias=True),
        act=part.design.act if part.design.se_entering else GATE_ACT,
        fc2=conv(units, channels, 1, bias=True),
        gate=SIGMOID,
    )
    return module.add(SCALE, tensor, gate, name="scale")
