"""Errors that a user can mend: one line that names the value and a way out."""

from __future__ import annotations

from collections.abc import Iterable


class InspectError(ValueError):
    """Something the caller gave cannot be used; the message says what, and what would do.

    The command line prints the message as one line and exits with status 2.
    """


class UnknownNameError(InspectError):
    """A name that is not among the known ones."""


class SpecError(InspectError):
    """A network that cannot be built as described."""


class ShapeError(InspectError):
    """A layer that cannot take the shape it is given."""


class FormatError(InspectError):
    """A file or an option whose text cannot be read."""


def nearest(name: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """The names most like `name`, best first; none if nothing is like it.

    Case is forgiven. Names that differ in a number alone are ordered by how much it differs, so
    that resnet49 is near resnet50 and not resnet44.
    """
    from difflib import SequenceMatcher  # only on the way to an error

    def likeness(a: str, b: str) -> float:
        return SequenceMatcher(None, a, b).ratio()

    def order(choice: str) -> tuple[float, int, float]:
        words, number = _split(name)
        other_words, other_number = _split(choice)
        return (
            -likeness(words, other_words),
            abs(number - other_number),
            -likeness(name.lower(), choice.lower()),
        )

    close = [choice for choice in choices if likeness(name.lower(), choice.lower()) >= 0.6]
    return sorted(close, key=order)[:count]


def _split(name: str) -> tuple[str, int]:
    """A name without its digits, and the first number in it (0 for none)."""
    digits = "".join(letter if letter.isdigit() else " " for letter in name).split()
    words = "".join(letter for letter in name.lower() if not letter.isdigit())
    return words, int(digits[0][:9]) if digits else 0  # beyond that, no name is near


def unknown(what: str, name: str, choices: Iterable[str], listing: str = "") -> UnknownNameError:
    """An error for a name that is not among `choices`: nearest names, or all if they are few.

    listing: how to see all of them, where they are many.
    """
    choices = list(choices)
    close = nearest(name, choices)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif len(choices) <= 12:
        hint = f"choose from {', '.join(choices)}"
    else:
        hint = listing or f"there are {len(choices)}, {choices[0]} among them"
    return UnknownNameError(f"unknown {what} {name!r}; {hint}")
