"""What a forward method sees while it is traced: a device, and values wherever they are known.

Tensors without memory have no values, yet most code that looks at values looks at constants: a step
count in a buffer, `torch.linspace(0, rate, depth).tolist()`, a mask of ones. Such tensors, which no
input went into, are also computed on the CPU as long as they are small, and their values are
answered from there. Of devices there is one, the model's own; all moves are to where things are.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.hooks import RemovableHandle

from resnet_inspect.pytorch.trace.aliases import storage_of
from resnet_inspect.pytorch.trace.diagnosis import Unfollowed
from resnet_inspect.pytorch.trace.meta_copy import Copies

_LARGEST = 1 << 14
"""Entries of one of the model's tensors whose values are kept."""

_LARGEST_MADE = 1 << 18
"""Those of a tensor that its code makes, such as a mask of 512x512."""


def _tensors(value: Any, found: list[Tensor]) -> list[Tensor]:
    """The tensors in arguments; most arguments are tensors and numbers, so no pytree."""
    for part in value:
        if isinstance(part, Tensor):
            found.append(part)
        elif type(part) in (list, tuple):
            _tensors(part, found)
        elif isinstance(part, dict):
            _tensors(part.values(), found)
    return found


class _Values:
    """Values of tensors without memory, by the storages that they are views of."""

    def __init__(self, state: Mapping[int, Tensor]) -> None:
        self.state = state  # the model's tensors, by the storages of their copies
        self.known: dict[int, tuple[Any, Any]] = {}  # both storages live as long as their key
        self.unknown: set[int] = set()

    def has(self, tensor: Tensor) -> bool:
        if not tensor.is_meta:
            return True
        key = storage_of(tensor)
        if key in self.known:
            return True
        own = self.state.get(key)
        if own is None or key in self.unknown or own.numel() > _LARGEST:
            return False
        if own.is_meta or own.layout is not torch.strided:
            return False
        self.learn(tensor, own.detach().to("cpu", copy=True))
        return key in self.known

    def of(self, tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return tensor.detach().cpu()
        _, kept = self.known[storage_of(tensor)]
        own = torch.empty(0, dtype=tensor.dtype, device="cpu")
        return own.set_(kept, tensor.storage_offset(), tensor.size(), tensor.stride())

    def learn(self, tensor: Tensor, value: Tensor) -> None:
        if storage_of(tensor) in self.known:
            return  # written in place, there as here
        if value.stride() != tensor.stride() or tensor.storage_offset():
            laid_out = torch.empty_strided(tensor.shape, tensor.stride(), dtype=value.dtype)
            value = laid_out.copy_(value)
        held = value.untyped_storage()
        if value.dtype == tensor.dtype and held.nbytes() <= 8 * _LARGEST_MADE:
            self.known[storage_of(tensor)] = tensor.untyped_storage(), held

    def forget(self, tensor: Tensor) -> None:
        key = storage_of(tensor)
        self.unknown.add(key)
        self.known.pop(key, None)


class Surroundings(TorchFunctionMode):
    """Answers what traced code asks of devices and of values, around every torch function.

    copies: the model's, which stand in for its own tensors where its code holds those elsewhere (in
    a closure, say). followed: whether what runs now is recorded.
    """

    def __init__(self, device: torch.device, copies: Copies, followed: Callable[[], bool]) -> None:
        super().__init__()
        self.device = device if device.type != "meta" else torch.device("cpu")
        self.values = _Values(copies.tensors)
        self.copies, self.followed = copies.made, followed
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}
        self.constructors = _device_constructors()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs) if kwargs else {}
        if func in _ATTRIBUTES:
            with torch._C.DisableTorchFunction():
                return func(*args, **kwargs)
        asked = getattr(func, "__self__", None)
        if asked in _ASKED:  # x.device and the like
            return _ASKED[asked](self.device)
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            tensors = _tensors(kwargs.values(), _tensors(args, []))
            if self._strange(tensors) or (func in _MOVES and tensors):
                args, kwargs = tree_map_only(Tensor, self.here, (args, kwargs))
                tensors = _tensors(kwargs.values(), _tensors(args, []))
        if func in _MOVES:
            return _MOVES[func](func, args, kwargs)
        if kwargs.get("device") is not None or func in self.constructors:
            if func in _COPIES and tensors:
                return _copied(*args, **kwargs)
            kwargs["device"] = torch.device("meta")
            return self._made(func, args, kwargs)
        in_a_transform = torch._C._functorch.peek_interpreter_stack() is not None
        if in_a_transform and self.followed():
            raise Unfollowed("uses torch.func (vmap, grad, ..), whose batches cannot be followed")
        return self._called(func, args, kwargs, tensors)

    def _strange(self, tensors: Sequence[Tensor]) -> bool:
        """Whether the model's own tensors are among them, or some with memory and some without."""
        kinds = set()
        for tensor in tensors:
            if id(tensor) in self.copies or id(tensor) in self.twins:
                return True
            kinds.add(tensor.is_meta)
        return len(kinds) > 1

    def here(self, tensor: Tensor) -> Tensor:
        """The tensor as the trace has it: without memory."""
        own = self.copies.get(id(tensor))
        if own is not None or tensor.is_meta:
            return tensor if own is None else own
        if id(tensor) not in self.twins:
            twin = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
            )
            if tensor.numel() <= _LARGEST:
                self.values.learn(twin, tensor.detach().to("cpu", copy=True))
            self.twins[id(tensor)] = tensor, twin
        return self.twins[id(tensor)][1]

    def _made(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A new tensor, and its values if nothing of an input is in it."""
        made = func(*args, **kwargs)
        if isinstance(made, Tensor) and made.numel() <= _LARGEST_MADE:
            with _aside():
                args, kwargs = tree_map_only(Tensor, _shaped, (args, kwargs))
                value = _steady(func, args, {**kwargs, "device": torch.device("cpu")})
                if isinstance(value, Tensor):
                    self.values.learn(made, value)
        return made

    def _called(self, func: Any, args: Any, kwargs: Any, tensors: Sequence[Tensor]) -> Any:
        name = getattr(func, "__name__", "")
        if name.startswith("new_") or name.endswith("_like"):
            return self._made(func, args, kwargs)
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            known = bool(tensors) and all(map(self.values.has, tensors))
        if not known:
            if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
                with _aside():
                    for tensor in tensors[:1]:
                        self.values.forget(tensor)
            elif name == "__getitem__":
                if isinstance(args[1], str):  # of which torch warns before it fails
                    raise TypeError(f"a tensor has no entry {args[1]!r}")
                args = args[0], self._indices(args[1])
            return func(*args, **kwargs)
        if all(not tensor.is_meta for tensor in tensors):
            return func(*args, **kwargs)
        with _aside():
            own = tree_map_only(Tensor, self.values.of, (args, kwargs))
            value = _steady(func, *own)
            if value is not None and not _tensors([value], []):
                return value  # what was asked of the values
        try:
            made = func(*args, **kwargs)
        except (NotImplementedError, RuntimeError):
            if value is None:
                raise
            return tree_map_only(Tensor, self.here, value)
        with _aside():
            for tensor, result in zip(tree_leaves(made), tree_leaves(value), strict=False):
                if isinstance(tensor, Tensor) and isinstance(result, Tensor):
                    self.values.learn(tensor, result)
        return made

    def _indices(self, index: Any) -> Any:
        """Places instead of masks whose values are known."""
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(part, Tensor) and part.dtype is torch.bool for part in parts):
            return index
        with _aside():
            places: list[Any] = []
            for part in parts:
                mask = isinstance(part, Tensor) and part.dtype is torch.bool
                if mask and part.dim() and self.values.has(part):
                    places += map(self.here, self.values.of(part).nonzero(as_tuple=True))
                else:
                    places.append(part)
        return tuple(places)


@contextmanager
def _aside() -> Iterator[None]:
    """What runs beside the trace is no part of it."""
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        yield


def _shaped(tensor: Tensor) -> Tensor:
    """A tensor that lends its dtype and shape to a new one."""
    return torch.empty(tensor.shape if tensor.numel() <= _LARGEST_MADE else 0, dtype=tensor.dtype)


def _steady(func: Any, args: Any, kwargs: Any) -> Any:
    """What a function gives on the CPU; None where it fails, or is random."""
    before = torch.default_generator.get_state()
    try:
        value = func(*args, **kwargs)
    except Exception:
        return None  # it will fail, or not, in the trace itself
    if torch.equal(before, torch.default_generator.get_state()):
        return value
    torch.default_generator.set_state(before)
    return None


# --- devices --------------------------------------------------------------------------------------

_ATTRIBUTES = frozenset(
    (
        *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "ndim", "requires_grad")),
        *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.is_floating_point),
    )
)
"""What is the same of every tensor, with values or without; asked most often."""

_ASKED: dict[Any, Callable[[torch.device], Any]] = {
    Tensor.device: lambda device: device,
    Tensor.is_cuda: lambda device: device.type == "cuda",
    Tensor.is_cpu: lambda device: device.type == "cpu",
}
"""Attributes of tensors that say where they are."""


def _moved(func: Any, args: Any, kwargs: Any) -> Any:
    """x.to(..) without its device."""
    tensor, *rest = args
    for name in ("device", "non_blocking"):
        kwargs.pop(name, None)
    kept = [part for part in rest if isinstance(part, (torch.dtype, Tensor))]
    if not kept and not kwargs.keys() - {"copy", "memory_format"}:
        return tensor.clone() if kwargs.get("copy") else tensor
    return func(tensor, *kept, **kwargs)


def _typed(func: Any, args: Any, kwargs: Any) -> Any:
    """x.type(), and x.type(torch.cuda.FloatTensor)."""
    tensor, *rest = args
    wanted = rest[0] if rest else kwargs.get("dtype")
    if wanted is None:
        with _aside():
            return torch.empty(0, dtype=tensor.dtype, device="cpu").type()
    if isinstance(wanted, torch.dtype):
        return tensor.to(wanted)
    name = wanted if isinstance(wanted, str) else f"{wanted.__module__}.{wanted.__name__}"
    kind = name.rpartition(".")[2].removesuffix("Tensor").lower()
    return tensor.to(getattr(torch, kind if kind != "byte" else "uint8", tensor.dtype))


def _stays(func: Any, args: Any, kwargs: Any) -> Any:
    return args[0]


def _hooked(func: Any, args: Any, kwargs: Any) -> Any:
    """A hook of a gradient, which inference does not have."""
    return RemovableHandle(OrderedDict())


_MOVES: dict[Any, Callable[[Any, Any, Any], Any]] = {
    Tensor.to: _moved,
    Tensor.type: _typed,
    Tensor.cpu: _stays,
    Tensor.cuda: _stays,
    Tensor.pin_memory: _stays,
    Tensor.get_device: lambda func, args, kwargs: -1,
    Tensor.register_hook: _hooked,
    Tensor.register_post_accumulate_grad_hook: _hooked,
    Tensor.retain_grad: lambda func, args, kwargs: None,
}

_COPIES = frozenset((torch.tensor, torch.as_tensor, torch.asarray))


def _copied(data: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Tensor:
    """torch.tensor(x) of tensors: their values in a new one."""
    if isinstance(data, Tensor):
        tensor = data.detach().clone()
    elif isinstance(data, (list, tuple)):
        tensor = torch.stack([_copied(part) for part in data])
    else:
        tensor = torch.tensor(data, device="meta")
    return tensor if dtype is None else tensor.to(dtype)


# --- compiled functions ---------------------------------------------------------------------------


def uncompiled() -> AbstractContextManager[Any]:
    """Functions under torch.compile run as they were written, if any were compiled."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    from torch.compiler import set_stance

    eager: AbstractContextManager[Any] = set_stance("force_eager")
    return eager
