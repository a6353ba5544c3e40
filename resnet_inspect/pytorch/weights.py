"""State dicts from one network, or one library, to another.

torchvision's networks and timm's post-activation ones need no renaming: the keys are ours. What
`weight_names` lists does. Whatever the names, a stem is adapted to other channels and a head that
does not fit is left as it is initialised; what happened to each tensor is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from resnet_inspect.errors import InspectError, shown, unknown
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import BatchNorm2d, Conv2d, Linear
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.torch_ops import BatchNorm
from resnet_inspect.pytorch.assemble import build
from resnet_inspect.pytorch.weight_names import (
    LAYOUTS,
    Layout,
    Module,
    State,
    flat_keras,
    from_timm,
    timm_rules,
)

OURS = "torch"
"""The layout of torchvision, of timm's post-activation networks, and of `build`."""

FORMATS = (OURS, *LAYOUTS)


MOST = 6
"""Tensors that a conversion names as changed, dropped or new; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A state dict, and what became of each tensor.

    state: what `load_state_dict` takes, or the other library's tensors by name. kept: names whose
    values are as they were; changed: names with what was done; dropped: names of the source that
    the network has no place for; new: names that start as `build` initialises them.
    """

    state: dict[str, Tensor] = field(repr=False)
    kept: tuple[str, ...]
    changed: Mapping[str, str]
    dropped: tuple[str, ...]
    new: tuple[str, ...]

    def __str__(self) -> str:
        changed = [f"{name}: {what}" for name, what in self.changed.items()]
        told = {"changed": changed, "dropped": self.dropped, "new": self.new}
        lines = [f"kept: {len(self.kept)} tensors"]
        for what, names in told.items():
            lines += [f"{what}: {name}" for name in names[:MOST]]
            if more := len(names[MOST:]):
                lines.append(f"{what}: {more:,} more")
        return "\n".join(lines)


def convert(
    state: Mapping[str, Any], spec: ResNetSpec, to: str = OURS, *, flip_channels: bool = False
) -> Conversion:
    """The state dict of a network for another, for another input or classifier, or layout.

    state: tensors or arrays by name: torchvision's (its RegNets' too), timm's, Keras's
    (layer/tensor) or Caffe's (layer/number of the blob), told apart by their names. to: one of
    FORMATS. The stem's weights are summed over the channels for one channel, and otherwise repeated
    and scaled so that the sum over channels stays, as timm does; flip_channels turns BGR weights
    into RGB, as Keras and Caffe need. Raises InspectError where the state is of another network.
    """
    if to not in FORMATS:
        raise unknown("layout", to, FORMATS)
    graph = layer_graph(spec)
    if to != OURS:
        layout = _fitting(LAYOUTS[to], spec)
        ours = convert(state, spec, flip_channels=flip_channels)
        return _written(layout, ours, graph, spec)
    if not isinstance(state, Mapping):
        raise InspectError(
            f"{shown(state)} is no state dict; give torch.load(FILE), or model.state_dict()"
        )
    tensors = {key: torch.as_tensor(value) for key, value in state.items()}
    source = _layout_of(tensors)
    if source is None:
        return _filled(from_timm(tensors, timm_rules(spec)), graph, {}, flip_channels)
    theirs = _Watched(flat_keras(tensors) if source.name == "keras" else tensors)
    read, told = _read(_fitting(source, spec), theirs, graph, spec)
    made = _filled(read, graph, told, flip_channels)
    return replace(made, dropped=(*made.dropped, *theirs.unread))


class _Watched(dict[str, Tensor]):
    """A state that knows which of its tensors nobody has read."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.unread = dict.fromkeys(state)

    def __getitem__(self, name: str) -> Tensor:
        self.unread.pop(name, None)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.unread.pop(name, None)
        return super().get(name, default)


def _fitting(layout: Layout, spec: ResNetSpec) -> Layout:
    if not layout.fits(spec):
        raise InspectError(f"{spec.name} is not a network that {layout.name} has names for")
    return layout


def _layout_of(state: State) -> Layout | None:
    """The layout whose names a state has; None for torchvision's, timm's and ours."""
    for layout in LAYOUTS.values():
        if layout.mark and any(map(layout.mark.search, state)):
            return layout
    return None


def _modules(graph: LayerGraph) -> list[Module]:
    kinds = {Conv2d: "conv", BatchNorm2d: "norm", Linear: "linear"}
    paths = {layer.path: kinds[type(layer.op)] for layer in graph.layers if type(layer.op) in kinds}
    return [Module(path, kind) for path, kind in paths.items()]


def _read(
    layout: Layout, theirs: State, graph: LayerGraph, spec: ResNetSpec
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Another layout's tensors by our names, and what had to be changed in them."""
    assert layout.read is not None  # timm's is `from_timm`
    read: dict[str, Tensor] = {}
    told: dict[str, str] = {}
    for module in _modules(graph):
        try:
            tensors = layout.read(theirs, module, spec)
        except KeyError as error:
            raise InspectError(
                f"the state has no {error.args[0]}, which {layout.name} calls {module.path} of "
                f"{spec.name}; give the network that the weights are of"
            ) from None
        read.update({f"{module.path}.{key}": value for key, value in tensors.items()})
    # A bias before a norm that ours lacks is the norm's mean less that bias: the same function.
    for conv, norm in _normed(graph).items():
        bias = read.pop(f"{conv.path}.bias", None)
        if bias is None:
            continue
        if conv.op.bias:
            read[f"{conv.path}.bias"] = bias
        elif bias.any():
            read[f"{norm}.running_mean"] = read[f"{norm}.running_mean"] - bias
            told[f"{norm}.running_mean"] = f"less the bias of {conv.path}"
    return read, told


def _normed(graph: LayerGraph) -> dict[Any, str]:
    """The path of the batch norm that reads each convolution."""
    made = {layer.name: layer for layer in graph.layers if isinstance(layer.op, Conv2d)}
    return {
        made[layer.inputs[0]]: layer.path
        for layer in graph.layers
        if isinstance(layer.op, BatchNorm2d) and layer.inputs[0] in made
    }


def _filled(
    read: State, graph: LayerGraph, told: Mapping[str, str], flip_channels: bool
) -> Conversion:
    """A network's state dict with all that fits it, and what became of the rest."""
    fresh = build(graph, device="cpu").state_dict()
    stem = f"{_stem(graph)}.weight"
    state: dict[str, Tensor] = {}
    changed = dict(told)
    new: list[str] = []
    for key, start in fresh.items():
        value = read.get(key)
        if value is not None and key == stem:
            value, what = _adapted(value, start, flip_channels)
            changed |= {key: what} if what else {}
        if value is None or value.shape != start.shape:
            state[key] = start
            if not key.endswith("num_batches_tracked"):
                new.append(key)
        else:
            state[key] = value.to(start.dtype).contiguous()
    if not any(key in read and key not in new for key in fresh):
        raise InspectError(
            f"no tensor of the state fits {graph.name}; give a state dict of torchvision, timm, "
            "Keras (layer/tensor) or Caffe (layer/number)"
        )
    dropped = [
        key
        for key in read
        if (key not in fresh or key in new) and not key.endswith("num_batches_tracked")
    ]
    changed = {key: what for key, what in changed.items() if key not in new}
    kept = [key for key in read if key in fresh and key not in new and key not in changed]
    return Conversion(state, tuple(kept), changed, tuple(dropped), tuple(new))


def _stem(graph: LayerGraph) -> str:
    return next(layer.path for layer in graph.layers if isinstance(layer.op, Conv2d))


def _adapted(weight: Tensor, start: Tensor, flip: bool) -> tuple[Tensor | None, str]:
    """A stem's weights for as many channels as `start` has, and what was done in words."""
    said = []
    if weight.shape[0] != start.shape[0] or weight.shape[2:] != start.shape[2:]:
        return None, ""
    if flip and weight.shape[1] == 3:
        weight = weight.flip(1)
        said.append("channels reversed")
    before, after = weight.shape[1], start.shape[1]
    if before != after and after == 1:
        weight = weight.sum(1, keepdim=True)
        said.append(f"summed over {before} channels")
    elif before != after:
        times = -(-after // before)
        weight = weight.repeat(1, times, 1, 1)[:, :after] * (before / after)
        said.append(f"{before} channels repeated for {after}, times {before}/{after}")
    return weight, ", ".join(said)


def _written(layout: Layout, ours: Conversion, graph: LayerGraph, spec: ResNetSpec) -> Conversion:
    held: dict[str, dict[str, Tensor]] = {}
    for key, value in ours.state.items():
        path, _, name = key.rpartition(".")
        held.setdefault(path, {})[name] = value
    theirs: dict[str, Tensor] = {}
    for module in _modules(graph):
        theirs |= layout.write(held[module.path], module, spec)
    return Conversion(theirs, ours.kept, ours.changed, ours.dropped, ours.new)


def recognise(state: Mapping[str, Any]) -> dict[str, str]:
    """The networks of the zoo whose tensors a state has, each with what cannot be told apart.

    Names and shapes decide, the classifier's rows and the stem's channels aside. They do not say
    where a bottleneck strides (v1 or v1.5): 1x1 and 3x3 have the same shapes. Only the library
    does: Caffe's and Keras's releases stride in the 1x1, torchvision's and timm's in the 3x3.
    Raises InspectError where no network fits.
    """
    tensors = {key: torch.as_tensor(value) for key, value in state.items()}
    source = _layout_of(tensors)
    flat = flat_keras(tensors) if source and source.name == "keras" else tensors
    renamed = cache(partial(from_timm, flat))  # few networks have rules of their own

    def read(spec: ResNetSpec) -> State:
        if source is None:
            return renamed(timm_rules(spec))
        theirs = _Watched(flat)
        made, _ = _read(_fitting(source, spec), theirs, layer_graph(spec), spec)
        return {} if theirs.unread else made  # it has more than this network

    found = {name: _doubt(name, source) for name in zoo.ZOO if _is_of(zoo.spec(name), read)}
    if not found:
        raise InspectError("no network of the zoo has these tensors; 'models' lists them")
    return found


def _is_of(spec: ResNetSpec, read: Callable[[ResNetSpec], State]) -> bool:
    """Whether a state has a network's tensors; read: it by the names that a spec's modules have."""
    graph = layer_graph(spec)
    try:
        state = read(spec)
    except (InspectError, IndexError):  # another layout, other stages
        return False
    held = Counter[str]()
    for name, tensor in state.items():
        held[name.rpartition(".")[0]] += tensor.numel()
    shapes: dict[str, tuple[int, ...]] = {}
    means, others = set[str](), set[str]()
    for layer in graph.layers:
        op = layer.op
        if isinstance(op, Conv2d):
            shapes[layer.path] = (op.out_channels, op.in_channels // op.groups, *op.kernel)
        elif isinstance(op, Linear):
            shapes[layer.path] = (op.out_features, op.in_features)
        elif isinstance(op, (BatchNorm2d, BatchNorm)):
            means.add(layer.path)
        elif op.params:
            others.add(layer.path)
            if held[layer.path] != op.params:
                return False
    averaging = {name.rpartition(".")[0] for name in state if name.endswith(".running_mean")}
    if averaging != means or held.keys() - others != shapes.keys() | means:
        return False
    if not all(
        _alike(tuple(state[f"{path}.weight"].shape), shape, path, graph)
        for path, shape in shapes.items()
    ):
        return False
    return not others or {*state} >= build(graph, device="meta").state_dict().keys()


def _alike(found: tuple[int, ...], shape: tuple[int, ...], path: str, graph: LayerGraph) -> bool:
    if path == graph.output.path:
        return found[1:] == shape[1:]
    if path == _stem(graph):
        return (found[0], *found[2:]) == (shape[0], *shape[2:])
    return found == shape


def _doubt(name: str, source: Layout | None) -> str:
    spec = zoo.spec(name)
    if spec.block != "bottleneck":
        return ""
    if source is not None:
        return source.habit
    return "v1 and v1.5 have the same shapes; torchvision's and timm's weights are of v1.5"
