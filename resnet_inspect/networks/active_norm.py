"""Normalizations that activate as well."""

from __future__ import annotations

from resnet_inspect.networks.torch_ops import GroupNorm


class ActiveNorm(GroupNorm):
    """A norm over groups with learned numbers of its own that bend what it gives.

    EvoNormS0 (Liu et al. 2020, arXiv 2004.02967, Table 1): x * sigmoid(v x) over a group's
    deviation, scaled and shifted. FilterResponseNorm (Singh & Krishnan 2019, arXiv 1911.09737,
    equations 1 and 5): x over a channel's root mean square, scaled, shifted and at least tau.
    activates: whether it has v or tau. epsilon: what is added to the mean square.
    """

    activates: bool = True
    epsilon: float = 1e-5

    @property
    def params(self) -> int:
        return (2 + self.activates) * self.channels
