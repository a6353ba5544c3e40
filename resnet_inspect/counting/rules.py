"""Functions with a rule for each kind of op.

Rules for networks.torch_ops load when such an op is first met, since most networks have none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from functools import _SingleDispatchCallable

_Result = TypeVar("_Result")

_LATE = ("resnet_inspect.networks.torch_ops", "resnet_inspect.networks.active_norm")
_THEIR_RULES = "resnet_inspect.counting.torch_op_rules"


def by_op(default: Callable[..., _Result]) -> _SingleDispatchCallable[_Result]:
    """A function that takes an op first, and does what the rule registered for its class says."""

    @wraps(default)
    def of_others(op: Any, *args: Any, **settings: Any) -> _Result:
        if type(op).__module__ in _LATE:
            import_module(_THEIR_RULES)
            rule = rules.dispatch(type(op))
            if rule is not of_others:
                return rule(op, *args, **settings)
        return default(op, *args, **settings)

    rules = singledispatch(of_others)
    return rules
