"""Lines of the zoo: networks that are merged for inference, as timm's byobnet has them."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import Entry

REPVGG = "Ding et al. 2021, arXiv 2101.03697; timm"
MOBILEONE = "Vasu et al. 2022, arXiv 2206.04040; timm"

_A: dict[str, Any] = {"blocks": (2, 4, 14, 1)}
_B: dict[str, Any] = {"blocks": (4, 6, 16, 1)}
_G4: dict[str, Any] = {"groups": 4}


_BRANCHED: dict[str, Any] = {"stem": "repvgg", "strides": (2, 2, 2, 2)}


def _widths(*factors: float) -> dict[str, Any]:
    base = zip(factors, (64, 128, 256, 512), strict=True)
    return {"widths": tuple(int(factor * width) for factor, width in base)}


def _repvgg(layout: dict[str, Any], early: float, last: float, **more: Any) -> Entry:
    """Multipliers a and b: a factor of the widths of the early stages, and one of the last."""
    fields = {**_BRANCHED, "block": "repvgg", **layout, **_widths(early, early, early, last)}
    return Entry("repvgg", REPVGG, {**fields, **more})


def _mobileone(*factors: float, **more: Any) -> Entry:
    """Each of the paper's blocks is two here, its depthwise and its 1x1 half."""
    fields = {**_BRANCHED, "block": "mobileone", "blocks": (4, 16, 20, 2), **_widths(*factors)}
    return Entry("mobileone", MOBILEONE, {**fields, **more})


MERGED: dict[str, Entry] = {
    "repvgg_a0": _repvgg(_A, 0.75, 2.5, stem_width=48),
    "repvgg_a1": _repvgg(_A, 1, 2.5),
    "repvgg_a2": _repvgg(_A, 1.5, 2.75),
    "repvgg_b0": _repvgg(_B, 1, 2.5),
    "repvgg_b1": _repvgg(_B, 2, 4),
    "repvgg_b1g4": _repvgg(_B, 2, 4, **_G4),
    "repvgg_b2": _repvgg(_B, 2.5, 5),
    "repvgg_b2g4": _repvgg(_B, 2.5, 5, **_G4),
    "repvgg_b3": _repvgg(_B, 3, 5),
    "repvgg_b3g4": _repvgg(_B, 3, 5, **_G4),
    "repvgg_d2se": _repvgg(
        {"blocks": (8, 14, 24, 1)}, 2.5, 5, se_reduction=16, se_multiple=1, input_size=(320, 320)
    ),
    "mobileone_s0": _mobileone(0.75, 1, 1, 2, stem_width=48, branches=4),
    "mobileone_s1": _mobileone(1.5, 1.5, 2, 2.5),
    "mobileone_s2": _mobileone(1.5, 2, 2.5, 4),
    "mobileone_s3": _mobileone(2, 2.5, 3, 4),
    "mobileone_s4": _mobileone(3, 3.5, 3.5, 4, se_reduction=16, attention_blocks=(0, 0, 10, 2)),
}
