"""LayerGraph: a network as data. Network > stage > block > layer.

A graph lists layers in the order in which they run. Each says what feeds it, so branches, additions
and shortcuts are plain to see; nothing is found by parsing names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from functools import cached_property, wraps
from itertools import chain
from typing import Any, ClassVar, Concatenate, NamedTuple, ParamSpec, TypeVar

from resnet_inspect.errors import ShapeError, unknown
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.run import Input, Run
from resnet_inspect.networks.shapes import Shape, show_shape
from resnet_inspect.networks.spec import ResNetSpec

INPUT = "input"
"""The name of the network's input among a layer's inputs."""

STEM, HEAD = "Stem", "Head"
"""Kinds of the blocks before and after the residual blocks."""


class Facts:
    """Frozen data that remembers what `once` worked out about it; copies start without."""

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]


_Frozen = TypeVar("_Frozen", bound=Facts)
_Settings = ParamSpec("_Settings")
_Fact = TypeVar("_Fact")


def once(
    function: Callable[Concatenate[_Frozen, _Settings], _Fact],
) -> Callable[Concatenate[_Frozen, _Settings], _Fact]:
    """Work a fact about a block or graph out when it is first asked for, and remember it there.

    The fact is shared by all who ask, so a function must return what nobody changes.
    """

    @wraps(function)
    def remembered(about: _Frozen, /, *args: _Settings.args, **settings: _Settings.kwargs) -> _Fact:
        facts: dict[Hashable, _Fact] = about.__dict__.setdefault("facts", {})
        key = (function, args, *settings.items()) if args or settings else function
        if key not in facts:
            facts[key] = function(about, *args, **settings)
        return facts[key]

    return remembered


class Layer(NamedTuple):
    """One call of one op.

    name: unique in the network (a module that is called twice gives two layers).
    path: where its module lives in the assembled model; equal to torchvision's or timm's.
    inputs: names of the layers that feed it, or `INPUT`.
    input_shapes, output_shape: without the batch.
    """

    name: str
    path: str
    op: Op
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape


class Wire(NamedTuple):
    """What feeds a layer, where that is not itself a layer at hand: its name and shape."""

    name: str
    output_shape: Shape


@dataclass(frozen=True)
class Block(Facts):
    """A residual block, or the stem or the head.

    path is the module of the assembled model, or '' for layers that hang off the model itself.
    """

    name: str
    path: str
    kind: str
    layers: tuple[Layer, ...]

    @property
    def output(self) -> Layer:
        return self.layers[-1]

    @property
    def is_stem(self) -> bool:
        return self.kind == STEM

    @property
    def is_head(self) -> bool:
        return self.kind == HEAD

    def repeated(self, name: str) -> Block:
        """This block once more under another name and path, fed by its own output.

        For blocks whose output has the shape of their input: no shape has to be inferred.
        """
        skip, entering = len(self.name), self.output.name
        names = {layer.name: name + layer.name[skip:] for layer in self.layers}
        layers = [
            Layer(
                names[own],
                name + path[skip:],
                op,
                tuple([names.get(source, entering) for source in sources]),
                shapes,
                out,
            )
            for own, path, op, sources, shapes, out in self.layers
        ]
        return Block(name, name, self.kind, tuple(layers))

    def without(self, instead: Mapping[str, str]) -> Block:
        """This block less some layers; instead: what their readers read, by their names."""
        layers = [
            layer._replace(inputs=tuple([instead.get(name, name) for name in layer.inputs]))
            for layer in self.layers
            if layer.name not in instead
        ]
        return Block(self.name, self.path, self.kind, tuple(layers))


@dataclass(frozen=True, eq=False)
class Stage:
    """Consecutive blocks at one resolution (stem, layer1 .., head).

    wired: the blocks that differ. repeats: how many times the last of them runs again, fed by its
    own output; such blocks are named <path>.<number>. Their layers are listed when `blocks` is
    first asked for, so that a network of any depth is made at once. Stages are equal where their
    blocks are.
    """

    name: str
    path: str
    wired: tuple[Block, ...]
    repeats: int = 0

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        blocks = list(self.wired)
        for _ in range(self.repeats):
            blocks.append(blocks[-1].repeated(f"{self.path}.{len(blocks)}"))
        return tuple(blocks)

    @property
    def layers(self) -> Iterator[Layer]:
        return (layer for block in self.blocks for layer in block.layers)

    @property
    def output(self) -> Layer:
        return self.blocks[-1].output

    @property
    def leaving(self) -> Wire:
        """What leaves the stage: its output's name and shape, found without listing `blocks`."""
        last = self.wired[-1]
        name, shape = last.output.name, last.output.output_shape
        if self.repeats:
            number = len(self.wired) + self.repeats - 1
            name = f"{self.path}.{number}{name[len(last.name) :]}"
        return Wire(name, shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stage):
            return NotImplemented
        same = (self.name, self.path) == (other.name, other.path)
        return same and self.blocks == other.blocks

    def __hash__(self) -> int:
        return hash((self.name, self.path, self.blocks))


@dataclass(frozen=True)
class LayerGraph(Facts):
    """A network for one input shape.

    spec: the spec whose network this is, where it was wired from one. maker: makes a new
    torch.nn.Module of a traced network, on torch's default device; None where the ops say all that
    is needed to assemble it. run: what a run of the module showed, where it was traced. None of
    these matters when graphs are compared. entering: the inputs, where the network takes more than
    one, or one that is not of its own dtype; input_shape is then the first one's. returned: the
    names of the layers whose outputs it returns, and of inputs that it hands on, where that is
    more than the last layer's output.
    arguments: the module's arguments that take the inputs, in their order ('images.0' is the first
    of a list, 'batch.image' an entry of a dict); () for its first argument.
    """

    name: str
    input_shape: Shape
    stages: tuple[Stage, ...]
    maker: Callable[[], Any] | None = field(default=None, compare=False, repr=False)
    spec: ResNetSpec | None = field(default=None, compare=False, repr=False)
    run: Run | None = field(default=None, compare=False, repr=False)
    entering: tuple[Input, ...] = ()
    returned: tuple[str, ...] = ()
    arguments: tuple[str, ...] = field(default=(), compare=False, repr=False)

    _repr_html_: ClassVar[Callable[[LayerGraph], str]]
    """What a notebook shows: a table, so the public functions set it from above the tables."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(chain.from_iterable(block.layers for block in self.blocks))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for stage in self.stages for block in stage.blocks)

    @property
    def body(self) -> tuple[Block, ...]:
        """The blocks that are neither stem nor head."""
        return tuple(block for block in self.blocks if not (block.is_stem or block.is_head))

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @property
    def output(self) -> Layer:
        return self.stages[-1].output

    @property
    def inputs(self) -> Mapping[str, Shape]:
        """The shapes of all inputs, by the names that layers have for them."""
        if not self.entering:
            return {INPUT: self.input_shape}
        return {entry.name: entry.shape for entry in self.entering}

    @property
    def shown_inputs(self) -> str:
        """The inputs' shapes as people write them: 3x224x224, or left 3x16x16, right 3x16x16."""
        if len(self.inputs) == 1:
            return show_shape(self.input_shape)
        return ", ".join(f"{name} {show_shape(shape)}" for name, shape in self.inputs.items())

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the layers and inputs that the network returns, in order."""
        return self.returned or (self.output.name,)

    def __repr__(self) -> str:
        shape, blocks = self.shown_inputs, len(self.blocks)
        layers = len(self.layers)
        return f"<LayerGraph {self.name!r}: input {shape}, {blocks} blocks, {layers} layers>"

    def __str__(self) -> str:
        """A heading, and a line for each stage: its blocks by kind, and what leaves it."""
        lines = [f"{self.name}, input {self.shown_inputs}"]
        for stage in self.stages:
            kinds = Counter(block.kind for block in stage.blocks)
            blocks = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
            lines.append(f"  {stage.name:8} {blocks:24} {show_shape(stage.output.output_shape)}")
        return "\n".join(lines)

    def layer(self, name: str) -> Layer:
        """The layer of this name; raises UnknownNameError with the nearest names."""
        try:
            return self.by_name[name]
        except KeyError:
            raise unknown(f"layer of {self.name}", name, self.by_name) from None

    def block(self, name: str) -> Block:
        """The block of this name; raises UnknownNameError with the nearest names."""
        blocks = {block.name: block for block in self.blocks}
        try:
            return blocks[name]
        except KeyError:
            raise unknown(f"block of {self.name}", name, blocks) from None


@once
def unread(graph: LayerGraph) -> tuple[str, ...]:
    """The layers whose result no output of the network depends on, in running order."""
    read = {layer.name for layer in needed(graph, graph.outputs)}
    return tuple(layer.name for layer in graph.layers if layer.name not in read)


def needed(graph: LayerGraph, ends: Iterable[str]) -> tuple[Layer, ...]:
    """The layers that the outputs of some layers are computed from, themselves included."""
    wanted = set(ends)
    kept: list[Layer] = []
    for layer in reversed(graph.layers):
        if layer.name in wanted:
            wanted.update(layer.inputs)
            kept.append(layer)
    return tuple(reversed(kept))


class BlockBuilder:
    """Collects the layers of a block in running order: the one place where shapes are inferred."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._calls: dict[str, int] = {}

    def add(self, op: Op, *inputs: Layer | Wire, name: str, path: str | None = None) -> Layer:
        """Append a layer; path defaults to the name. Raises ShapeError naming the layer.

        Layers of one name are numbered: a block that narrows twice has narrow1 and narrow2.
        """
        path = path or name
        if name in self._calls:
            self._calls[name] += 1
            name = numbered(name, self._calls[name])
        else:
            self._calls[name] = 1
        shapes: tuple[Shape, ...]
        sources: tuple[str, ...]
        if len(inputs) == 1:  # nearly always; a fifth faster
            shapes, sources = (inputs[0].output_shape,), (inputs[0].name,)
        else:
            shapes = tuple([wire.output_shape for wire in inputs])
            sources = tuple([wire.name for wire in inputs])
        try:
            out = op.output_shape(*shapes)
        except ShapeError as error:
            raise ShapeError(f"layer {name} ({op.kind}) {error}") from None
        layer = Layer(name, path, op, sources, shapes, out)
        self._layers.append(layer)
        return layer

    def shape(self, wire: Layer | Wire) -> Shape:
        """The shape of what a layer gives."""
        return wire.output_shape

    def block(self, name: str, path: str, kind: str) -> Block:
        """The block that holds all layers added since the last one."""
        again = {first for first, calls in self._calls.items() if calls > 1}
        layers = tuple(_numbered(self._layers, again) if again else self._layers)
        self._layers, self._calls = [], {}
        return Block(name, path, kind, layers)

    def chain(self) -> Block:
        """The same, of layers that are no module's: named and described by them."""
        return self.block(span(self._layers), "", kinds(self._layers))


def _numbered(layers: Iterable[Layer], again: Set[str]) -> Iterator[Layer]:
    """The layers, with a number for the first of a name that others have as well."""
    for layer in layers:
        inputs = tuple(numbered(name, 1) if name in again else name for name in layer.inputs)
        name = numbered(layer.name, 1) if layer.name in again else layer.name
        yield layer._replace(name=name, inputs=inputs)


def numbered(name: str, number: int) -> str:
    """The name of one of several layers of a name: relu1; fc1_1 where it ends in a digit."""
    return f"{name}{'_' if name[-1].isdigit() else ''}{number}"


def span(layers: Sequence[Layer]) -> str:
    """A name for layers that are no module: from the first to the last, a shared path once."""
    first, last = layers[0].name, layers[-1].name
    if first == last:
        return first
    path, dot, _ = first.rpartition(".")
    return f"{first}..{last.removeprefix(path + dot)}"


def kinds(layers: Iterable[Layer]) -> str:
    """The kinds of some layers, each once: Conv2d-ReLU."""
    return "-".join(dict.fromkeys(layer.op.kind for layer in layers))


def in_network(name: str, input_shape: Shape, error: ShapeError) -> ShapeError:
    """An error about a layer, with the network and its input before it."""
    return ShapeError(f"{name} with input {show_shape(input_shape)}: {error}")
