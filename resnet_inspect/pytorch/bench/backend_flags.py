"""The settings under which times are taken: set for a measurement, recorded, and put back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import backends

from resnet_inspect.counting.dtypes import ARITHMETIC, TORCH_NAMES, canonical_dtype
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import Settings

DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, TORCH_NAMES[canonical_dtype(name)]) for name in ARITHMETIC
}
"""The arithmetic that can be measured, and what tensors hold for it."""


class _Knob(NamedTuple):
    """One of torch's settings. get raises RuntimeError where torch has no single answer."""

    get: Callable[[], Any]
    set: Callable[[Any], None]


def _flag(holder: Any, name: str) -> _Knob:
    return _Knob(lambda: getattr(holder, name), lambda value: setattr(holder, name, value))


def _inherited(holder: Any, parent: Any) -> _Knob:
    """The precision of one kind of operation; 'none' has it follow its parent's."""

    def get() -> str:
        own = str(holder.fp32_precision)
        return "none" if own == parent.fp32_precision else own

    return _Knob(get, lambda value: setattr(holder, "fp32_precision", value))


def _knobs() -> dict[str, _Knob]:
    """Everything that is set, in the order in which it can be put back.

    Since 2.9 torch has a precision for each kind of operation, which also changes the older flags
    and is changed by them; older ones have only the flags.
    """
    knobs = {
        "cudnn.benchmark": _flag(backends.cudnn, "benchmark"),
        "cudnn.deterministic": _flag(backends.cudnn, "deterministic"),
        "cudnn.allow_tf32": _flag(backends.cudnn, "allow_tf32"),
        # Also says what backends.cuda.matmul.allow_tf32 does, and more.
        "matmul.precision": _Knob(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        ),
        "threads": _Knob(torch.get_num_threads, _set_threads),
    }
    if hasattr(backends.cudnn, "conv"):
        for kind in ("conv", "rnn"):
            knobs[f"cudnn.{kind}"] = _inherited(getattr(backends.cudnn, kind), backends.cudnn)
        # backends.cudnn also holds what torch keeps for all that runs on a GPU.
        knobs["cuda.matmul"] = _inherited(backends.cuda.matmul, backends.cudnn)
        for kind in ("conv", "rnn", "matmul"):
            knobs[f"mkldnn.{kind}"] = _inherited(getattr(backends.mkldnn, kind), backends.mkldnn)
    return knobs


def _set_threads(count: int) -> None:
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _wanted(dtype: str, threads: int | None) -> dict[str, Any]:
    tf32 = dtype == "tf32"
    on_gpu = "tf32" if tf32 else "ieee"
    return {
        "cudnn.benchmark": True,
        "cudnn.deterministic": False,
        "cudnn.allow_tf32": tf32,
        "matmul.precision": "high" if tf32 else "highest",
        "threads": threads or torch.get_num_threads(),
        **dict.fromkeys(("cudnn.conv", "cudnn.rnn", "cuda.matmul"), on_gpu),
        **dict.fromkeys(("mkldnn.conv", "mkldnn.rnn", "mkldnn.matmul"), "ieee"),
    }


def _held() -> Settings:
    """What a record says of them."""
    return Settings(
        threads=torch.get_num_threads(),
        cudnn_benchmark=backends.cudnn.benchmark,
        cudnn_deterministic=backends.cudnn.deterministic,
        cudnn_allow_tf32=backends.cudnn.allow_tf32,
        matmul_allow_tf32=backends.cuda.matmul.allow_tf32,
    )


@contextmanager
def settings(dtype: str = "fp32", threads: int | None = None) -> Iterator[Settings]:
    """Tuned convolutions, TF32 only where asked for, this many CPU threads; yields what holds.

    An older flag that contradicted the newer ones before may agree with them afterwards. Raises
    InspectError for a number of threads that cannot be.
    """
    if threads is not None and threads < 1:
        raise InspectError(f"threads is {threads}; give 1 or more")
    knobs = _knobs()
    before = {name: _value(knob) for name, knob in knobs.items()}
    wanted = _wanted(dtype, threads)
    try:
        _set(knobs, wanted)
        yield _held()
    finally:
        _set(knobs, before)


def _value(knob: _Knob) -> Any:
    """None where torch has no single answer: an older flag while newer ones differ."""
    try:
        with warnings.catch_warnings():  # an older way to ask
            warnings.simplefilter("ignore")
            return knob.get()
    except RuntimeError:
        return None


def _set(knobs: dict[str, _Knob], values: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, knob in knobs.items():
            if values[name] is not None:
                knob.set(values[name])
