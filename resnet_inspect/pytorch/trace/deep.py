"""Room for what nests deeper than Python's stack allows by default."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from resnet_inspect.errors import InspectError

_STACK = 1 << 29
"""Bytes of address space; memory is taken as it is used."""

_FRAMES = 50_000
"""Calls within calls that fit the stack."""

_Result = TypeVar("_Result")


def deeply(function: Callable[[], _Result], what: str) -> _Result:
    """What a function gives, run once more in a thread with a large stack if it nests too deep.

    Raises InspectError, about `what`, where that is not enough.
    """
    try:
        return function()
    except RecursionError:
        pass
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(_STACK)
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="deep", daemon=True)
    sys.setrecursionlimit(max(limit, _FRAMES))
    try:
        thread.start()
        threading.stack_size(size)
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if errors and isinstance(errors[0], RecursionError):
        raise InspectError(f"{what} calls itself without end, or nests too deep") from None
    if errors:
        raise errors[0]
    return results[0]
