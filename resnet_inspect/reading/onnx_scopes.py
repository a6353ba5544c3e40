"""Where the nodes of an ONNX graph stand in the modules of the network that was exported.

torch's exporters say so: the newer in each node's metadata, the older in its name
('/layer1/layer1.0/conv1/Conv'). Files of others get their blocks by wiring.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Sequence

import onnx

from resnet_inspect.networks.structure import Frame
from resnet_inspect.reading.onnx_file import printable

ROOT = Frame("", "", 0)

Frames = tuple[Frame, ...]

_MOST = 20_000
"""Characters of metadata that are looked at."""


def frames(nodes: Sequence[onnx.NodeProto]) -> list[Frames]:
    """The modules around each node, the network first."""
    noted = [_noted(node) for node in nodes]
    if any(noted):
        return _completed([each or (ROOT,) for each in noted])
    paths = [_paths(node.name) for node in nodes]
    inside: dict[str, set[str]] = {}
    for chain in paths:
        for at, path in enumerate(chain):
            after = chain[at + 1] if at + 1 < len(chain) else ""
            inside.setdefault(path, set()).add(after[len(path) + 1 :])
    # nn.Sequential numbers its modules, and does nothing else.
    kinds = {
        path: "Sequential" if all(part.isdigit() for part in parts) else "Block"
        for path, parts in inside.items()
    }
    return [(ROOT, *(Frame(path, kinds[path], 0) for path in chain)) for chain in paths]


def _noted(node: onnx.NodeProto) -> Frames:
    """What the metadata of a node says; () if nothing."""
    found = {entry.key.rpartition(".")[2]: entry.value for entry in node.metadata_props}
    scopes, kinds = _words(found.get("name_scopes", "")), _words(found.get("class_hierarchy", ""))
    if not scopes or len(scopes) != len(kinds):
        return ()
    pairs = zip(scopes[:-1], kinds[:-1], strict=True)  # the last is the operation itself
    named = {scope: kind.rpartition(".")[2] for scope, kind in pairs if scope}
    return (ROOT, *(Frame(scope, kind, 0) for scope, kind in named.items()))


def _words(text: str) -> list[str]:
    """The strings of a list of strings; [] for anything else."""
    try:
        value = literal_eval(text) if text and len(text) < _MOST else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [printable(str(word)) for word in value] if isinstance(value, list) else []


def _paths(name: str) -> list[str]:
    """'layer1', 'layer1.0', 'layer1.0.conv1' of '/layer1/layer1.0/conv1/Conv'.

    A part that begins with the one before it takes that one's place.
    """
    if not name.startswith("/"):
        return []
    paths: list[str] = []
    owner = before = ""
    for part in printable(name).split("/")[1:-1]:
        if not before or not part.startswith(f"{before}."):
            owner = f"{paths[-1]}." if paths else ""
        paths.append(owner + part)
        before = part
    return paths


def _completed(chains: list[Frames]) -> list[Frames]:
    """The chains with the modules that the exporter left out: torch.fx's own.

    'layer1.0.conv1' right in 'layer1' stands in 'layer1.0', and so does the addition between two
    such, or behind them.
    """
    implied: set[Frame] = set()
    for at, chain in enumerate(chains):
        full: list[Frame] = []
        for frame in chain:
            parent = full[-1].path if full else ""
            number = re.match(r"\.(\d+)\.", frame.path[len(parent) :])
            if full and parent and number:
                added = Frame(f"{parent}.{number[1]}", "Block", 0)
                implied.add(added)
                full.append(added)
            full.append(frame)
        chains[at] = tuple(full)
    if not implied:
        return chains
    for at in range(1, len(chains)):
        own, before = chains[at], chains[at - 1]
        depth = len(own)
        if len(before) > depth and before[:depth] == own and before[depth] in implied:
            chains[at] = before[: depth + 1]
    return chains
