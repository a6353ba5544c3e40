"""A recorded torch.fx graph -> LayerGraph: ops by rules, names, wiring; blocks by structure.

Nodes carry `val` and `frames` (recorder.py says what they are); parameters, buffers and constants
are get_attr nodes with `constant`. A call without a rule becomes Opaque, with the
multiply-accumulates that ran in it. What is made of constants alone is a constant, unless it
takes multiply-accumulates: then it is a layer, fed by a Source.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

from resnet_inspect.counting.costs import operations
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.run import Gap, Input, Run
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.structure import Placed, stages
from resnet_inspect.networks.torch_ops import Opaque, Product, Source, View
from resnet_inspect.pytorch.inputs import results
from resnet_inspect.pytorch.trace.calls import (
    Call,
    Constant,
    Recorded,
    called_function,
    first_tensor,
    function_name,
    sample_shape,
)
from resnet_inspect.pytorch.trace.drafts import (
    Draft,
    Feed,
    input_names,
    kept,
    lasts_of,
    named_layers,
)
from resnet_inspect.pytorch.trace.rules import FUNCTION_RULES, as_ops, bind
from resnet_inspect.pytorch.trace.shape_rules import NEW, SPLITS, places


def lower(recorded: Recorded, name: str, inputs: Sequence[Input]) -> LayerGraph:
    """The LayerGraph of what was recorded."""
    lowering = _Lowering(recorded)
    outputs = lowering.run()
    if not outputs:
        raise InspectError(f"{name} gives nothing that torch functions made of its input")
    made = [feed.draft for feed in outputs if feed.draft]
    drafts = kept(lowering.made, made)
    if not drafts:
        raise InspectError(f"{name} computes nothing: its output is its input")
    entering = input_names(inputs, drafts)
    layers = named_layers(drafts, entering)
    names = {draft: layer.name for draft, layer in zip(drafts, layers, strict=True)}
    given = (
        names[source] if isinstance(source, Draft) else entering[source].name
        for source in (feed.source for feed in outputs)
    )
    returned = tuple(dict.fromkeys(given))
    placed = [Placed(layer, draft.frames) for layer, draft in zip(layers, drafts, strict=True)]
    run = Run(
        recorded.tensors,
        {names[draft]: draft.uses for draft in drafts if draft.uses},
        lasts_of(lowering.made, names),
        (*recorded.gaps, *lowering.gaps),
        {names[draft]: draft.called for draft in drafts if draft.called},
    )
    last, own = (layers[-1].name,), len(inputs) == 1 and not inputs[0].dtype
    return LayerGraph(
        name,
        inputs[0].shape,
        stages(placed),
        run=run,
        entering=() if own else tuple(entering.values()),
        returned=() if returned == last else returned,
    )


class _Lowering:
    def __init__(self, recorded: Recorded) -> None:
        self.graph, self.held = recorded.graph, recorded.held
        self.feeds: dict[fx.Node, Feed] = {}
        self.splits: dict[fx.Node, str] = {}
        self.constants: dict[fx.Node, Constant] = {}
        self.made: list[Draft] = []
        self.gaps: list[Gap] = []
        self.used: set[str] = set()
        self.order = {name: at for at, name in enumerate(self.held.params)}
        self.siblings: dict[str, set[str]] = {}
        for name in self.held.params:
            owner = name.rpartition(".")[0]
            while owner:
                self.siblings.setdefault(owner, set()).add(name)
                owner = owner.rpartition(".")[0]

    def run(self) -> list[Feed]:
        """Make the layers, in running order; gives what the outputs are."""
        outputs: list[Feed] = []
        made_by: list[int] = []
        for node in self.graph.nodes:
            if node.op == "placeholder" and "constant" not in node.meta:
                self.feeds[node] = Feed(None, sample_shape(node.meta["val"]), node.meta["input"])
            elif "constant" in node.meta:
                self.constants[node] = node.meta["constant"]
            elif node.op == "call_module":
                self._module(node)
            elif node.op == "call_function":
                self._function(node)
            elif node.op == "output":
                outputs = [self.feeds[source] for source in node.args[0] if source in self.feeds]
            made_by.append(len(self.made))
        for node, feed in self.feeds.items():
            whole = isinstance(node.meta["val"], torch.Tensor)  # else its parts tell
            if feed.draft and whole and node.op != "get_attr":
                last = made_by[min(node.meta.get("last", len(made_by)), len(made_by)) - 1]
                feed.draft.until = max(feed.draft.until, last)
        return outputs

    def _module(self, node: fx.Node) -> None:
        path, sources = str(node.target), node.all_input_nodes
        fed = any(source in self.feeds for source in sources)
        if not fed and node.meta["macs"] == 0:
            given = _made(node, [self.constants[source] for source in sources])
            own = [name for name in node.meta["uses"] if name in self.held.params]
            self.constants[node] = given._replace(params=(*given.params, *own))
            return
        feeds = tuple(map(self._feed, sources))
        ops, where = node.meta["ops"], (path, path)
        self._add(node, where, ops, feeds, node.meta["uses"], function=False)

    def _feed(self, source: fx.Node) -> Feed:
        """What feeds a layer; a constant that does becomes a layer of its own."""
        if source not in self.feeds:
            constant = self.constants.pop(source)
            shape = sample_shape(source.meta["val"])
            names = (*constant.params, *constant.buffers)
            name = function_name(source.target)[0] if source.op == "call_function" else "constant"
            place = names[0] if names else _under(source.meta["frames"][-1].path, name)
            op = Source(shape, *self._entries(constant))
            self._add(source, (place, place), (op,), (), names, function=True)
        return self.feeds[source]

    def _entries(self, constant: Constant) -> tuple[int, int]:
        """Entries of the parameters and of the buffers that a constant is made of."""
        return (
            sum(self.held.params[name] for name in constant.params),
            sum(self.held.buffers[name] for name in constant.buffers),
        )

    def _function(self, node: fx.Node) -> None:
        sources = node.all_input_nodes
        if next(results(node.meta.get("val")), None) is None:
            return  # a size, an assertion
        name, inplace = function_name(node.target)
        inputs = [source for source in sources if source in self.feeds]
        if not inputs and sources and node.meta["macs"] != 0:
            first = bind(node.target, name, tuple(node.args), dict(node.kwargs)).get("input")
            inputs = [first if first in self.constants else sources[0]]
            self._feed(inputs[0])
        if not inputs:
            made_of = [self.constants[source] for source in sources if source in self.constants]
            self.constants[node] = _made(node, made_of)
            return
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
        uses = _made(node, list(call.constants.values()))
        where = self._place(call, name, uses.params)
        self._add(node, where, ops, feeds, (*uses.params, *uses.buffers), function=True)

    def _part(self, node: fx.Node, whole: fx.Node) -> None:
        """One of the tensors that a function gives."""
        feed, shape = self.feeds[whole], sample_shape(node.meta["val"])
        if whole not in self.splits:
            self.feeds[node] = Feed(feed.draft, shape, feed.input)
            return
        name = self.splits[whole]
        along_channels = feed.shape[1:] == shape[1:]
        along = places(whole, whole.all_input_nodes[0], node.args[1])
        op = View("chunk" if along_channels else name, shape, along)
        label = _under(node.meta["frames"][-1].path, name)
        self._add(node, (label, label), (op,), (feed,), (), function=True)

    def _call(self, node: fx.Node, name: str, inplace: bool, inputs: list[fx.Node]) -> Call:
        constants = {
            source: self.constants[source]
            for source in node.all_input_nodes
            if source in self.constants
        }
        params, buffers = self._entries(_made(node, list(constants.values())))
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

    def _place(self, call: Call, name: str, params: Sequence[str]) -> tuple[str, str]:
        """What a function's layer is called, and where its parameters live."""
        used = set(params)
        if used:
            # Layers that share a parameter are told apart by what only one of them uses.
            first = min(used - self.used or used, key=self.order.__getitem__)
            owner = first.rpartition(".")[0]
            # A module of which all is used is its place; else the parameter itself.
            path = owner if owner and self.siblings[owner] == used else first
            return path, path
        label = _under(call.node.meta["frames"][-1].path, _LABELS.get(name, name))
        return label, label

    def _add(
        self,
        node: fx.Node,
        where: tuple[str, str],
        ops: Sequence[Op],
        feeds: tuple[Feed, ...],
        uses: tuple[str, ...],
        function: bool,
    ) -> None:
        """Append the layers of a node: one for each of its ops. where: label and path."""
        (label, path), seen = where, sample_shape(first_tensor(node.meta["val"]))
        ops = self._audited(node, path, ops, feeds, uses)
        for at, op in enumerate(ops):
            shapes = [feed.shape for feed in feeds]
            last = at == len(ops) - 1
            output = seen if last else op.output_shape(*shapes)
            tag = label if last else f"{label}.{op.kind.lower()}"
            own = uses if last or op.params or op.buffers else ()
            how = function, own, _macs(op, feeds, output), called_function(node)
            draft = Draft(tag, path, op, feeds, output, node.meta["frames"], *how)
            self.made.append(draft)
            feeds = (Feed(draft, output),)
        self.used.update(uses)
        self.feeds[node] = Feed(feeds[0].draft, seen, feeds[0].input)

    def _audited(
        self,
        node: fx.Node,
        path: str,
        ops: Sequence[Op],
        feeds: tuple[Feed, ...],
        uses: tuple[str, ...],
    ) -> Sequence[Op]:
        """The ops of a node, or one with the multiply-accumulates that ran, where those differ."""
        ran, seen = node.meta["macs"], sample_shape(first_tensor(node.meta["val"]))
        held = ops[0] if len(ops) == 1 and not set(uses).isdisjoint(self.used) else None
        if isinstance(held, (Opaque, Product)):
            new = sum(self.held.params.get(name, 0) for name in uses if name not in self.used)
            if new or isinstance(held, Opaque):
                ops = (replace(held, params=new),)
        if isinstance(ops[0] if ops else None, Source) or ran is None:
            return ops
        said, inside = 0, feeds
        for op in ops:
            output = seen if op is ops[-1] else op.output_shape(*[feed.shape for feed in inside])
            macs = _macs(op, inside, output)
            said, inside = (-1 if macs is None or said < 0 else said + macs), (Feed(None, output),)
        if said == ran:
            return ops
        if said >= 0 and node.meta.get("taught"):
            self.gaps.append(Gap(node.meta["ops"][-1].kind, path, ran - said))
            return ops
        params, buffers = (sum(getattr(op, each) for op in ops) for each in ("params", "buffers"))
        kind = ops[-1].kind if ops else function_name(node.target)[0]
        return (Opaque(kind, seen, params, buffers, ran),)


def _macs(op: Op, feeds: tuple[Feed, ...], output: Shape) -> int | None:
    """The multiply-accumulates that an op's rule says."""
    counts = operations(op, tuple([feed.shape for feed in feeds]), output)
    return None if counts is None else counts.get("macs", 0)


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


def _made(node: fx.Node, parts: Sequence[Constant]) -> Constant:
    """What a function makes of constants is a constant, of the same parameters."""
    shape = tuple(first_tensor(node.meta["val"]).shape)
    params = tuple(dict.fromkeys(name for part in parts for name in part.params))
    buffers = tuple(dict.fromkeys(name for part in parts for name in part.buffers))
    return Constant(shape, params, buffers)


def _under(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label
