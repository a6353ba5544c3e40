"""The state of the run that is under way, beside the record of its epochs."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from resnet_inspect.files import write_bytes
from resnet_inspect.pytorch.train.run import Learner


class Saved(NamedTuple):
    """Where a run stands behind an epoch. run: which one."""

    run: str
    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]

    def restore(self, of: Learner) -> None:
        """Set a learner of the same run to this state."""
        of.model.load_state_dict(self.model)
        of.optimizer.load_state_dict(self.optimizer)


class Checkpoint(NamedTuple):
    """A file with one Saved, replaced whole; none where there is no record."""

    path: Path | None

    @classmethod
    def beside(cls, record: str | os.PathLike[str] | None) -> Checkpoint:
        return cls(None if record is None else Path(f"{os.fspath(record)}.checkpoint"))

    def load(self) -> Saved | None:
        """What is saved; None where nothing is, or where it cannot be read."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            # Tensors, numbers and words; anything else that a pickle may hold is refused.
            return Saved(**torch.load(self.path, map_location="cpu", weights_only=True))
        except Exception:  # it was damaged, and the run starts again
            return None

    def save(self, of: Learner, run: str, epoch: int) -> None:
        """Save a run behind an epoch; raises OutputError."""
        if self.path is not None:
            buffer = io.BytesIO()
            state = Saved(run, epoch, of.model.state_dict(), of.optimizer.state_dict())
            torch.save(state._asdict(), buffer)
            write_bytes(self.path, buffer.getvalue())

    def drop(self) -> None:
        """Remove it when its run is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
