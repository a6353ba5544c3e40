"""Blocks without padding, whose positions see patches of the image (BagNet).

(Brendel & Bethge 2019, arXiv 1904.00760.)
"""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.networks.design import Builder, Part, Tensor
from resnet_inspect.networks.shapes import Shape


def unpadded(parts: Sequence[Part], spatial: int) -> list[Part]:
    """The blocks of a stage, of which the first has a 3x3 if `spatial`, and all others a 1x1."""
    windows = ((3 if spatial and not number else 1, 0) for number in range(len(parts)))
    return [part._replace(window=window) for part, window in zip(parts, windows, strict=True)]


def cropped(net: Builder[Tensor], shape: Shape, path: str, tensor: Tensor) -> Tensor:
    """A tensor without the last rows and columns that one of this shape lacks."""
    rows, columns = (a - b for a, b in zip(shape[1:], net.shape(tensor)[1:], strict=True))
    if not rows and not columns:
        return tensor
    from resnet_inspect.networks.torch_ops import Pad

    return net.add(Pad((0, columns, 0, rows)), tensor, name=f"{path}.crop")
