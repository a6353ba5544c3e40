"""A recorded torch.fx graph -> LayerGraph: ops by rules, names, wiring; blocks by structure.

Nodes carry `val` and `frames` (recorder.py says what they are); parameters, buffers and constants
are get_attr nodes with `constant`. A call without a rule becomes Opaque.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.ops import Op, Shape
from resnet_inspect.networks.structure import Frame, Placed, stages
from resnet_inspect.networks.torch_ops import Opaque, View
from resnet_inspect.pytorch.trace.calls import (
    Call,
    Constant,
    Held,
    first_tensor,
    function_name,
    sample_shape,
)
from resnet_inspect.pytorch.trace.rules import FUNCTION_RULES, as_ops, bind
from resnet_inspect.pytorch.trace.shape_rules import NEW, SPLITS, places


@dataclass(frozen=True, slots=True)
class Feed:
    """A tensor on its way: the draft that makes it (None: the input), and its shape."""

    draft: Draft | None
    shape: Shape


@dataclass(eq=False, slots=True)
class Draft:
    """A layer without its name. label: what it is called if nothing else is called so."""

    label: str
    path: str
    op: Op
    inputs: tuple[Feed, ...]
    output: Shape
    frames: tuple[Frame, ...]
    function: bool


def lower(graph: fx.Graph, name: str, input_shape: Shape, held: Held) -> LayerGraph:
    """The LayerGraph of a recorded graph; `held` is the state of its modules."""
    drafts = _Lowering(graph, held).drafts()
    if not drafts:
        raise InspectError(f"{name} computes nothing: its output is its input")
    layers = _layers(drafts)
    placed = [Placed(layer, draft.frames) for layer, draft in zip(layers, drafts, strict=True)]
    return LayerGraph(name, input_shape, stages(placed))


class _Lowering:
    def __init__(self, graph: fx.Graph, held: Held) -> None:
        self.graph, self.held = graph, held
        self.feeds: dict[fx.Node, Feed] = {}
        self.splits: dict[fx.Node, str] = {}
        self.constants: dict[fx.Node, Constant] = {}
        self.made: list[Draft] = []
        self.order = {name: at for at, name in enumerate(held.params)}
        self.siblings: dict[str, set[str]] = {}
        for name in held.params:
            owner = name.rpartition(".")[0]
            while owner:
                self.siblings.setdefault(owner, set()).add(name)
                owner = owner.rpartition(".")[0]

    def drafts(self) -> list[Draft]:
        """The layers that the output depends on, in running order."""
        needed: list[Draft] = []
        for node in self.graph.nodes:
            if node.op == "placeholder" and "constant" not in node.meta:
                self.feeds[node] = Feed(None, sample_shape(node.meta["val"]))
            elif "constant" in node.meta:
                self.constants[node] = node.meta["constant"]
            elif node.op == "call_module":
                self._module(node)
            elif node.op == "call_function":
                self._function(node)
            elif node.op == "output":
                outputs = [self.feeds.get(source) for source in node.all_input_nodes]
                needed = [feed.draft for feed in outputs if feed and feed.draft]
        return _reached(self.made, needed)

    def _module(self, node: fx.Node) -> None:
        path = str(node.target)
        if not any(source in self.feeds for source in node.all_input_nodes):
            own = tuple(name for name in self.held.params if name.startswith(f"{path}."))
            given = _made(node, [self.constants[source] for source in node.all_input_nodes])
            self.constants[node] = Constant(given.shape, (*given.params, *own), given.buffers)
            return
        feeds = tuple(self.feeds[source] for source in node.all_input_nodes)
        self._add(node, path, path, node.meta["ops"], feeds, function=False)

    def _function(self, node: fx.Node) -> None:
        sources = node.all_input_nodes
        if not _gives_tensors(node):
            return  # a size, an assertion
        inputs = [source for source in sources if source in self.feeds]
        if not inputs:
            made_of = [self.constants[source] for source in sources if source in self.constants]
            self.constants[node] = _made(node, made_of)
            return
        name, inplace = function_name(node.target)
        if name in NEW:
            self.constants[node] = _made(node, [])
            return
        first = inputs[0]
        if node.target is operator.getitem and isinstance(first.meta["val"], (tuple, list)):
            self._part(node, first)
            return
        if name in SPLITS:
            self.feeds[node], self.splits[node] = self.feeds[first], name
            return
        call = self._call(node, name, inplace, inputs)
        ops = _ops(call)
        feeds = tuple(self.feeds[source] for source in call.inputs)
        label, path = self._place(call, name)
        self._add(node, label, path, ops, feeds, function=True)

    def _part(self, node: fx.Node, whole: fx.Node) -> None:
        """One of the tensors that a function gives."""
        feed, shape = self.feeds[whole], sample_shape(node.meta["val"])
        if whole not in self.splits:
            self.feeds[node] = Feed(feed.draft, shape)
            return
        name = self.splits[whole]
        along_channels = feed.shape[1:] == shape[1:]
        along = places(whole, whole.all_input_nodes[0], node.args[1])
        op = View("chunk" if along_channels else name, shape, along)
        label = _under(node.meta["frames"][-1].path, name)
        self._add(node, label, label, (op,), (feed,), function=True)

    def _call(self, node: fx.Node, name: str, inplace: bool, inputs: list[fx.Node]) -> Call:
        constants = {
            source: self.constants[source]
            for source in node.all_input_nodes
            if source in self.constants
        }
        whole = _made(node, list(constants.values()))
        params = sum(self.held.params[parameter] for parameter in whole.params)
        buffers = sum(self.held.buffers[buffer] for buffer in whole.buffers)
        held = self.held.by_module.get(node.meta["frames"][-1].path, 0)
        args, kwargs = tuple(node.args), dict(node.kwargs)
        bound = bind(node.target, name, args, kwargs)
        inplace = inplace or bound.get("inplace") is True
        # The same tensor twice is two inputs: all_input_nodes would name it once.
        ordered = [
            leaf
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, fx.Node) and leaf in self.feeds
        ]
        return Call(node, name, inplace, ordered or inputs, constants, bound, params, buffers, held)

    def _place(self, call: Call, name: str) -> tuple[str, str]:
        """What a function's layer is called, and where its parameters live."""
        frame = call.node.meta["frames"][-1].path
        used = {name for constant in call.constants.values() for name in constant.params}
        if used:
            first = min(used, key=self.order.__getitem__)
            owner = first.rpartition(".")[0]
            # A module of which all is used is its place; else the parameter itself.
            path = owner if owner and self.siblings[owner] == used else first
            return path, path
        label = _under(frame, _LABELS.get(name, name))
        return label, label

    def _add(
        self,
        node: fx.Node,
        label: str,
        path: str,
        ops: Sequence[Op],
        feeds: tuple[Feed, ...],
        function: bool,
    ) -> None:
        seen = sample_shape(first_tensor(node.meta["val"]))
        for at, op in enumerate(ops):
            shapes = [feed.shape for feed in feeds]
            last = at == len(ops) - 1
            output = seen if last else op.output_shape(*shapes)
            tag = label if last else f"{label}.{op.kind.lower()}"
            draft = Draft(tag, path, op, feeds, output, node.meta["frames"], function)
            self.made.append(draft)
            feeds = (Feed(draft, output),)
        self.feeds[node] = Feed(feeds[0].draft, seen)


_LABELS = {"mul": "scale", "getitem": "slice"}
"""What a layer of some functions is called."""


def _ops(call: Call) -> tuple[Op, ...]:
    """What a call computes; Opaque where no rule knows."""
    if call.name in FUNCTION_RULES:
        try:
            ops = as_ops(FUNCTION_RULES[call.name].ops(call))
            shapes = call.shapes
            for op in ops:
                shapes = [op.output_shape(*shapes)]
            learned = sum(op.params for op in ops)
            if not ops or (shapes[0] == call.output and learned == call.params):
                return ops
        except (ValueError, KeyError, TypeError, IndexError):
            pass  # a way of calling it that the rule does not know
    frame = call.node.meta["frames"][-1]
    kind = frame.kind if call.params and frame.path else call.name
    return (Opaque(kind, call.output, call.params),)


def _gives_tensors(node: fx.Node) -> bool:
    value = node.meta.get("val")
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return any(isinstance(part, torch.Tensor) for part in parts)


def _made(node: fx.Node, parts: Sequence[Constant]) -> Constant:
    """What a function makes of constants is a constant, of the same parameters."""
    shape = tuple(first_tensor(node.meta["val"]).shape)
    params = tuple(dict.fromkeys(name for part in parts for name in part.params))
    buffers = tuple(dict.fromkeys(name for part in parts for name in part.buffers))
    return Constant(shape, params, buffers)


def _under(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


def _reached(made: Sequence[Draft], outputs: Iterable[Draft]) -> list[Draft]:
    needed: set[Draft] = set()
    waiting = list(outputs)
    while waiting:
        draft = waiting.pop()
        if draft not in needed:
            needed.add(draft)
            waiting.extend(feed.draft for feed in draft.inputs if feed.draft)
    return [draft for draft in made if draft in needed]


def _layers(drafts: Sequence[Draft]) -> list[Layer]:
    """Layers under unique names: numbered where a label is used more than once."""
    alone = Counter(frame for draft in drafts for frame in draft.frames)
    labels = []
    for draft in drafts:
        frame = draft.frames[-1]
        by_module = draft.function and frame.path and alone[frame] == 1
        labels.append(frame.path if by_module else draft.label)
    count, used = Counter(labels), Counter[str]()
    taken = {label for label, times in count.items() if times == 1}
    names: dict[Draft | None, str] = {None: INPUT}
    layers = []
    for draft, label in zip(drafts, labels, strict=True):
        name = label
        while count[label] > 1:
            used[label] += 1
            name = f"{label}{'_' if label[-1].isdigit() else ''}{used[label]}"
            if name not in taken:
                break
        taken.add(name)
        names[draft] = name
        path = label if draft.function and label == draft.frames[-1].path else draft.path
        sources = tuple(names[feed.draft] for feed in draft.inputs)
        shapes = tuple(feed.shape for feed in draft.inputs)
        layers.append(Layer(name, path, draft.op, sources, shapes, draft.output))
    return layers
