"""Ops as plain data, to be kept in a file; and what tells networks of one name apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Op


def settings(op: Op) -> dict[str, Any]:
    """The settings of an op that differ from their defaults, by name."""
    defaults = {field.name: field.default for field in fields(op)}
    return {name: value for name, value in op.settings.items() if value != defaults[name]}


def op_data(op: Op) -> dict[str, Any]:
    """An op of networks.ops in types that JSON has: its class and its settings."""
    return {"op": type(op).__name__, **settings(op)}


def op_from(data: Mapping[str, Any]) -> Op:
    """The op that `op_data` described, lists for tuples; raises InspectError for anything else."""
    values = dict(data)
    name = values.pop("op", None)
    known = {kind.__name__: kind for kind in _kinds(Op)}
    if name not in known:
        raise InspectError(f"{name!r} is not a kind of layer")
    try:
        return known[name](
            **{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        )
    except TypeError as error:
        raise InspectError(f"{name}: {error}") from None


def _kinds(kind: type[Op]) -> Iterator[type[Op]]:
    for child in kind.__subclasses__():
        yield child
        yield from _kinds(child)


def fingerprint(graph: LayerGraph) -> str:
    """A digest of the layers: their names, kinds, settings, inputs and shapes.

    Settings that have their default value do not count, so it stays the same when a kind of layer
    gets another field with a default.
    """
    from hashlib import sha256

    layers = [
        (
            layer.name,
            layer.op.kind,
            sorted(settings(layer.op).items()),
            layer.inputs,
            layer.input_shapes,
            layer.output_shape,
        )
        for layer in graph.layers
    ]
    return sha256(repr(layers).encode()).hexdigest()[:12]
