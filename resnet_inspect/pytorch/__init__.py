"""All that needs torch. Nothing outside this package imports it, and nothing imports this early."""

from __future__ import annotations

from resnet_inspect.errors import InspectError

INSTALL = "pip install 'resnet-inspect[torch]'"


class MissingTorchError(InspectError):
    """torch, or a tool of the torch extra, is not installed."""


try:
    import torch as _torch  # noqa: F401  (only to say so in one line where it is missing)
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    raise MissingTorchError(f"this needs torch, which is not installed; {INSTALL}") from None
