"""State dicts of other libraries, keyed as ours.

torchvision's networks and most of timm's need nothing: the keys are the same. timm's other families
name modules in ways of their own; `_rules` says what each name is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from resnet_inspect.networks.spec import ResNetSpec

_STAGES = (
    r"^stages\.(\d+)\.(?:blocks\.)?(\d+)\.",  # resnetv2, nf_resnet, resnet33ts, ..: from 0
    r"^s(\d+)\.b(\d+)\.",  # regnet: from 1
)

# What a key has -> what it has here. Rules apply one after another.
_PARTS: tuple[tuple[str, str], ...] = (
    (r"^layer0\.", "stem."),  # legacy_
    (r"\b(se_module|attn_last|attn(?=\.(fc[12]|conv|conv_attn|mlp_add)\.))\.", "se."),
    (r"^(last_linear|head\.fc)\.", "fc."),
    (r"\.norm(\d)\.", r".bn\1."),  # resnetv2
    (r"\.(conv|bn)s\.(\d)\.", r".\g<1>2_\2."),  # res2net
    (r"\.paths\.(\d)\.", r".path\1."),  # skresnet
    (r"\.conv(\d)_(?:1x1|kxk)\.", r".conv\1."),  # resnet33ts, resnet50_clip
    (r"\.shortcut\.(?:conv\.(?=conv|bn))?", ".downsample."),
)


def _rules(spec: ResNetSpec) -> Iterator[tuple[str, str]]:
    yield from _PARTS
    place = 1 if spec.shortcut == "D" else 0  # behind a pool
    yield r"\.downsample\.conv\.", f".downsample.{place}."
    yield r"\.downsample\.bn\.", f".downsample.{place + 1}."
    if spec.attention != "split":  # a module holds a convolution and its norm
        yield r"^(layer\d+\.\d+)\.conv(\d)\.(conv|bn)\.", r"\1.\3\2."
    convolutions = len(spec.stem_strides)
    if convolutions == 1:
        yield r"^stem\.conv1?\.", "conv1."
        yield r"^stem\.bn1?\.", "bn1."
    for number in range(1, convolutions + 1):
        norm = "bn1." if number == convolutions else f"conv1.{3 * number - 2}."
        yield rf"^stem\.(?:bn{number}|conv{number}\.bn)\.", norm
        yield rf"^stem\.conv{number}\.(?:conv\.)?", f"conv1.{3 * number - 3}."


def from_timm(state: Mapping[str, Tensor], spec: ResNetSpec) -> dict[str, Tensor]:
    """timm's state dict of a network, keyed and shaped as ours of this spec.

    timm's resnetv2 has a 1x1 convolution for a classifier; ours is linear.
    """
    rules = tuple(_rules(spec))
    renamed = {}
    for key, value in state.items():
        name = key
        for first, pattern in zip((1, 0), _STAGES, strict=True):
            if found := re.match(pattern, key):
                stage, block = int(found[1]) + first, int(found[2]) + first - 1
                name = f"layer{stage}.{block}.{key[found.end() :]}"
        for theirs, ours in rules:
            name = re.sub(theirs, ours, name)
        renamed[name] = value.flatten(1) if name == "fc.weight" else value
    return renamed
