"""Lines of the zoo: timm's networks with self-attention in place of 3x3 convolutions."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import L26, L50, POOLLESS, SILU, WITH_ECA, Entry

BOT = "Srinivas et al. 2021, arXiv 2101.11605; timm"
LAMBDA = "Bello 2021, arXiv 2102.08602; timm"
HALO = "Vaswani et al. 2021, arXiv 2103.12731; timm"

_FAMILIES = {BOT: "botnet", LAMBDA: "lambda", HALO: "halonet"}

_T: dict[str, Any] = {"stem": "tiered"}
_TS: dict[str, Any] = {**_T, **SILU}
_H1: dict[str, Any] = {
    "block": "bottleneck",
    "blocks": (3, 3, 10, 3),
    "expansion": 1,
}
_SE33: dict[str, Any] = {
    "block": "bottleneck",
    "blocks": (2, 3, 3, 2),
    "widths": (256, 512, 1024, 1536),
    "bottle_ratio": (0.25, 0.25, 0.25, 1 / 3),
    "expansion": 1,
    "se_reduction": 16,
    "head_width": 1280,
}
_ECA: dict[str, Any] = {**WITH_ECA, "group_size": (16,), "query_width": 16}


def _attending(source: str, layout: dict[str, Any], *stages: str, **more: Any) -> Entry:
    """A network with self-attention in these of each stage's blocks."""
    fields = {**layout, "attention_at": "inner", "input_size": (256, 256)}
    return Entry(_FAMILIES[source], source, {**fields, "self_attention": stages, **more})


def _last(source: str, kind: str, **more: Any) -> Entry:
    """26 layers, with self-attention in the last block of stage 3 and in all of stage 4."""
    return _attending(source, L26, "none", "none", f"{kind}/2", kind, **{**_T, **more})


def _half(source: str, kind: str) -> Entry:
    """50 layers, with self-attention in every second block from the end of stage 2 on."""
    return _attending(source, L50, "none", f"{kind}/4", f"{kind}/2", f"{kind}/2", **_TS)


def _33(source: str, kind: str) -> Entry:
    """33 layers, with self-attention at the end of stages 2 and 3 and in all of stage 4."""
    third = f"{kind}/3"
    return _attending(source, _SE33, "none", third, third, kind, **_TS, **POOLLESS)


def _mixed(second: str) -> Entry:
    """50 layers, with one kind of self-attention in stage 2, halos in 3 and all positions in 4."""
    return _attending(HALO, L50, "none", second, "halo/2", "bot/2", **_TS, **POOLLESS)


ATTENDING: dict[str, Entry] = {
    "botnet26t_256": _last(BOT, "bot"),
    "botnet50ts_256": _half(BOT, "bot"),
    "sebotnet33ts_256": _33(BOT, "bot"),
    "eca_botnext26ts_256": _last(BOT, "bot", **_TS, **_ECA),
    "lambda_resnet26t": _last(LAMBDA, "lambda"),
    "lambda_resnet50ts": _half(LAMBDA, "lambda"),
    "halonet26t": _last(HALO, "halo2"),
    "halonet50ts": _attending(HALO, L50, "none", "halo-4/4", "halo/2", "halo/2", **_TS),
    "sehalonet33ts": _33(HALO, "halo"),
    "eca_halonext26ts": _last(HALO, "halo2", **_TS, **_ECA),
    "halonet_h1": _attending(HALO, _H1, *["halo"] * 4),
    "halo2botnet50ts_256": _mixed("halo/2"),
    "lamhalobotnet50ts_256": _mixed("lambda13/2"),
}
