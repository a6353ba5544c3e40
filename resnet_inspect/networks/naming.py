"""What people write for a network that this package describes, and what papers call its parts.

    resnet50                          a name of the zoo
    my_network.toml                   a TOML file
    resnet50[shortcut=C,stem=deep]    either of them, with some fields changed

Fields in brackets are those of FIELDS, values as their options on the command line take them. A
comma separates fields where another field follows it: resnet18[blocks=2,2,2,2,shortcut=D].
"""

from __future__ import annotations

import os
import re
from typing import Any

from resnet_inspect.errors import FormatError, InspectError, shown
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import HEAD, STEM, LayerGraph
from resnet_inspect.networks.spec import FIELDS, ResNetSpec, field_named

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")


def named(name: str | os.PathLike[str]) -> ResNetSpec:
    """The spec of a name. A variant is named as it is written, in canonical form.

    Raises UnknownNameError with the nearest names, SpecError, or FormatError.
    """
    text = os.fspath(name)
    base, fields = divide(text)
    if base.lower().endswith(_PICKLES):
        raise FormatError(
            f"{base} would be unpickled, which runs code in it; refused: name the code that makes "
            "the model (package.module:callable), or a .pt2 file that torch.export.save wrote"
        )
    if base.lower().endswith(".toml"):
        return _variant(_read(base), fields, text)
    return _variant(zoo.spec(base), fields, text)


def _read(name: str) -> ResNetSpec:
    """The spec that a TOML file describes, named after the file unless it gives a name.

    Its fields, and optionally `base`, a network of the zoo to change:

        base = "resnet50[stem=deep]"
        blocks = [2, 2, 2, 2]

    Raises FormatError with the file, the line and the key that cannot be used.
    """
    from pathlib import Path  # only where there is TOML: it takes longer than all of this

    from resnet_inspect.files import read_toml

    path = Path(name)
    text, fields = read_toml(path, "name a network ('models' lists them) or a TOML file")
    base = fields.pop("base", None)
    try:
        start = ResNetSpec() if base is None else _base(base)
        return start.with_changes({"name": path.stem, **fields})
    except InspectError as error:
        raise FormatError(f"{path}{_line(text, error)}: {error}") from None


def _base(name: object) -> ResNetSpec:
    if not isinstance(name, str):
        raise FormatError(
            f"base is {shown(name)}; give the name of a network in quotes", fields=("base",)
        )
    try:
        base, fields = divide(name)
        return _variant(zoo.spec(base), fields, name)
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


def divide(text: str) -> tuple[str, str | None]:
    """'resnet50' and 'stem=deep' of 'resnet50[stem=deep]'; None for the fields of other names."""
    base, bracket, fields = text.rstrip().rpartition("[")
    if not bracket or "]" in fields[:-1]:  # a bracket of the path to a file
        return text, None
    if not fields.endswith("]"):
        raise FormatError(
            f"{text!r} lacks the closing bracket; give name[field=value,..], in quotes in a shell"
        )
    return base, fields[:-1]


def _variant(base: ResNetSpec, fields: str | None, text: str) -> ResNetSpec:
    if fields is None:
        return base
    try:
        changes = parse_fields(fields)
        name = f"{base.name}[{show_fields(changes)}]"
        return base.with_changes({"name": name, **changes})
    except InspectError as error:
        raise type(error)(f"{text}: {error}", fields=error.fields) from None


def parse_fields(text: str) -> dict[str, Any]:
    """{'shortcut': 'C', 'blocks': (3, 4)} of 'shortcut=C, blocks=3,4'; raises InspectError."""
    changes: dict[str, Any] = {}
    for part in re.split(r",(?=\s*\w+\s*=)", text):
        key, equals, value = part.partition("=")
        if not equals:
            raise FormatError(f"{part.strip()!r} is not field=value, such as shortcut=C")
        about = field_named(key.strip())
        if about.name in changes:
            raise about.error("is given twice; give it once")
        changes[about.name] = about.parse(value)
    return changes


def show_fields(changes: dict[str, Any]) -> str:
    """The text of fields, as `parse_fields` reads it."""
    return ",".join(f"{name}={field_named(name).show(value)}" for name, value in changes.items())


NAMINGS = ("modules", "paper")
"""What the parts of a network are called by: their modules (layer1), or the paper (conv2_x)."""


def paper_names(graph: LayerGraph) -> dict[str, str]:
    """What He et al. 2015 call a network's stages, blocks and layers, by their own names.

    conv1 is the stem, conv2_x the stage behind it (Table 1) and conv2_1 its first block (section
    4.1); a layer is named in its block, conv2_1.conv1. The paper has no name for the head, and
    layers of the stem keep theirs.
    """
    names: dict[str, str] = {}
    for number, stage in enumerate(graph.stages, 1):
        kinds = {block.kind for block in stage.blocks}
        if kinds == {HEAD}:
            continue
        names[stage.name] = f"conv{number}" if kinds == {STEM} else f"conv{number}_x"
        for at, block in enumerate(stage.blocks if kinds != {STEM} else (), 1):
            name = names.setdefault(block.name, f"conv{number}_{at}")
            for layer in block.layers:
                if layer.name.startswith(f"{block.name}."):
                    names[layer.name] = name + layer.name[len(block.name) :]
    return names
