"""A user's model by name: package.module:callable, or a .pt2 file that torch.export.save wrote.

Loading package.module:callable runs the user's own code, which is why it takes this explicit form.
What that code prints goes to stderr, so that stdout has only the command's output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import replace
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import Inputs, entries
from resnet_inspect.pytorch.trace.deep import deeply
from resnet_inspect.pytorch.trace.diagnosis import first_line
from resnet_inspect.pytorch.trace.lazy import has_lazy, initialised
from resnet_inspect.pytorch.trace.pt2 import read
from resnet_inspect.pytorch.trace.trace import trace


def load(
    name: str,
    input_shape: Inputs | None = None,
    args: Mapping[str, Any] | None = None,
    leaves: Sequence[str] = (),
) -> LayerGraph:
    """The graph of the model that a name stands for, with a `maker` of further models of it.

    args: keyword arguments of the callable. Raises InspectError in one line, whatever goes wrong.
    """
    if name.lower().endswith(".pt2"):
        if args:
            raise InspectError(f"{name} is a file, which takes no arguments; drop --args")
        graph = trace(read(name), input_shape, name=Path(name).stem, leaves=leaves)
        return replace(graph, maker=partial(_on_default_device, partial(_program, name)))
    make = partial(_model, name, dict(args or {}))
    with redirect_stdout(sys.stderr):
        model, short = make(), name.rpartition(":")[2]
        if has_lazy(model):
            return described(model, input_shape, leaves, short)
        graph = trace(model, input_shape, name=short, leaves=leaves)
    return replace(graph, maker=partial(_on_default_device, make))


def described(
    model: nn.Module,
    input_shape: Inputs | None = None,
    leaves: Sequence[str] = (),
    name: str | None = None,
) -> LayerGraph:
    """The graph of a module, with a `maker` of copies; a lazy module has run once in them."""
    if input_shape is not None:
        model = initialised(model, entries(input_shape))
    graph = trace(model, input_shape, name=name, leaves=leaves)
    return replace(graph, maker=partial(deeply, partial(deepcopy, model), graph.name))


def _on_default_device(make: Callable[[], nn.Module]) -> nn.Module:
    """A new model; code that cannot run on meta tensors runs on the CPU, and is moved."""
    try:
        return make()
    except (InspectError, RuntimeError, NotImplementedError):
        if torch.get_default_device().type != "meta":
            raise
        with torch.device("cpu"):  # code that looks at the values of its weights
            return make().to("meta")


def _program(path: str) -> nn.Module:
    model: nn.Module = read(path).module()

    def train(mode: bool = True) -> nn.Module:
        if mode:
            raise RuntimeError(f"{path} is an exported program, which has no training mode")
        return model

    # torch refuses even the mode that the program was exported in.
    vars(model).update(train=train, eval=partial(train, False))
    return model


def _model(name: str, args: Mapping[str, Any]) -> nn.Module:
    model = called(name, args)
    if not isinstance(model, nn.Module):
        raise InspectError(f"{name} returns a {type(model).__name__}, not a torch.nn.Module")
    return model


def called(name: str, args: Mapping[str, Any], what: str = "a module") -> Any:
    """What the callable of this name returns; of a module, a copy. what: that in words.

    Raises InspectError in one line, whatever goes wrong.
    """
    module_name, _, attribute = name.partition(":")
    with redirect_stdout(sys.stderr):
        module = _imported(module_name)
        named = reduce(partial(_attribute, name), attribute.split("."), module)
        if isinstance(named, nn.Module) and not args:
            return deeply(partial(deepcopy, named), name)
        if not callable(named):
            raise InspectError(
                f"{name} is a {type(named).__name__}; name a class or function that returns {what}"
            )
        try:
            return named(**args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            shown = ", ".join(f"{key}={value!r}" for key, value in args.items())
            raise InspectError(f"{name}({shown}) fails: {first_line(error)}") from error


def _imported(name: str) -> Any:
    if name.endswith(".py") and Path(name).is_file():
        module = name.removesuffix(".py").removeprefix("./").replace("/", ".")
        raise InspectError(f"{name} is a file; name its module, as an import does: {module}")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise InspectError(
                f"cannot import {error.name!r} here; run where it lies, or install it"
            ) from None
        raise InspectError(f"importing {name} fails: {first_line(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InspectError(f"importing {name} fails: {first_line(error)}") from error


def _attribute(name: str, holder: Any, attribute: str) -> Any:
    if not hasattr(holder, attribute):
        public = [key for key in vars(holder) if not key.startswith("_")]
        raise unknown(f"callable of {name.partition(':')[0]}", attribute, public)
    return getattr(holder, attribute)
