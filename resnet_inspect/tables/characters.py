"""Characters that do more than show: what steers a terminal, and signs that an encoding may lack.

Names come from other people's files and code. Shown to a reader, a character that moves the cursor,
ends a line or turns the direction of writing is written as its escape, as repr has it.
"""

from __future__ import annotations

import re
import unicodedata

_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # the C0 and C1 controls but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f"  # lines, annotations, tags
    "\ud800-\udfff\ufeff\ufffe\uffff"  # what UTF-8 or XML cannot hold
)
_IN_A_LINE = f"[{_STEERING}\t\n]"
STEERING = f"[{_STEERING}]"
"""A pattern of what steers a terminal, but for tab and line feed; it is seldom looked for."""


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def visible(text: str) -> str:
    """A line of text that does nothing but show: a tab is \\t, an escape \\x1b."""
    return text if text.isprintable() else re.sub(_IN_A_LINE, _escaped, text)


def visible_lines(text: str) -> str:
    """As `visible`, of text that may have lines and tabs."""
    return text if text.isprintable() else re.sub(STEERING, _escaped, text)


def cells(text: str) -> int:
    """The cells of a terminal that a text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shortened(text: str, most: int) -> str:
    """Text of at most so many cells, its middle left out where it is longer."""
    if cells(text) <= most:
        return text
    end = most // 2
    return f"{beginning(text, most - end - 1)}…{beginning(text[::-1], end)[::-1]}"


def beginning(text: str, most: int) -> str:
    """The first characters of a text, of at most so many cells."""
    taken = 0
    for at, char in enumerate(text):
        taken += _cells(char)
        if taken > most:
            return text[:at]
    return text


SIGNS = str.maketrans(
    {
        "×": "x",
        "·": "*",
        "²": "^2",
        "³": "^3",
        "±": "+/-",
        "→": "->",
        "≠": "!=",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "∞": "inf",
        "∥": "||",
        "⌊": "floor(",
        "⌈": "ceil(",
        "…": "~",
        **dict.fromkeys("⌋⌉", ")"),
        **dict.fromkeys("−–—─━", "-"),
        **dict.fromkeys("⎡⎣", "["),
        **dict.fromkeys("⎤⎦", "]"),
        **dict.fromkeys("⎢⎥", "|"),
        **dict.fromkeys("█▉▊▋▌", "#"),
        **dict.fromkeys("▍▎▏", "."),
    }
)
"""The signs of this package, and those of rich, in ASCII."""


def in_ascii(text: str) -> str:
    """As `visible`, with signs in ASCII; other letters stay."""
    return visible(text if text.isascii() else text.translate(SIGNS))
