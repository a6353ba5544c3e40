"""How large a picture is on its page, as people write it: 3.3in, 8cm, 7inx9in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from resnet_inspect.errors import InspectError

INCH = 72.0
"""Points."""

LEAST_TEXT = 6.0
"""Points of the smallest letters that can be read on paper."""

LEAST, MOST = INCH / 2, 100 * INCH
"""The shortest and the longest side that is drawn."""

_UNITS = {"in": INCH, "cm": INCH / 2.54, "mm": INCH / 25.4, "pt": 1.0}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(in|cm|mm|pt)").fullmatch


@dataclass(frozen=True, slots=True)
class PageSize:
    """The room for a picture, in points. height: None for what it takes."""

    width: float
    height: float | None = None


def page_size(text: str) -> PageSize:
    """A width, or a width and a height: 3.3in, 8cm, 3.3inx9in. Raises InspectError."""
    lengths = [_LENGTH(part.strip()) for part in re.split("[x×]", text.strip())]
    points = [float(found[1]) * _UNITS[found[2]] for found in lengths if found]
    if len(points) != len(lengths) or len(points) > 2:
        raise InspectError(
            f"{text!r} is no size of a picture; give its width, as in 3.3in or 8cm, "
            "or width and height, as in 7inx9in"
        )
    if not all(LEAST <= side <= MOST for side in points):
        least, most = (f"{side / INCH:g}in" for side in (LEAST, MOST))
        raise InspectError(f"{text!r} is out of bounds; sides are {least} to {most}")
    return PageSize(*points)
