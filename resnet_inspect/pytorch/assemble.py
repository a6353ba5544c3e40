"""LayerGraph -> torch.nn.Module.

Each container of the graph's module tree becomes a module that can be called, hooked and replaced:
stages and projections are nn.Sequential; blocks, gates and the network itself are fx.GraphModules
under their own names, with `forward` code that reads as written by hand (`model.layer4[0].code`).
"""

from __future__ import annotations

import copy
import operator
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

import torch
from torch import fx, nn
from torch.nn import functional as F

from resnet_inspect.errors import InspectError
from resnet_inspect.networks import ops, taps, torch_ops
from resnet_inspect.networks.active_norm import ActiveNorm
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph, needed
from resnet_inspect.networks.self_attention import Positions, Windows
from resnet_inspect.networks.wiring import is_chain, residual_ends, sources
from resnet_inspect.pytorch import modules


def _average(op: ops.GlobalAvgPool2d) -> nn.Module:
    pool = nn.AdaptiveAvgPool2d(1)
    return pool if op.keepdim else nn.Sequential(pool, nn.Flatten())


def _convolution(op: torch_ops.Conv) -> nn.Module:
    if op.made_of is not None:
        return modules.FixedConv2d(op)
    made: nn.Module = getattr(nn, op.kind)(*modules.convolution_settings(op))
    return made


def _function(op: torch_ops.Function) -> nn.Module:
    settings = (op.params,) if op.params else (axis + 1 for axis in op.over)
    made: nn.Module = getattr(nn, op.name)(*settings)
    return made


_PADS: dict[str, Callable[[Any], nn.Module]] = {
    "constant": nn.ZeroPad2d,
    "reflect": nn.ReflectionPad2d,
}

MODULES: dict[type[ops.Op], Callable[[Any], nn.Module]] = {
    ops.Conv2d: lambda op: nn.Conv2d(*modules.convolution_settings(op)),
    ops.StandardizedConv2d: modules.StandardizedConv2d,
    ops.ScaledConv2d: modules.ScaledConv2d,
    ops.Multiply: modules.Multiply,
    ops.Gain: modules.Gain,
    ActiveNorm: modules.ActiveNorm,
    ops.BatchNorm2d: lambda op: nn.BatchNorm2d(op.channels),
    ops.FrozenBatchNorm2d: modules.FrozenBatchNorm2d,
    ops.Linear: lambda op: nn.Linear(op.in_features, op.out_features, op.bias),
    ops.MaxPool2d: lambda op: nn.MaxPool2d(op.kernel, op.stride, op.padding, ceil_mode=op.ceil),
    ops.AvgPool2d: lambda op: nn.AvgPool2d(
        op.kernel, op.stride, op.padding, op.ceil, op.count_padding
    ),
    ops.GlobalAvgPool2d: _average,
    ops.ZeroPad: modules.ZeroPadShortcut,
    ops.ReLU: lambda op: nn.ReLU(op.inplace),
    ops.ReLU6: lambda op: nn.ReLU6(op.inplace),
    ops.LeakyReLU: lambda op: nn.LeakyReLU(op.negative_slope, op.inplace),
    ops.ELU: lambda op: nn.ELU(op.alpha, op.inplace),
    ops.GELU: lambda op: nn.GELU(),
    ops.SiLU: lambda op: nn.SiLU(op.inplace),
    ops.Mish: lambda op: nn.Mish(op.inplace),
    ops.Hardswish: lambda op: nn.Hardswish(op.inplace),
    ops.Sigmoid: lambda op: nn.Sigmoid(),
    torch_ops.AdaptivePool: lambda op: getattr(nn, op.type)(op.size),
    torch_ops.Conv: _convolution,
    torch_ops.GroupNorm: lambda op: nn.GroupNorm(op.groups, op.channels),
    torch_ops.LayerNorm: lambda op: nn.LayerNorm(op.size, 1e-6),  # as timm's
    torch_ops.Pad: lambda op: _PADS[op.mode](op.padding),
    torch_ops.BatchNorm: lambda op: getattr(nn, op.type)(op.channels),
    torch_ops.Function: _function,
    torch_ops.Dropout: lambda op: getattr(modules if op.type == "DropPath" else nn, op.type)(op.p),
    Windows: modules.Windows,
    Positions: modules.AddedPositions,
}
"""The torch.nn module of each op."""


def _swap(op: torch_ops.View) -> tuple[int, int]:
    """The two axes of the batch that are in each other's place; one of a single position does not
    tell where it went."""
    went = ((axis, into) for axis, (into, _, _) in enumerate(op.places) if into not in (axis, -1))
    first, second = next(went, (0, 0))
    return first + 1, second + 1


def _order(op: torch_ops.View) -> tuple[int, ...]:
    """The axes of the batch in the order of a view's; of those of a single position, any."""
    went = [into for into, _, _ in op.places]
    single = (axis for axis, into in enumerate(went) if into < 0)
    axes = range(len(op.output))
    return (0, *((went.index(axis) if axis in went else next(single)) + 1 for axis in axes))


def _cut(op: torch_ops.View) -> tuple[tuple[slice, ...]]:
    """What is left of each axis of the batch."""
    starts = (start for _, start, _ in op.places)
    return ((slice(None), *(slice(at, at + n) for at, n in zip(starts, op.output, strict=True))),)


_VIEWS: dict[str, Callable[[torch_ops.View], tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "reshape": lambda op: (torch.reshape, ((-1, *op.output),)),
    "flatten": lambda op: (torch.flatten, (2,)),
    "transpose": lambda op: (torch.transpose, _swap(op)),
    "permute": lambda op: (torch.permute, (_order(op),)),
    "slice": lambda op: (operator.getitem, _cut(op)),
    "select": lambda op: (torch.select, (1, 0)),
    "narrow": lambda op: (torch.narrow, (1, op.places[0][1], op.output[0])),
}

FUNCTIONS: dict[type[ops.Op], Callable[[Any], tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    ops.Add: lambda op: (operator.iadd if op.inplace else operator.add, ()),
    ops.Scale: lambda op: (operator.mul, ()),
    ops.Flatten: lambda op: (torch.flatten, (1,)),
    torch_ops.Arithmetic: lambda op: (getattr(operator, op.function), ()),
    torch_ops.Attention: lambda op: (F.scaled_dot_product_attention, ()),
    torch_ops.MatMul: lambda op: (torch.matmul, ()),
    torch_ops.Reduce: lambda op: (
        getattr(torch, op.function),
        (tuple(axis + 1 for axis in op.over), True),
    ),
    torch_ops.Concat: lambda op: (modules.concatenated, (op.dim + 1,)),
    torch_ops.View: lambda op: _VIEWS[op.function](op),
}
"""Ops that have no module: the function that computes them and its settings."""


def module(op: ops.Op) -> nn.Module:
    """The torch.nn module of an op; ops of `FUNCTIONS` have none."""
    if type(op) not in MODULES:
        raise TypeError(f"no torch module for {op.kind}")
    return MODULES[type(op)](op)


_FREED = re.compile(r";  (?:\w+ = )+None(?=\n|$)")


class Assembled(fx.GraphModule):
    """A GraphModule that prints, copies and pickles as an ordinary module does.

    fx's own pickling traces the code again, which loses the class's name and turns the in-place
    addition into another; its copying loses hooks. Here all that a module has is kept, and the
    code is generated again from the graph.
    """

    __str__ = nn.Module.__repr__

    @property
    def code(self) -> str:
        """The forward pass as one reads it, without what frees tensors on the way."""
        return f"{_FREED.sub('', super().code).strip()}\n"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {key: value for key, value in vars(self).items() if key != "_code"}
        return _unfilled, (type(self).__name__,), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = dict(state)
        graph = kept.pop("_graph")
        super().__setstate__(kept)  # type: ignore[no-untyped-call]
        self.graph = graph  # generates forward

    def __copy__(self) -> Assembled:
        make, arguments, state = self.__reduce__()
        # The same parts in dictionaries of its own: data parallelism fills them with others.
        own = {key: dict(state[key]) for key in ("_parameters", "_buffers", "_modules")}
        copied: Assembled = make(*arguments)
        copied.__setstate__(state | own | {"_graph": copy.deepcopy(self.graph)})
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Assembled:
        make, arguments, state = self.__reduce__()
        # What refers back to this module (a hook, say) finds the copy already there.
        copied: Assembled = memo.setdefault(id(self), make(*arguments))
        copied.__setstate__(copy.deepcopy(state, memo))
        return copied


def _unfilled(name: str) -> Assembled:
    """An Assembled of a class of its own by this name, before it has anything."""
    part = Assembled.__new__(Assembled)
    type(part).__name__ = name
    return part


def assemble(graph: LayerGraph, features: Iterable[str] = ()) -> nn.Module:
    """The module of a graph, with torch's default initialisation.

    features: what it returns in a dict by these names (taps, modules or layers), instead of its
    output; what none of them needs is left out. A graph that has a maker (of a user's own model) is
    left to it. Raises UnknownNameError for a feature.
    """
    if graph.maker is not None:
        if features:
            raise InspectError(
                f"{graph.name} is code of its own, which cannot be cut at features; take "
                "torchvision.models.feature_extraction.create_feature_extractor"
            )
        model: nn.Module = graph.maker()
        return model
    kinds = {block.path: block.kind for block in graph.blocks if block.path}
    tapped: dict[str, str] = {}
    layers = graph.layers
    if features:
        tapped = {name: layer.name for name, layer in taps.tapped(graph, features).items()}
        layers = _untouched(needed(graph, tapped.values()), tapped.values())
    model = _container("", layers, kinds, frozenset(tapped.values()), tapped)
    vars(model).update(network=graph.name, input_shape=graph.input_shape)
    return model


def _untouched(layers: Sequence[Layer], names: Collection[str]) -> tuple[Layer, ...]:
    """Layers that leave the outputs of some as they are: what reads them does not write to them."""
    return tuple(
        layer._replace(op=layer.op.replace(inplace=False))
        if layer.inputs[0] in names and getattr(layer.op, "inplace", False)
        else layer
        for layer in layers
    )


def _container(
    path: str,
    layers: Sequence[Layer],
    kinds: dict[str, str],
    wanted: Collection[str],
    result: Mapping[str, str],
) -> nn.Module:
    """The module at `path`, which runs these layers; wanted, result: as `_forward` has them."""
    inside = len(path) + 1 if path else 0
    children: dict[str, nn.Module] = {}
    calls: list[tuple[str, tuple[Layer, ...]]] = []
    for child, run in groupby(layers, key=lambda layer: layer.path[inside:].split(".")[0]):
        members = tuple(run)
        deeper = any("." in layer.path[inside:] for layer in members)
        if deeper:
            at = members[0].path[: inside + len(child)]
            children[child] = _container(at, members, kinds, wanted, {})
            calls.append((child, members))
            continue
        for layer in members:  # one module called several times in a row is several calls
            if type(layer.op) not in FUNCTIONS and child not in children:
                children[child] = module(layer.op)
            calls.append((child, (layer,)))
    alone = path and path not in kinds and not _within(layers, wanted)
    if alone and _is_chain(calls, children):
        return nn.Sequential(OrderedDict(children))
    other = _KINDS.get(path.rpartition(".")[2], "Part")
    own_name = kinds.get(path) or (other if path else "ResNet")
    return Assembled(children, _forward(calls, wanted, result), class_name=own_name)


def _within(layers: Sequence[Layer], wanted: Collection[str]) -> list[str]:
    """The wanted layers of a container but for its last, whose value it returns anyway."""
    return [layer.name for layer in layers[:-1] if layer.name in wanted] if wanted else []


_KINDS = {"se": "SqueezeExcitation", "self_attn": "SelfAttention"}
"""What containers within a block call themselves, by the last word of their path."""


def _is_chain(calls: list[tuple[str, tuple[Layer, ...]]], children: dict[str, nn.Module]) -> bool:
    """Whether each call takes just what the one before gave, and each is a module of its own."""
    own = sorted(child for child, _ in calls) == sorted(children)
    return own and is_chain([members for _, members in calls])


def _forward(
    calls: list[tuple[str, tuple[Layer, ...]]], wanted: Collection[str], result: Mapping[str, str]
) -> fx.Graph:
    """The fx graph that makes these calls in turn.

    wanted: layers whose values the whole network returns; a container returns those within it
    after its own, in a tuple. result: for the whole, what it returns instead, by the names for it.
    """
    graph = fx.Graph()
    (entering,) = sources(layer for _, members in calls for layer in members)
    values = {entering: graph.placeholder("x" if entering != INPUT else INPUT)}
    for child, members in calls:
        last = members[-1]
        arguments = tuple(values[name] for name in sources(members))
        if len(members) == 1 and type(last.op) in FUNCTIONS:
            function, settings = FUNCTIONS[type(last.op)](last.op)
            # A function takes its inputs as they stand, the same one twice included.
            arguments = tuple(values[source] for source in last.inputs)
            values[last.name] = graph.create_node(
                "call_function", function, arguments + settings, name=child
            )
        else:
            name = last.name.rsplit(".", 1)[-1] if len(members) == 1 else child
            called = graph.create_node("call_module", child, arguments, name=name)
            names = [last.name, *_within(members, wanted)]
            values[last.name] = called
            if len(names) > 1:
                for at, tap in enumerate(names):
                    values[tap] = graph.call_function(operator.getitem, (called, at))
    layers = [layer for _, members in calls for layer in members]
    if result:
        graph.output({name: values[layer] for name, layer in result.items()})
        return graph
    returned = [layers[-1].name, *_within(layers, wanted)]
    graph.output(tuple(values[name] for name in returned) if returned[1:] else values[returned[0]])
    return graph


def initialise(model: nn.Module, graph: LayerGraph) -> None:
    """Initialise as published: He et al. 2015b (arXiv 1502.01852), fan out, for convolutions.

    Batch norm starts as the identity and convolution biases at 0; the classifier keeps torch's
    default, as in torchvision. With `zero_gamma` each residual branch starts at 0 (Goyal et al.
    2017, arXiv 1706.02677, section 5.1): the scale of its last norm, or where the branch ends in a
    convolution (pre-activation) that convolution's weights.
    """
    leaky = [layer.op for layer in graph.layers if isinstance(layer.op, ops.LeakyReLU)]
    kind: Literal["leaky_relu", "relu"] = "leaky_relu" if leaky else "relu"
    slope = leaky[0].negative_slope if leaky else 0.0
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, slope, mode="fan_out", nonlinearity=kind)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    if graph.spec is not None and graph.spec.zero_gamma:
        parameters = dict(model.named_parameters())  # not of all layers, where features cut it
        for end in residual_ends(graph):
            weight = parameters.get(f"{end.path}.weight")
            if weight is not None:
                nn.init.zeros_(weight)


def build(
    graph: LayerGraph,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    features: Iterable[str] = (),
) -> nn.Module:
    """The initialised module of a graph, in train mode, on `device` (default: torch's default).

    features: as `assemble` has them.
    """
    with torch.device(device) if device is not None else torch.device(torch.get_default_device()):
        model = assemble(graph, features)
        if graph.maker is None:  # others' code initialises its own
            initialise(model, graph)
    return model.to(dtype) if dtype is not None else model
