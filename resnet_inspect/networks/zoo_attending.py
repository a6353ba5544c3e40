"""Lines of the zoo: timm's networks with self-attention in place of 3x3 convolutions."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import L26, L50, Entry

BOT = "Srinivas et al. 2021, arXiv 2101.11605; timm"
LAMBDA = "Bello 2021, arXiv 2102.08602; timm"

_TS: dict[str, Any] = {"activation": "silu"}
_ECA: dict[str, Any] = {"attention": "eca", "group_size": (16,), "query_width": 16}


def _attending(source: str, layout: dict[str, Any], *stages: str, **more: Any) -> Entry:
    """A network with self-attention in these of each stage's blocks."""
    fields = {**layout, "stem": "tiered", "attention_at": "inner", "input_size": (256, 256)}
    return Entry("attending", source, {**fields, "self_attention": stages, **more})


def _last(source: str, kind: str, **more: Any) -> Entry:
    """26 layers, with self-attention in the last block of stage 3 and in all of stage 4."""
    return _attending(source, L26, "none", "none", f"{kind}/2", kind, **more)


def _half(source: str, kind: str) -> Entry:
    """50 layers, with self-attention in every second block from the end of stage 2 on."""
    return _attending(source, L50, "none", f"{kind}/4", f"{kind}/2", f"{kind}/2", **_TS)


ATTENDING: dict[str, Entry] = {
    "botnet26t_256": _last(BOT, "bot"),
    "botnet50ts_256": _half(BOT, "bot"),
    "eca_botnext26ts_256": _last(BOT, "bot", **_TS, **_ECA),
    "lambda_resnet26t": _last(LAMBDA, "lambda"),
    "lambda_resnet50ts": _half(LAMBDA, "lambda"),
}
