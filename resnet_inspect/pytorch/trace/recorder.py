"""Run a model on meta tensors and record the torch functions that it calls as a torch.fx graph.

The tensors have no memory, and a mode hands every torch function to the recorder. Shapes, dtypes
and isinstance are therefore what they are in an ordinary run, control flow that depends on shapes
is simply followed, and nothing of torch is patched (fx's own tracer hands out proxies, and patches
nn.Module for everybody while it runs).

Every node carries in `meta`: val (aliases of the meta tensors that it gives), frames (the module
calls it ran in), macs (what ran in it, by audit.py), last (how many nodes there were when the
model's code let go of its value; not there where it never did); for a module, ops (what it
computes) and uses (what it holds); for a parameter, buffer or constant, constant.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Any, Self

import torch
from torch import fx
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from resnet_inspect.networks.run import Gap, Input
from resnet_inspect.networks.structure import Frame
from resnet_inspect.pytorch.trace.aliases import Region, Write, storage_of, view, write
from resnet_inspect.pytorch.trace.audit import Audit, Seen
from resnet_inspect.pytorch.trace.calls import Constant, State


def tensors(value: Any) -> list[torch.Tensor]:
    """The tensors in nested arguments, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


replaced = partial(tree_map_only, torch.Tensor)
"""Nested tuples, lists and dicts with each tensor changed by a function."""

_NO_TENSORS = (type(None), bool, int, float, str, torch.Size, torch.dtype, torch.device)


def _as_queries_lie(
    answer: torch.Tensor, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """What attention gives, laid out as fused kernels do it, which meta tensors do not have."""
    fused = all(each.dim() == 4 and each.stride(-1) == 1 for each in (query, key, value))
    if not fused or answer.shape != query.shape:
        return answer
    return answer.as_strided(answer.shape, torch.empty_like(query).stride())


class _Functions(TorchFunctionMode):
    """Hands every torch function to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.recorder.call(func, args, kwargs or {})


class Lasting:
    """What belongs to a run: copies that the model's code makes of its modules hold it too."""

    __slots__ = ()

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class _Mark(Lasting):
    """What a tensor carries: the node that made it, and how many writes to its memory that knows.

    It goes with the tensor, so that the node gets to know when nobody holds its value any more.
    """

    __slots__ = ("node", "recorder", "seen")

    def __init__(self, node: fx.Node, seen: int, recorder: Recorder) -> None:
        self.node, self.seen, self.recorder = node, seen, recorder

    def __del__(self) -> None:
        self.node.meta["last"] = self.recorder.nodes


class Recorder(Lasting):
    """Records torch functions; subclasses run the model while `recording`."""

    def __init__(self, params: Iterable[Any], buffers: Iterable[Any]) -> None:
        self.graph = fx.Graph()
        self.nodes = 0
        self.frames: tuple[Frame, ...] = ()
        self.audit = Audit(self._outside)
        self.gaps: list[Gap] = []
        # Of tensors with several names the first counts.
        held = [State(name, False, tensor) for name, tensor in buffers]
        learned = [State(name, True, tensor) for name, tensor in params]
        self.state = {id(entry.tensor): entry for entry in reversed(held + learned)}
        self.used: set[int] = set()
        self.constants = count()
        self.first: dict[int, fx.Node] = {}
        self.writes: dict[int, list[Write]] = {}

    def recording(self) -> _Functions:
        """The mode in which the model is run, within `audit`."""
        return _Functions(self)

    def entering(self, entry: Input, dtype: torch.dtype) -> Any:
        """An input of the network. dtype: where it has none of its own."""
        kind = getattr(torch, entry.dtype) if entry.dtype else dtype
        node = self.graph.placeholder(re.sub(r"\W", "_", entry.name))
        node.meta["input"] = entry
        return self.marked(torch.empty((1, *entry.shape), dtype=kind, device="meta"), node)

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A torch function that the model's code calls."""
        audit = self.audit
        if audit.layer is not None:  # a part of what is one layer
            self.used.update(id(t) for t in tensors((args, kwargs)) if id(t) in self.state)
            return func(*args, **kwargs)
        seen = audit.layer = Seen()
        try:
            value = func(*args, **kwargs)
            if func is torch.nn.functional.scaled_dot_product_attention:
                value = _as_queries_lie(value, *tensors((args, kwargs))[:3])
        finally:
            audit.layer = None
        return self._recorded(func, args, kwargs, value, seen)

    def _outside(self, operator: Any, args: Any, kwargs: Any) -> Any:
        """An operator that runs without a torch function that could be seen, in compiled code."""
        with self.audit.of(Seen()) as seen:
            value = self.audit.ran(operator, args, kwargs)
        return self._recorded(operator, args, kwargs, value, seen)

    def _recorded(self, func: Any, args: Any, kwargs: Any, value: Any, seen: Seen) -> Any:
        """The value of a call with its tensors marked, if it gives or writes any."""
        if type(value) in _NO_TENSORS and not seen.written:
            if getattr(func, "__name__", "") == "__set__" and tensors(args[1:]):  # x.data = y
                self._marked(args[0], self.node_of(args[1]))
            return value
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            results = tensors(value)
            if not results and not seen.written:
                return value
            nodes = replaced(self.node_of, (args, kwargs))
            node = self.graph.create_node("call_function", func, *nodes)
            node.meta["macs"] = seen.macs
            if results:
                marked = self.marked(value, node)
            else:
                marked, results = value, self._targets((args, kwargs), seen.written)
                for target in results[:1]:
                    self.marked(target, node)
            self.wrote(seen.written, results)
            return marked

    def _targets(self, given: Any, written: list[torch.Tensor]) -> list[torch.Tensor]:
        """The arguments that a function changed, which gives nothing back."""
        changed = {storage_of(tensor) for tensor in written}
        return [tensor for tensor in tensors(given) if storage_of(tensor) in changed]

    def wrote(self, written: list[torch.Tensor], results: list[torch.Tensor]) -> None:
        """Note that memory was written, which now holds these results."""
        for tensor in written:
            key = storage_of(tensor)
            shown = next((each for each in results if storage_of(each) == key), None)
            if key not in self.first or shown is None:
                continue  # memory that only the function itself had
            writes, mark = self.writes.setdefault(key, []), _mark_of(shown)
            part = Region.of(tensor)
            writes.append(Write(mark.node, part, part.span, Region.of(shown)))
            self.first[key], mark.seen = mark.node, len(writes)

    def node_of(self, tensor: torch.Tensor) -> fx.Node:
        """The node that made what a tensor holds now."""
        mark = _mark_of(tensor) if hasattr(tensor, "mark") else self._unmarked(tensor)
        writes = self.writes.get(storage_of(tensor), ())
        if mark.seen < len(writes):
            mine = Region.of(tensor)
            span = mine.span
            newer = [each for each in writes[mark.seen :] if each.changes(mine, span)]
            mark.seen = len(writes)
            if newer:
                mark = self._marked(tensor, self._after(tensor, mark.node, mine, newer))
        return mark.node

    def _after(
        self, tensor: torch.Tensor, node: fx.Node, mine: Region, writes: list[Write]
    ) -> fx.Node:
        """What a tensor holds after writes by others to its memory."""
        covering = [at for at, each in enumerate(writes) if each.shown.covers(mine)]
        if covering:
            last = writes[covering[-1]]
            writes = writes[covering[-1] + 1 :]
            node = last.node
            if last.shown != mine:
                node = self._noted(self.graph.call_function(view, (node,)), tensor)
        if writes:
            parts = (node, *(each.node for each in writes))
            node = self._noted(self.graph.call_function(write, parts), tensor)
        return node

    def _unmarked(self, tensor: torch.Tensor) -> _Mark:
        """The mark of a tensor that no function gave: the model's own, or an alias of another."""
        own, key = self.state.get(id(tensor)), storage_of(tensor)
        if own is None and key in self.first:
            node = self.first[key]
            if node.meta["val"].shape != tensor.shape:
                node = self._noted(self.graph.call_function(view, (node,)), tensor)
        else:
            name = own.name if own else f"constant{next(self.constants)}"
            node = self.graph.get_attr(name)
            node.meta["constant"] = Constant(
                tuple(tensor.shape),
                (name,) if own and own.learned else (),
                (name,) if own and not own.learned else (),
            )
            self._noted(node, tensor)
        return self._marked(tensor, node)

    def _noted(self, node: fx.Node, value: Any) -> fx.Node:
        # Aliases: the model's own tensors are to die when the model lets them go, and while memory
        # is held by an alias no other gets its identity.
        node.meta["val"] = replaced(torch.Tensor.detach, value)
        node.meta["frames"] = self.frames
        node.meta.setdefault("macs", 0)
        self.nodes += 1
        return node

    def marked(self, value: Any, node: fx.Node) -> Any:
        """A node's value with its tensors marked; parts of a tuple have nodes of their own."""
        self._noted(node, value)
        if isinstance(value, torch.Tensor):
            return self._mark(value, node)
        places = count()

        def part(tensor: torch.Tensor) -> torch.Tensor:
            pick = self.graph.call_function(operator.getitem, (node, next(places)))
            return self._mark(tensor, self._noted(pick, tensor))

        return replaced(part, value)

    def _mark(self, tensor: torch.Tensor, node: fx.Node) -> torch.Tensor:
        # A function in place gives its argument back, which from now on is what the node made.
        self._marked(tensor, node)
        return tensor

    def _marked(self, tensor: torch.Tensor, node: fx.Node) -> _Mark:
        """The mark that says that a node made what a tensor holds now."""
        key = storage_of(tensor)
        self.first.setdefault(key, node)
        mark = _Mark(node, len(self.writes.get(key, ())), self)
        vars(tensor)["mark"] = mark
        return mark


def _mark_of(tensor: torch.Tensor) -> _Mark:
    mark: _Mark = vars(tensor)["mark"]
    return mark
