"""State dicts of other libraries, keyed as ours.

torchvision's ten networks and timm's post-activation ones need nothing: the keys are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_TIMM_PREACT: tuple[tuple[str, str], ...] = (
    # timm's resnetv2 name        ours
    (r"stem\.conv\.", "conv1."),
    (r"stem\.conv1\.", "conv1.0."),
    (r"stem\.norm1\.", "conv1.1."),
    (r"stem\.conv2\.", "conv1.3."),
    (r"stem\.norm2\.", "conv1.4."),
    (r"stem\.conv3\.", "conv1.6."),
    (r"(layer.*)\.norm(\d)\.", r"\1.bn\2."),
    (r"head\.fc\.", "fc."),
)


def from_timm_preact(
    state: Mapping[str, Tensor], average_shortcut: bool = False
) -> dict[str, Tensor]:
    """timm's state dict of a resnetv2 network, keyed and shaped as ours.

    average_shortcut: for the networks of shortcut D (their names end in d or t), whose projection
    stands behind a pool. timm's classifier is a 1x1 convolution; ours is linear.
    """
    place = "1" if average_shortcut else "0"
    renamed = {}
    for key, value in state.items():
        name = re.sub(r"stages\.(\d+)\.blocks\.", lambda m: f"layer{int(m[1]) + 1}.", key).replace(
            "downsample.conv.", f"downsample.{place}."
        )
        for theirs, ours in _TIMM_PREACT:
            name, changed = re.subn(f"^{theirs}", ours, name)
            if changed:
                break
        renamed[name] = value.flatten(1) if name == "fc.weight" else value
    return renamed
