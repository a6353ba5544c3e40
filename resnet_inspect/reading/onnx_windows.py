"""Windows of ONNX operators that slide: their steps, and the padding of their edges."""

from __future__ import annotations

from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.torch_ops import Pad, Sizes
from resnet_inspect.reading.onnx_calls import Call


def per_axis(call: Call, axes: int) -> tuple[Sizes, Sizes]:
    """Strides and dilations."""
    return (
        tuple(call.get("strides", (1,) * axes)),
        tuple(call.get("dilations", (1,) * axes)),
    )


def edges(call: Call, reach: Sizes, stride: Sizes) -> tuple[Sizes, tuple[Op, ...]]:
    """The padding of a window, and the Pad before it where its sides differ."""
    axes, spatial = len(reach), call.shape[-len(reach) :]
    mode = call.get("auto_pad", "NOTSET")
    pads = list(call.get("pads", (0,) * (2 * axes)))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        steps = zip(spatial, reach, stride, strict=True)
        totals = [max(0, (-(-size // step) - 1) * step + far - size) for size, far, step in steps]
        small, large = [total // 2 for total in totals], [-(-total // 2) for total in totals]
        pads = [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
    elif mode == "VALID":
        pads = [0] * (2 * axes)
    before, after = tuple(pads[:axes]), tuple(pads[axes:])
    if before == after:
        return before, ()
    sides = [side for pair in reversed([*zip(before, after, strict=True)]) for side in pair]
    return (0,) * axes, (Pad(tuple(sides)),)
