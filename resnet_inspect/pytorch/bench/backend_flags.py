"""The settings under which times are taken: set for a measurement, recorded, and put back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import backends

from resnet_inspect.counting.dtypes import ARITHMETIC, TORCH_NAMES, canonical_dtype
from resnet_inspect.errors import InspectError, shown
from resnet_inspect.measuring.measurement import Settings

DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, TORCH_NAMES[canonical_dtype(name)]) for name in ARITHMETIC
}
"""The arithmetic that can be measured, and what tensors hold for it."""


_Setting = tuple[Callable[[], Any], Callable[[Any], Any], Any]
"""How to ask for one of torch's settings, how to set it, and what a measurement wants of it."""


def _flag(holder: Any, name: str, wanted: Any) -> _Setting:
    return partial(getattr, holder, name), partial(setattr, holder, name), wanted


def _precision(holder: Any, parent: Any, wanted: str) -> _Setting:
    """The precision of one kind of operation; 'none' has it follow its parent's."""

    def get() -> str:
        own = str(holder.fp32_precision)
        return "none" if own == parent.fp32_precision else own

    return get, partial(setattr, holder, "fp32_precision"), wanted


def _set_threads(count: int) -> None:
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _settings(dtype: str, threads: int | None, repeatable: bool) -> list[_Setting]:
    """Everything that is set, in the order in which it can be put back.

    Since 2.9 torch has a precision for each kind of operation, which also changes the older flags
    and is changed by them; older ones have only the flags. (cudnn.flags and mkldnn.flags cannot be
    entered while the two disagree.)
    """
    tf32 = dtype == "tf32"
    cudnn: Any = backends.cudnn
    mkldnn: Any = backends.mkldnn
    matmul = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    wanted: list[_Setting] = [
        _flag(cudnn, "benchmark", not repeatable),
        _flag(cudnn, "deterministic", repeatable),
        _flag(cudnn, "allow_tf32", tf32),
        # Also says what backends.cuda.matmul.allow_tf32 does, and more.
        (*matmul, "high" if tf32 else "highest"),
        (torch.get_num_threads, _set_threads, threads or torch.get_num_threads()),
    ]
    if hasattr(cudnn, "conv"):
        # backends.cudnn also holds what torch keeps for all that runs on a GPU.
        for holder in (cudnn.conv, cudnn.rnn, backends.cuda.matmul):
            wanted.append(_precision(holder, cudnn, "tf32" if tf32 else "ieee"))
        for holder in (mkldnn.conv, mkldnn.rnn, mkldnn.matmul):
            wanted.append(_precision(holder, mkldnn, "ieee"))
    return wanted


MOST_THREADS = 1024
"""Torch starts as many as it is told, and where the system has not that many, the process ends."""


@contextmanager
def settings(
    dtype: str = "fp32", threads: int | None = None, repeatable: bool = False
) -> Iterator[Settings]:
    """Tuned convolutions, TF32 only where asked for, this many CPU threads; yields what holds.

    repeatable: convolutions that give the same bits every time instead of the fastest.
    An older flag that contradicted the newer ones before may agree with them afterwards. Raises
    InspectError for a number of threads that cannot be.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise InspectError(f"threads is {shown(threads)}; give 1 to {MOST_THREADS}")
    wanted = _settings(dtype, threads, repeatable)
    before = [(put, _value(get)) for get, put, _ in wanted]
    try:
        _set((put, value) for _, put, value in wanted)
        yield Settings(
            threads=torch.get_num_threads(),
            cudnn_benchmark=backends.cudnn.benchmark,
            cudnn_deterministic=backends.cudnn.deterministic,
            cudnn_allow_tf32=backends.cudnn.allow_tf32,
            matmul_allow_tf32=backends.cuda.matmul.allow_tf32,
        )
    finally:
        _set((put, value) for put, value in before if value is not None)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers from this seed on, on the CPU and on the device."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _value(get: Callable[[], Any]) -> Any:
    """None where torch has no single answer: an older flag while newer ones differ."""
    with warnings.catch_warnings(), suppress(RuntimeError):
        warnings.simplefilter("ignore")  # an older way to ask
        return get()
    return None


def _set(values: Iterable[tuple[Callable[[Any], Any], Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for put, value in values:
            put(value)
