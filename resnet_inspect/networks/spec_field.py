"""SpecField: what one field of a ResNetSpec takes, how it is read from text, and how it is told.

`of_network` and `of_block` declare one where the spec is defined, and its annotation says of which
kind it is; checks, TOML files, inline names and the command line's options read the descriptions
that `described` collects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from resnet_inspect.errors import SpecError, shown, unknown

LARGEST = 2**20
"""No width or size of a real network is near this; it catches slips before they cost gigabytes."""

Kind = Literal["word", "words", "number", "numbers", "decimal", "decimals", "flag"]

_KINDS: Mapping[str, tuple[Kind, str]] = {
    "str": ("word", "KIND"),
    "tuple[str, ...]": ("words", "KIND,.."),
    "int": ("number", "N"),
    "tuple[int, ...]": ("numbers", "N,N,.."),
    "tuple[int, int]": ("numbers", "N,N"),
    "float": ("decimal", "P"),
    "tuple[float, ...]": ("decimals", "R,.."),
    "bool": ("flag", ""),
}
"""What a field takes, and what help shows for a value unless it says better, by its annotation."""

_TYPES: Mapping[Kind, Any] = {
    "word": str,
    "words": str,
    "number": int,
    "numbers": int,
    "decimal": (float, int),
    "decimals": (float, int),
    "flag": bool,
}

# What to give instead of a value that cannot be used: in Python or TOML, and as text.
_VALUES = {
    "word": "a word in quotes",
    "number": "a whole number",
    "decimal": "a number",
    "flag": "true or false",
}
_TEXTS = {**_VALUES, "numbers": "whole numbers and commas", "decimals": "numbers and commas"}

_FRACTIONS = ("decimal", "decimals")

_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


class SpecField(NamedTuple):
    """The description of a field.

    kind: 'word' (one of `choices`; any text if there are none), 'words' (any of `choices`),
    'number' or 'numbers' (whole, `least` to `most`), 'decimal' or 'decimals' (they may have a
    fraction), or 'flag'. default: None if the value follows from other fields. help: one sentence,
    without choices and default; meanings: a few words for a choice. metavar: what help shows for a
    value; example: a value as text. least: by default 1, or 0 where the default is. alias: another
    name of the field. of_block: whether it also describes a residual block by itself.
    """

    name: str
    kind: Kind
    metavar: str
    help: str
    default: Any
    choices: tuple[str, ...] = ()
    meanings: Mapping[str, str] = MappingProxyType({})
    least: float = 1
    most: float = LARGEST
    example: str = ""
    alias: str = ""
    of_block: bool = False

    @property
    def option(self) -> str:
        """The option of the command line: --stem-width."""
        return "--" + self.name.replace("_", "-")

    @property
    def plural(self) -> bool:
        """Whether a value is a tuple."""
        return self.kind in ("words", "numbers", "decimals")

    def parse(self, text: str) -> Any:
        """The value that a text means: (3, 4, 6, 3) for '3,4,6,3', () for 'none', True for 'yes'.

        Choices and bounds are not checked: ResNetSpec does. Raises SpecError.
        """
        text = text.strip()
        if self.kind == "word":
            return text
        if self.plural and text == "none":
            return ()
        if self.kind == "words":
            return tuple(word.strip() for word in text.split(","))
        try:
            if self.kind == "flag":
                return _FLAGS[text.lower()]
            read = float if self.kind in _FRACTIONS else int
            return tuple(map(read, text.split(","))) if self.plural else read(text)
        except (ValueError, KeyError):
            example = f", such as {self.example}" if self.example else ""
            raise self.error(f"is {text!r}; give {_TEXTS[self.kind]}{example}") from None

    def show(self, value: Any) -> str:
        """The text from which `parse` reads the value."""
        if self.plural:
            return ",".join(str(item).removesuffix(".0") for item in value) or "none"
        if self.kind in _FRACTIONS:
            return str(value).removesuffix(".0")
        return str(value).lower() if self.kind == "flag" else str(value)

    def checked(self, value: Any) -> Any:
        """The value, a list as a tuple; raises SpecError or UnknownNameError if it is not allowed.

        Values come from Python and TOML, so their types are checked as well; False means 'none'.
        The default is always allowed, and not checked here.
        """
        if value is False and "none" in self.choices:
            return () if self.plural else "none"
        if self.plural and not isinstance(value, (list, tuple)):
            raise self.error(f"is {value!r}; give a list, such as {self._listed}")
        items: tuple[Any, ...] = tuple(value) if self.plural else (value,)
        kind = _TYPES[self.kind]
        for item in items:
            if not isinstance(item, kind) or (kind is not bool and isinstance(item, bool)):
                if self.plural:
                    raise self.error(f"holds {shown(item)}; give a list, such as {self._listed}")
                raise self.error(f"is {shown(item)}; give {_VALUES[self.kind]}")
            if kind not in (bool, str) and not self.least <= item <= self.most:
                raise self.error(f"has {shown(item)}; allowed are {self.least} to {self.most}")
            if self.choices and item not in self.choices:
                what = f"{self.name} part" if self.plural else self.name
                raise unknown(what, item, self.choices, fields=(self.name,))
        if self.kind in _FRACTIONS:
            items = tuple(map(float, items))
        return items if self.plural else items[0]

    def error(self, message: str) -> SpecError:
        """A SpecError about this field: its name, and the message."""
        return SpecError(f"{self.name} {message}", fields=(self.name,))

    @property
    def _listed(self) -> str:
        """The example as Python and TOML write it: [3, 4, 6, 3]."""
        quote = '"' if self.kind == "words" else ""
        return f"[{', '.join(f'{quote}{item}{quote}' for item in self.example.split(','))}]"


def of_network(
    default: Any, help: str, choices: Sequence[str] | Mapping[str, str] = (), **description: Any
) -> Any:
    """A dataclass field that carries its description; choices: their meanings, if a mapping."""
    meanings = choices if isinstance(choices, Mapping) else {}
    if default == 0 and not isinstance(default, bool):
        description = {"least": 0, **description}
    about = SpecField("", "word", "", help, default, tuple(choices), meanings)
    return field(default=default, metadata={"about": about._replace(**description)})


of_block = partial(of_network, of_block=True)
"""A field that also describes a residual block by itself."""


def described(spec: Any) -> dict[str, SpecField]:
    """The descriptions of a spec's fields by name, in the order in which it declares them."""
    found = {}
    for item in fields(spec):
        kind, metavar = _KINDS[str(item.type).removesuffix(" | None")]
        about: SpecField = item.metadata["about"]
        shown = about.metavar or metavar
        found[item.name] = about._replace(name=item.name, kind=kind, metavar=shown)
    return found
