"""A ResNetSpec from a TOML file: its fields, and optionally `base`, a network of the zoo to change.

base = "resnet50"
blocks = [2, 2, 2, 2]
shortcut = "D"

`base` may have fields in brackets (naming.py).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from resnet_inspect.errors import FormatError, InspectError, shown
from resnet_inspect.files import read_bytes
from resnet_inspect.networks.spec import FIELDS, ResNetSpec

LARGEST = 1 << 20
"""Bytes of a file; a spec takes some hundred."""


def read(path: str | Path, base_named: Callable[[str], ResNetSpec]) -> ResNetSpec:
    """The spec that a file describes, named after the file unless it gives a name.

    base_named: the network that `base` names. Raises FormatError with the file, the line and the
    key that cannot be used.
    """
    path = Path(path)
    data = read_bytes(path, LARGEST, "name a network ('models' lists them) or a TOML file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{path}{_place(str(error))}") from None
    except ValueError:  # Python reads no numbers of more than 4300 digits
        raise FormatError(f"{path}: a number in it has too many digits") from None
    except RecursionError:
        raise FormatError(f"{path}: lists or tables in it are nested too deeply") from None
    base = fields.pop("base", None)
    try:
        start = ResNetSpec() if base is None else _base(base, base_named)
        return start.with_changes({"name": path.stem, **fields})
    except InspectError as error:
        raise FormatError(f"{path}{_line(text, error)}: {error}") from None


def _base(name: object, base_named: Callable[[str], ResNetSpec]) -> ResNetSpec:
    if not isinstance(name, str):
        raise FormatError(
            f"base is {shown(name)}; give the name of a network in quotes", fields=("base",)
        )
    try:
        return base_named(name)
    except InspectError as error:
        raise FormatError(f"base: {error}", fields=("base",)) from None


def _place(message: str) -> str:
    """', line 3, column 8: expected ..' from tomllib's '.. (at line 3, column 8)'."""
    match = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", message, re.S)
    if match is None:
        return f": {message}"
    return f", {match[2]}: {match[1][0].lower()}{match[1][1:]}"


def _line(text: str, error: InspectError) -> str:
    """', line 4' for the first of an error's fields that the file has; '' if it has none."""
    for field in error.fields:
        alias = FIELDS[field].alias if field in FIELDS else ""
        keys = "|".join(map(re.escape, filter(None, (field, alias))))
        place = re.search(rf"^\s*['\"]?({keys})['\"]?\s*=", text, re.M)
        if place is not None:
            return f", line {text.count(chr(10), 0, place.end()) + 1}"
    return ""
