"""All that needs torch. Nothing outside this package imports it, and nothing imports this early."""

from __future__ import annotations

from resnet_inspect.errors import InspectError

try:
    import torch as _torch  # noqa: F401  (only to say so in one line where it is missing)
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    # Named by itself: an extra of this package cannot be found from everywhere.
    raise InspectError("this needs torch, which is not installed; pip install torch") from None
