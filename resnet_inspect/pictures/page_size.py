"""How large a picture is on its page, as people write it: 3.3in, 8cm, 7inx9in."""

from __future__ import annotations

import re
from typing import NamedTuple

from resnet_inspect.errors import InspectError

_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}
_LENGTH = rf"(\d+(?:\.\d+)?)({'|'.join(_INCHES)})"
_SIZE = re.compile(rf"{_LENGTH}(?:\s*[x×]\s*{_LENGTH})?")

LEAST_TEXT = 6.0
"""The smallest letters on a page that everybody reads, in points."""

LEAST, MOST = 0.5, 100.0
"""The shortest and longest side that is drawn, in inches."""


class PageSize(NamedTuple):
    """Inches. height: None where it follows from the width."""

    width: float
    height: float | None = None


def page_size(text: str) -> PageSize:
    """A size such as 3.3in, 8cm or 7inx9in; raises InspectError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise InspectError(f"{text!r} is no size; give a width such as 3.3in or 8cm, or 7inx9in")
    wide, tall = (
        float(number) * _INCHES[unit] if number else None
        for number, unit in zip(match.groups()[::2], match.groups()[1::2], strict=True)
    )
    assert wide is not None
    if not all(LEAST <= side <= MOST for side in (wide, tall) if side is not None):
        raise InspectError(f"{text!r} is out of bounds; sides are {LEAST:g}in to {MOST:g}in")
    return PageSize(wide, tall)
