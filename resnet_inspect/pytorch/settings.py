"""The settings under which times are taken: set for a measurement, recorded, and put back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""The arithmetic that can be measured, and what tensors hold for it."""


def _state() -> dict[str, Any]:
    with warnings.catch_warnings():  # newer releases have a second way to say the same
        warnings.simplefilter("ignore")
        return {
            "cudnn.benchmark": torch.backends.cudnn.benchmark,
            "cudnn.deterministic": torch.backends.cudnn.deterministic,
            "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
            "matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32,
            "threads": torch.get_num_threads(),
        }


def _set(state: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.cudnn.benchmark = state["cudnn.benchmark"]
        torch.backends.cudnn.deterministic = state["cudnn.deterministic"]
        torch.backends.cudnn.allow_tf32 = state["cudnn.allow_tf32"]
        torch.backends.cuda.matmul.allow_tf32 = state["matmul.allow_tf32"]
        if torch.get_num_threads() != state["threads"]:
            torch.set_num_threads(state["threads"])


@contextmanager
def settings(dtype: str = "fp32", threads: int | None = None) -> Iterator[dict[str, Any]]:
    """Tuned convolutions, TF32 only where asked for, this many CPU threads; yields what holds."""
    before = _state()
    tf32 = dtype == "tf32"
    wanted = {
        "cudnn.benchmark": True,
        "cudnn.deterministic": False,
        "cudnn.allow_tf32": tf32,
        "matmul.allow_tf32": tf32,
        "threads": threads or before["threads"],
    }
    try:
        _set(wanted)
        yield _state()
    finally:
        _set(before)
