"""What a network does in training alone, and what it starts from: no count depends on it."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.networks.end_choices import EndChoices
from resnet_inspect.networks.spec_field import spec_field

MOST_DROPPED = 0.99
"""More would leave nothing to train."""


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)
class TrainingChoices(EndChoices):
    """The fields of a residual network, those of its training with them:

    block_drop_rate: Zagoruyko & Komodakis 2016 (arXiv 1605.07146), section 2.4. drop_path_rate:
        Huang et al. 2016 (arXiv 1603.09382), section 4. zero_gamma: Goyal et al. 2017 (arXiv
        1706.02677), section 5.1.
    """

    block_drop_rate: float = spec_field(
        0.0,
        "decimal",
        "P",
        "Dropout between a block's two 3x3, as wide ResNets.",
        least=0,
        most=MOST_DROPPED,
        of_block=True,
    )
    drop_path_rate: float = spec_field(
        0.0,
        "decimal",
        "P",
        "Stochastic depth: how often training leaves out the last residual; earlier ones less.",
        least=0,
        most=MOST_DROPPED,
    )
    zero_gamma: bool = spec_field(
        False, "flag", "", "Start every residual at 0, by its last norm or convolution."
    )
    drop_rate: float | None = spec_field(
        None,
        "decimal",
        "P",
        "Dropout before the classifier (by default 0.5 between the three linear of VGG).",
        least=0,
        most=MOST_DROPPED,
    )
