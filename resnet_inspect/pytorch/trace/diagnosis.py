"""A model's error on meta tensors as one line: which module, which line, what to do."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

from resnet_inspect.errors import InspectError, ShapeError
from resnet_inspect.networks.structure import Frame

_NOT_THEIRS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


class DataDependentError(InspectError):
    """A forward method that looks at the values of tensors, which a traced tensor does not have."""


def explained(error: Exception, frames: Sequence[Frame], model: str) -> InspectError:
    """What went wrong in the innermost of these module calls."""
    frame = frames[-1] if frames else Frame("", model, 0)
    place = f"{model}: {frame.path} ({frame.kind})" if frame.path else model
    if isinstance(error, ShapeError):
        return ShapeError(f"{place} {error}")
    if isinstance(error, InspectError):
        return error
    line = line_of(error)
    where = f"{place}, {line}," if line else place
    # torch says 'meta' of whatever needs values: item(), bool(), numpy(), nonzero(), ..
    if "meta" in str(error).lower():
        leaf = f", or take the module as one layer with --leaf {frame.kind}" if frame.path else ""
        return DataDependentError(
            f"{where} depends on the values of a tensor, so it has no one graph; save what "
            f"torch.export makes of it and name that .pt2 file{leaf}"
        )
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ShapeError(f"{where} fails: {first}")


def line_of(error: BaseException) -> str:
    """file:line of the innermost frame that is neither torch's nor ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THEIRS):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return ""
