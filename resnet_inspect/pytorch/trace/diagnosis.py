"""A model's error on meta tensors as one line: which module, which line, what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.structure import Frame

_NOT_THEIRS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


class DataDependentError(InspectError):
    """A forward method that looks at the values of tensors, which a traced tensor does not have."""


def explained(error: BaseException, frames: Sequence[Frame], model: nn.Module) -> InspectError:
    """What went wrong in the innermost of these module calls."""
    kind = type(model).__name__
    frame = frames[-1] if frames else Frame("", kind, 0)
    place = f"{kind}: {frame.path} ({frame.kind})" if frame.path else kind
    if isinstance(error, ShapeError):
        return ShapeError(f"{place} {error}")
    line = line_of(error)
    where = f"{place}, {line}," if line else place
    if isinstance(error, Unfollowed):
        return InspectError(f"{where} {error}; {_advice(frame, model)}")
    if isinstance(error, InspectError):
        return error
    message = said(error)
    if "does not require grad" in message:
        return InspectError(
            f"{where} takes gradients within its forward pass, which are not followed; "
            f"{_advice(frame, model)}"
        )
    reason = _of_values(message)
    if reason is not None:
        return DataDependentError(f"{where} {reason}; {_advice(frame, model)}")
    if "indices" in message.lower() and "scalar type" in message.lower():
        return ShapeError(
            f"{where} takes whole numbers; say so behind the input's shape, such as "
            "--input 16:int64 (in Python input_shape=((16,), 'int64'))"
        )
    first = (message or type(error).__name__).splitlines()[0]
    if not isinstance(error, Exception):
        first = f"{type(error).__name__}: {first}"
    return ShapeError(f"{where} fails: {first}")


class Unfollowed(InspectError):
    """Code that runs and cannot be recorded; the message says what it does."""


_WITHOUT_DATA = re.compile(r"\bmeta\b|\bregister_meta\b", re.IGNORECASE)
"""What torch says where a tensor without memory is not enough."""


def _of_values(message: str) -> str | None:
    """Why tensors without values were not enough, from torch's message; None for other errors."""
    if not _WITHOUT_DATA.search(message) or "expected device meta" in message:
        return None
    operator = re.search(r"\b(\w+)::(\w+)", message)
    if operator is not None and not _depends_on_values(*operator.groups()):
        name = operator.group()
        return f"calls {name}, which torch can run on data only (it has no kernel for meta tensors)"
    return "depends on the values of a tensor, so it has no one graph"


def _depends_on_values(namespace: str, name: str) -> bool:
    """Whether torch says of an operator that its result's shape depends on values."""
    packet = getattr(getattr(torch.ops, namespace, None), name, None)
    if packet is None or namespace != "aten":
        return False
    tags = {tag for overload in packet.overloads() for tag in getattr(packet, overload).tags}
    return bool(tags & {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output})


def _advice(frame: Frame, model: nn.Module) -> str:
    """How to describe what can be described of a model that fails in this module."""
    advice = ["save what torch.export makes of it and name that .pt2 file"]
    if frame.path:
        advice.append(f"take the module as one layer with --leaf {frame.kind}")
    inside = frame.path.partition(".")[0]
    parts = {
        name: sum(tensor.numel() for tensor in part.parameters())
        for name, part in model.named_children()
        if name != inside
    }
    largest = max(parts, key=parts.__getitem__, default="")
    if largest and parts[largest]:
        advice.append(f"describe a part alone, such as its .{largest} (package.module:callable)")
    return ", or ".join(advice)


def said(error: BaseException) -> str:
    """What an error of somebody's code says; '' where asking it fails too."""
    try:
        return str(error).strip()
    except Exception:
        return ""


def line_of(error: BaseException) -> str:
    """file:line of the innermost frame that is neither torch's nor ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THEIRS):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return ""


def first_line(error: BaseException) -> str:
    """An error of somebody's code as one line that names its place."""
    where = line_of(error)
    return f"{named(error)} ({where})" if where else named(error)


def named(error: BaseException) -> str:
    """An error's kind, and the first line of what it says."""
    return ": ".join([type(error).__name__, *said(error).splitlines()[:1]])
