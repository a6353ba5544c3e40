"""Which blocks of a network attend, and how many positions its maps have."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.networks.design import Part
from resnet_inspect.networks.shapes import Pair
from resnet_inspect.networks.spec import ResNetSpec


def attending(spec: ResNetSpec, stage: int, parts: Sequence[Part], stride: int) -> list[Part]:
    """The blocks of a stage with its self-attention, but for those that repeat the last.

    stride: of what enters the stage.
    """
    kind, _, every = spec.self_attention[stage].partition("/")
    every = every or ("1" if spec.drop_path_rate else "")
    if kind == "none":
        return list(parts if every else parts[:2])
    before, after = (positions(spec, at) for at in (stride, stride * parts[0].stride))
    found = list(parts) if every else list(parts[:2])
    for at in range(int(every or 1) - 1, len(found), int(every or 1)):
        found[at] = found[at]._replace(attends=kind, positions=after if at else before)
    return found


def positions(spec: ResNetSpec, stride: int) -> Pair:
    """Height and width of a map at a stride, of an input of the network's own size."""
    height, width = spec.input_size
    return max(1, height // stride), max(1, width // stride)
