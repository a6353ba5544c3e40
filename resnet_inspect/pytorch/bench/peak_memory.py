"""The most bytes that a step holds at once: by the allocator on a GPU, by watching on the CPU."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only_

from resnet_inspect.measuring.sampling import Step


class StorageWatch(TorchDispatchMode):
    """Counts the storages that operations make, from when they are made to when they are freed.

    The CPU's allocator keeps no count of its own. What an operation allocates and frees within
    itself is not seen.
    """

    def __init__(self, known: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = 0
        self.peak = 0
        self._alive: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}
        for tensor in known:
            self._watch(tensor)

    def _watch(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive:
            return
        self._alive[key] = weakref.ref(storage), storage.nbytes()
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)

    def _forget_the_freed(self) -> None:
        # Looked up, not called back: Python drops a Ctrl-C that falls into a callback.
        for key, (storage, size) in list(self._alive.items()):
            if storage() is None:
                del self._alive[key]
                self.held -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self._forget_the_freed()
        tree_map_only_(torch.Tensor, self._watch, made)
        return made


def peak_on_cpu(step: Step, known: Sequence[torch.Tensor], steps: int = 1) -> int:
    """Bytes at the peak of an eager step, `known` tensors (weights, the input) among them.

    Of the last of some steps: what an optimizer keeps from one to the next is seen in the first.
    """
    with StorageWatch(known) as watch:
        for _ in range(steps):
            watch.peak = watch.held
            step()
    most: int = watch.peak
    return most


def clear_workspaces() -> None:
    """Free what cuBLAS keeps of memory (32 MiB on Hopper) for each stream that has multiplied."""
    torch._C._cuda_clearCublasWorkspaces()


def peak_on_gpu(step: Step, device: torch.device, captured: bool) -> int:
    """Bytes at the peak of a step; of a CUDA graph, those at its capture, when it takes them.

    As they were asked for, cuBLAS's workspace of one stream among them, without what the allocator
    rounds up.
    """
    if not captured:
        torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    return int(torch.cuda.memory_stats(device)["requested_bytes.all.peak"])
