"""Networks: from any kind of model to its spec, its graph, or a torch module."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeGuard, Union, cast

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks import naming, zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import Inputs, entries, show_input
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec

if TYPE_CHECKING:
    import torch

Model = Union[str, os.PathLike[str], ResNetSpec, LayerGraph, "torch.nn.Module"]
"""A network: a name of the zoo, a TOML file, either with fields changed ('resnet50[stem=deep]'), a
spec, a graph, a torch module, 'package.module:callable' for code that makes one, a .pt2 file, or an
.onnx file."""

_CALLABLE = r"[^\W\d][\w.]*:[^\W\d][\w.]*"


def is_code(model: object) -> bool:
    """Whether a name is of a user's own model: package.module:callable, or a .pt2 file."""
    if not isinstance(model, (str, os.PathLike)):
        return False
    text = os.fspath(model)
    return text.lower().endswith(".pt2") or re.fullmatch(_CALLABLE, text) is not None


def is_onnx(model: object) -> bool:
    """Whether a name is of an .onnx file."""
    return isinstance(model, (str, os.PathLike)) and os.fspath(model).lower().endswith(".onnx")


def has_spec(model: object) -> TypeGuard[str | os.PathLike[str] | ResNetSpec]:
    """Whether a spec describes a model: a name, a TOML file, or a spec itself."""
    named = isinstance(model, (str, os.PathLike, ResNetSpec))
    return named and not is_code(model) and not is_onnx(model)


def list_models(pattern: str = "*", *, family: str | None = None) -> list[str]:
    """Names of the zoo that match a shell pattern, such as 'resnext*'; [] if none does.

    Raises UnknownNameError for the family.
    """
    return zoo.names(pattern, family)


def spec(model: str | os.PathLike[str] | ResNetSpec, **changes: Any) -> ResNetSpec:
    """The spec of a name or a TOML file, with fields changed.

    Raises UnknownNameError, SpecError or FormatError; InspectError for models without a spec.
    """
    if not has_spec(model):
        raise InspectError(f"{_name(model)} has no spec; give a name, a TOML file or a ResNetSpec")
    described = model if isinstance(model, ResNetSpec) else naming.named(model)
    return described.with_changes(changes)


def graph(
    model: Model,
    input_shape: Inputs | None = None,
    *,
    args: Mapping[str, Any] | None = None,
    leaves: Sequence[str] = (),
    **changes: Any,
) -> LayerGraph:
    """The LayerGraph of a network for inputs of (channels, height, width).

    input_shape: by default what the network is published for, or what an .onnx file says. Code,
    modules and .pt2 files are traced, as `trace` does: args are those of a callable, input_shape
    and leaves are as `trace` has them. Raises UnknownNameError, SpecError, FormatError, and
    ShapeError where the input does not fit.
    """
    if is_code(model) or hasattr(model, "named_modules"):
        if changes:
            raise InspectError(
                f"{_name(model)} is traced, so {next(iter(changes))!r} does not apply; "
                "pass args instead"
            )
        if is_code(model):
            from resnet_inspect.pytorch.trace.load import load

            return load(os.fspath(cast("str", model)), input_shape, args, leaves)
        from resnet_inspect.pytorch.trace.load import described

        return described(cast("torch.nn.Module", model), input_shape, leaves)
    if is_onnx(model) and not (changes or args or leaves):
        return _onnx(os.fspath(cast("str", model)), input_shape)
    if is_onnx(model) and changes:
        raise InspectError(
            f"{_name(model)} is a file, so {next(iter(changes))!r} does not apply; change the "
            "network that it was exported from"
        )
    if args or leaves:
        raise InspectError(
            "arguments and leaves are for code that is traced (package.module:callable)"
        )
    shape = checked_shape(input_shape)
    if isinstance(model, LayerGraph):
        if changes or shape not in (None, model.input_shape):
            raise InspectError(
                f"{model.name} is already a graph; change the spec and build the graph again"
            )
        return model
    if not has_spec(model):
        raise InspectError(
            f"a {type(model).__name__} is not a network; give a name, a TOML file, a ResNetSpec, "
            "a LayerGraph or a torch.nn.Module"
        )
    return layer_graph(spec(model, **changes), shape)


def _onnx(path: str, given: Inputs | None) -> LayerGraph:
    try:
        from resnet_inspect.reading import onnx_graph
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise InspectError(
            f"reading {path} needs onnx, which is not installed; pip install onnx"
        ) from None
    return onnx_graph.graph(path, () if given is None else entries(given))


def folded(model: Model, input_shape: Inputs | None = None, **changes: Any) -> LayerGraph:
    """A network as it is exported: batch norm in the weights before it, summed convolutions in one.

    What only exists in training goes, and nothing that inference computes changes. Raises
    InspectError where there is nothing to fold, and as `graph` does.
    """
    from resnet_inspect.networks import folding

    return folding.folded(graph(model, input_shape, **changes))


def graphs(
    models: Sequence[Model | Sequence[Model]], input_shape: Inputs | None = None, **changes: Any
) -> list[LayerGraph]:
    """The graphs of some models, and of those in lists among them."""
    return [graph(model, input_shape, **changes) for model in flat(models)]


def flat(models: Sequence[Model | Sequence[Model]]) -> list[Model]:
    """Some models, and those in lists among them."""
    lists = (model if isinstance(model, (list, tuple)) else (model,) for model in models)
    return list(cast("Iterable[Model]", chain.from_iterable(lists)))  # a str is a sequence too


def several(names: str | Sequence[str]) -> Sequence[str]:
    """Names, of which one may stand for itself."""
    return (names,) if isinstance(names, str) else names


def trace(
    module: torch.nn.Module, input_shape: Inputs | None = None, *, leaves: Sequence[str] = ()
) -> LayerGraph:
    """The LayerGraph of any torch module for inputs of (channels, height, width).

    The module is left as it was. input_shape: a list of shapes for several arguments, a dict for
    arguments by name, (shape, 'int64') for one of another dtype. leaves: names of module classes
    to take as one uncounted layer each, such as one whose control flow depends on the data. Raises
    InspectError.
    """
    from resnet_inspect.pytorch.trace import trace as tracing

    return tracing.trace(module, input_shape, leaves=leaves)


def register_layer(*kinds: type[torch.nn.Module]) -> Callable[[Any], Any]:
    """Teach `trace` a module: decorate a function from it and its input shapes to an op.

        @resnet_inspect.register_layer(MyConv)
        def _(layer, *shapes):
            return Conv2d(layer.cin, layer.cout, (3, 3), padding=(1, 1))

    Shapes are without the batch; ops are those of networks.ops and networks.torch_ops,
    whose Opaque holds bare numbers: Opaque("MyConv", output shape, params=.., macs=..).
    """
    from resnet_inspect.pytorch.trace import trace as tracing

    return tracing.register_layer(*kinds)


def build(
    model: Model,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    features: Iterable[str] = (),
    **changes: Any,
) -> torch.nn.Module:
    """The torch.nn.Module of a network, initialised as published, in train mode.

    device: where it is made ('meta' makes one without memory). features: names of taps (C3),
    modules (layer2) or layers, whose tensors it returns in a dict, leaving out what none of them
    needs. changes: fields of its spec, such as zero_gamma=True. State dict keys are torchvision's,
    or timm's for networks that only timm has. Raises InspectError, also where torch is not
    installed.
    """
    from resnet_inspect.pytorch import assemble

    return assemble.build(
        graph(model, **changes),
        device=device,
        dtype=dtype,
        features=features,
    )


def _as_html(network: LayerGraph) -> str:
    """What a notebook shows of a graph: its table by stage."""
    from resnet_inspect.tables.network import table

    return table(network, "stage")._repr_html_()


LayerGraph._repr_html_ = _as_html


def _name(model: object) -> str:
    if isinstance(model, LayerGraph):
        return model.name
    return str(model) if isinstance(model, (str, os.PathLike)) else type(model).__name__


def checked_shape(given: Inputs | None) -> Shape | None:
    """The one shape that a network of images takes; raises ShapeError for anything else."""
    if given is None:
        return None
    first, *others = entries(given)
    if others or first.name or first.dtype:
        shown = " ".join(f"--input {show_input(entry)}" for entry in (first, *others))
        raise ShapeError(
            f"{shown} is for code that is traced; a network of images takes one shape, such as "
            "3x224x224"
        )
    return first.shape
