"""What a layer or a block does to signal and gradient, as one formula each.

For layers of many channels and one width, away from borders; `signal` has the networks as they are.
A relu is one behind a Gaussian of mean 0.
"""

from __future__ import annotations

from math import pi, prod, sqrt

HALVED = 1 - 1 / pi
"""a: the variance of a ReLU's output, of its mean square; the rest is the square of its mean."""


def plain_gradient(init: str) -> float:
    """Mean square of the gradient, from a layer to the one before: half of fan-out x variance.

    1/6 by torch's defaults, 1 by He et al. 2015b (arXiv 1502.01852, section 2.2).
    """
    return 0.5 * (1 / 3 if init == "torch" else 2)


NORMED_GRADIENT = 1 / HALVED
"""The same behind batch norm, however weights start: pi / (pi - 1) (Yang et al. 2019, arXiv
1902.08129)."""

NORMED_VARIANCE = HALVED / 2
"""The variance of a ReLU's output behind batch norm."""


def residual_variance(first: float, blocks: int) -> float:
    """Of pre-activation blocks with batch norm: each adds the variance of its last convolution."""
    return first + HALVED * blocks


def residual_gradient(first: float, blocks: int) -> float:
    """The mean square of the gradient through such blocks, against what enters from behind.

    A block's two batch norms divide by the variances of its input and of its first convolution.
    """
    return prod(1 + 1 / (HALVED * residual_variance(first, before)) for before in range(blocks))


def unnormed_variance(blocks: int) -> int:
    """Of residual blocks without norm by He's initialisation: each doubles it."""
    return 1 << blocks


def alike_residual(blocks: int) -> float:
    """Correlation of two inputs' gradients in residual blocks without norm, each output and input
    taken as orthogonal (Balduzzi et al. 2017, arXiv 1702.08591, theorem 2)."""
    return 0.75**blocks


def alike_residual_normed(blocks: int) -> float:
    """The same with batch norm, to leading order (theorem 3)."""
    return 1 / sqrt(blocks)
