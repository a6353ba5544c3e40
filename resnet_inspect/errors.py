"""Errors that users can fix. Each message is one line: the value, and what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable


class InspectError(ValueError):
    """An argument that cannot be used; the message says why, and what would do.

    fields: the fields of a network's spec that it is about, the first of them above all. The
    command line prints the message as one line and exits with status 2.
    """

    def __init__(self, message: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(shortened(message))
        self.fields = fields


_VALUE = r"""(?<!\w)'[^']*'|(?<!\w)"[^"]*"|\S{120,}"""
"""What a message quotes: text in quotation marks, or a word too long to be one."""


def shortened(message: str) -> str:
    """A message whose long values keep their beginning and their end."""
    return re.sub(_VALUE, lambda match: _cut(match[0]), message)


def shown(value: object) -> str:
    """A value as a message quotes it; a whole number too long to write by its size."""
    try:
        return _cut(repr(value))
    except (ValueError, RecursionError):  # Python writes no numbers of more than 4300 digits
        kind = type(value).__name__
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {kind}"


def _cut(text: str) -> str:
    return text if len(text) < 120 else f"{text[:50]}...{text[-50:]}"


class UnknownNameError(InspectError):
    """A name that is not among the known ones."""


class SpecError(InspectError):
    """A network that cannot be built as described."""


class ShapeError(InspectError):
    """A layer that cannot take the shape it is given."""


class FormatError(InspectError):
    """A file or an option whose text cannot be read."""


def nearest(name: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """The names most like `name`, best first; empty if nothing is like it. Case is ignored."""
    from difflib import get_close_matches  # only on the way to an error

    by_folded = {choice.lower(): choice for choice in reversed(list(choices))}
    close = get_close_matches(name.lower(), by_folded, 3 * count)
    words, number = _split(name.lower())

    def gap(choice: str) -> float:
        other_words, other_number = _split(choice)
        return abs(number - other_number) if other_words == words else math.inf

    # resnet49 is nearer to resnet50 than to resnet44; difflib sees two letters either way.
    return [by_folded[choice] for choice in sorted(close, key=gap)[:count]]


def _split(name: str) -> tuple[str, int]:
    """A name without its digits, and the first number in it (0 for none)."""
    words = re.sub(r"\d", "", name)
    first = re.search(r"\d{1,9}", name)
    return words, int(first[0]) if first else 0


def unknown(
    what: str,
    name: str,
    choices: Iterable[str],
    listing: str = "",
    *,
    fields: tuple[str, ...] = (),
) -> UnknownNameError:
    """An error for a name that is not among `choices`: nearest names, or all if they are few.

    listing: how to see all of them, where they are many. fields: as InspectError has them.
    """
    choices = list(choices)
    close = nearest(name, choices)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif len(choices) > 12 and listing:
        hint = listing
    elif len(choices) <= 40:
        hint = f"choose from {', '.join(choices)}"
    else:
        hint = f"there are {len(choices)}, {choices[0]} among them"
    return UnknownNameError(f"unknown {what} {name!r}; {hint}", fields=fields)


def check_name(what: str, name: str, choices: Collection[str], listing: str = "") -> None:
    """Raise UnknownNameError for a name that is not among `choices`; the rest as `unknown`."""
    if name not in choices:
        raise unknown(what, name, choices, listing)
