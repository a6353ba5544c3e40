"""A node of an ONNX graph as its rule sees it, and the rules by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import onnx

from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import Sizes
from resnet_inspect.reading.onnx_values import Value

Known = Op | Sequence[Op] | None
"""What a rule gives: an op, several in a row, or None for what returns its input."""


@dataclass
class Call:
    """A node as its rule sees it.

    attributes: by name. inputs: as the node has them, None where one is left out. output: the
    output's shape, without the batch. params, buffers: entries of what the layer computes with.
    """

    kind: str
    attributes: dict[str, Any]
    inputs: list[Value | None]
    output: Shape
    batch: int
    params: int
    buffers: int

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute's value."""
        return self.attributes.get(name, default)

    @property
    def feeds(self) -> list[Value]:
        """The inputs that come from the network's input."""
        return [value for value in self.inputs if value is not None and value.source is not None]

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of `feeds`, without the batch."""
        return [value.sample(self.batch) for value in self.feeds]

    @property
    def shape(self) -> Shape:
        return self.shapes[0]

    @property
    def axes(self) -> Sizes:
        """Which axis of ours each of the file's axes of the first input is, the batch being 0."""
        return self.feeds[0].axes

    def axis(self, default: int = 0) -> int:
        """The attribute `axis` as an axis of ours."""
        return self.axes[int(self.get("axis", default))]

    def constant(self, place: int) -> Value | None:
        """The input at this place, if it is there and constant."""
        value = self.inputs[place] if place < len(self.inputs) else None
        return value if value is not None and value.source is None else None

    def numbers(self, place: int, name: str) -> tuple[Any, ...] | None:
        """Settings that older operators have as an attribute, and newer ones as an input."""
        if name in self.attributes:
            value = self.attributes[name]
            return tuple(value) if isinstance(value, (list, tuple)) else (value,)
        given = self.constant(place)
        return None if given is None or given.data is None else tuple(given.data.ravel().tolist())


Rule = Callable[[Call], Known]

_R = TypeVar("_R", bound=Rule)

RULES: dict[str, Rule] = {}
"""Rules by operator."""


def rule(names: str) -> Callable[[_R], _R]:
    """Add a rule for operators of these names."""

    def register(function: _R) -> _R:
        RULES.update(dict.fromkeys(names.split(), function))
        return function

    return register


_PLACES = {
    "ConvInteger PRelu RMSNormalization SimplifiedLayerNormalization": (1,),
    "BatchNormalization Conv ConvTranspose FusedConv GroupNormalization LayerNormalization": (1, 2),
    "GRU RNN": (1, 2, 3),
    "LSTM": (1, 2, 3, 7),
    "Gather": (0,),
    "Einsum Gemm": (0, 1, 2),
    "MatMul MatMulInteger": (0, 1),
    "DeformConv": (1, 3),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
}
WEIGHTS = {name: places for names, places in _PLACES.items() for name in names.split()}
"""Where operators have their weights: what stands there is learned whoever made the file."""


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name, text as str; graphs are left out."""
    made = {}
    for attribute in node.attribute:
        if not attribute.HasField("g"):
            value = onnx.helper.get_attribute_value(attribute)
            made[attribute.name] = (
                value.decode("utf-8", "replace") if type(value) is bytes else value
            )
    return made


def captured_names(node: onnx.NodeProto) -> list[str]:
    """What the graphs inside of a node read and do not make."""
    names: list[str] = []
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            made = {name for inner in graph.node for name in inner.output}
            made.update(value.name for value in graph.input)
            for inner in graph.node:
                names += [n for n in (*inner.input, *captured_names(inner)) if n and n not in made]
            names += [tensor.name for tensor in graph.initializer]
    return list(dict.fromkeys(names))
