"""The convolutions of each stem."""

from __future__ import annotations

STEM_STRIDES = {
    "7x7": (2,),
    "3x3": (1,),
    "deep": (2, 1, 1),
    "tiered": (2, 1, 1),
    "even": (2, 1, 1),
    "quad": (2, 1, 1, 2),
    "quad2": (2, 1, 1, 2),
    "patch": (1, 1),
    "repvgg": (2,),
    "none": (),
}
"""Strides of the convolutions of each stem, where nothing else is said."""


def stem_channels(kind: str, width: int) -> tuple[int, ...]:
    """Channels that leave each convolution of a stem."""
    if kind in ("quad", "quad2"):
        return width // 8, width // 4, width // 2, width
    if kind in ("deep", "tiered"):
        return 3 * (width // 8) if kind == "tiered" else width // 2, width // 2, width
    return (width,) * len(STEM_STRIDES[kind])
