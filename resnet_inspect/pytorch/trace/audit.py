"""What really runs while a network is traced: multiply-accumulates, and which tensors are written.

It is seen at the level of aten, where torch's own FlopCounterMode counts, and by its formulas. So
what a rule says of a layer can be held against what ran in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from resnet_inspect.pytorch.inputs import results


class Seen:
    """What ran in one layer. macs: None where something ran whose operations nobody knows."""

    def __init__(self) -> None:
        self.macs: int | None = 0
        self.written: list[torch.Tensor] = []


class _Facts(NamedTuple):
    """What is known of an aten operator.

    formula: of its FLOPs, where it has any. unknown: whether it may multiply without a formula.
    written: the places of the arguments that it writes to. composite: whether it is made of others.
    """

    formula: Callable[..., int] | None
    unknown: bool
    written: tuple[int | str, ...]
    composite: bool


_PRODUCTS = ("linalg_", "_linalg_", "cholesky", "_cholesky", "lu_", "_lu_", "triangular_solve")
"""Operators of aten that multiply matrices inside, and have no formula."""


@cache
def _facts(operator: Any) -> _Facts:
    formula = flop_registry.get(operator._overloadpacket) or flop_registry.get(operator)
    schema = operator._schema
    name = schema.name.partition("::")[2]
    known = operator.namespace in ("aten", "prim", "prims") and not name.startswith(_PRODUCTS)
    written = [
        argument.name if argument.kwarg_only else at
        for at, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    composite = formula is None and operator.has_kernel_for_dispatch_key(key)
    return _Facts(formula, formula is None and not known, tuple(written), composite)


class Audit(TorchDispatchMode):
    """Notes what each operator computes and writes in the layer that runs.

    An operator that runs in no layer is handed to `outside`.
    """

    def __init__(self, outside: Callable[..., Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.outside = outside
        self.layer: Seen | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it would import all of torch's compiler, for seconds

    @contextmanager
    def of(self, layer: Seen) -> Iterator[Seen]:
        """While a layer runs."""
        outer, self.layer = self.layer, layer
        try:
            yield layer
        finally:
            self.layer = outer

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.layer is None:
            return self.outside(func, args, kwargs)
        return self.ran(func, args, kwargs)

    def ran(self, operator: Any, args: Any, kwargs: Any) -> Any:
        """What an operator gives, noted in the layer that runs."""
        facts = _facts(operator)
        if facts.composite:
            with self:
                value = operator.decompose(*args, **kwargs)
            if value is not NotImplemented:
                return value
        value = operator(*args, **kwargs)
        layer = self.layer
        if layer is None:
            return value
        if facts.formula is not None and layer.macs is not None:
            layer.macs += facts.formula(*args, **kwargs, out_val=value) // 2
        if facts.unknown:
            layer.macs = None
        for place in facts.written:
            written = kwargs.get(place) if isinstance(place, str) else args[place]
            layer.written.extend(results(written))
        return value
