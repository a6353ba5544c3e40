"""Functions with a rule for each kind of op.

Rules for others than networks.ops load when such an op is first met, since most networks have none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from functools import _SingleDispatchCallable

_Result = TypeVar("_Result")

_OPS = "resnet_inspect.networks.ops"
_THEIR_RULES = "resnet_inspect.counting.torch_op_rules"


def by_op(default: Callable[..., _Result]) -> _SingleDispatchCallable[_Result]:
    """A function that takes an op first, and does what the rule registered for its class says."""

    @wraps(default)
    def of_others(op: Any, *args: Any, **settings: Any) -> _Result:
        if type(op).__module__ != _OPS:
            import_module(_THEIR_RULES)
            rule = rules.dispatch(type(op))
            if rule is not of_others:
                return rule(op, *args, **settings)
        return default(op, *args, **settings)

    rules = singledispatch(of_others)
    return rules
