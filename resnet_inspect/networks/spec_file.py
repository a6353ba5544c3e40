"""A ResNetSpec from a TOML file: its fields, and optionally `base`, a network of the zoo to change.

base = "resnet50"
blocks = [2, 2, 2, 2]
shortcut = "D"

`base` may have fields in brackets (naming.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from resnet_inspect.errors import FormatError, InspectError, shown
from resnet_inspect.files import read_toml
from resnet_inspect.networks.spec import FIELDS, ResNetSpec


def read(path: str | Path, base_named: Callable[[str], ResNetSpec]) -> ResNetSpec:
    """The spec that a file describes, named after the file unless it gives a name.

    base_named: the network that `base` names. Raises FormatError with the file, the line and the
    key that cannot be used.
    """
    path = Path(path)
    text, fields = read_toml(path, "name a network ('models' lists them) or a TOML file")
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


def _line(text: str, error: InspectError) -> str:
    """', line 4' for the first of an error's fields that the file has; '' if it has none."""
    for field in error.fields:
        alias = FIELDS[field].alias if field in FIELDS else ""
        keys = "|".join(map(re.escape, filter(None, (field, alias))))
        place = re.search(rf"^\s*['\"]?({keys})['\"]?\s*=", text, re.M)
        if place is not None:
            return f", line {text.count(chr(10), 0, place.end()) + 1}"
    return ""
