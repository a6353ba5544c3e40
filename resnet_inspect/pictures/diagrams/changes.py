"""What became of boxes where two networks are told apart: the same on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from resnet_inspect.networks.alignment import ADDED, CHANGED, REMOVED, RESIZED, SAME, Pair
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import caption, show_dims
from resnet_inspect.networks.ops import Add, Scale
from resnet_inspect.pictures.diagrams.cells import Readers, cells
from resnet_inspect.pictures.diagrams.style import Change, Changes, Style
from resnet_inspect.pictures.diagrams.units import DrawnStage

MOST = 3
"""Lines about a change in a box; the rest is counted."""


def likenesses(pairs: Sequence[Pair]) -> tuple[dict[str, object], dict[str, object]]:
    """What sets layers of each network apart that are otherwise the same, by name."""
    marks = [(pair, (pair.change, pair.settings)) for pair in pairs]
    return (
        {pair.before.name: mark for pair, mark in marks if pair.before},
        {pair.after.name: mark for pair, mark in marks if pair.after},
    )


def changes_of(
    style: Style, networks: Sequence[Sequence[DrawnStage]], readers: Sequence[Readers]
) -> list[Changes]:
    """What became of every box of each network.

    A box of the one and a box of the other that correspond in most layers tell all that differs
    between them; others tell of their own layers.
    """
    if not style.pairs:
        return [{}] * len(networks)
    held = [
        {layer.name: box for box, layers in _boxes(style, *own) for layer in layers}
        for own in zip(networks, readers, strict=True)
    ]
    ties: Counter[tuple[str, str]] = Counter()
    own: tuple[dict[str, list[Pair]], ...] = ({}, {})
    for pair in style.pairs:
        before, after = (
            boxes.get(layer.name) if layer else None
            for boxes, layer in zip(held, (pair.before, pair.after), strict=True)
        )
        for box, found in zip((before, after), own, strict=True):
            if box is not None:
                found.setdefault(box, []).append(pair)
        if before is not None and after is not None:
            ties[before, after] += 1
    to, back = _partners(ties)
    return [
        {box: _change([*mine, *own[1].get(to.get(box, ""), ())]) for box, mine in own[0].items()},
        {box: _change([*own[0].get(back.get(box, ""), ()), *mine]) for box, mine in own[1].items()},
    ]


def _boxes(
    style: Style, network: Sequence[DrawnStage], readers: Readers
) -> Iterator[tuple[str, Sequence[Layer]]]:
    """A network's boxes with their layers; an addition of blocks is told in their box."""
    for stage in network:
        if style.level == "stage":
            yield stage.stage.name, tuple(stage.stage.layers)
            continue
        for unit in stage.units:
            for cell in cells(unit, style.cut, readers):
                whole = style.level == "block" and cell.sign
                yield unit.name if whole else cell.name, cell.layers


def _partners(ties: Counter[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """For boxes of each side the one on the other side of their name, or most in common."""
    to: dict[str, str] = {}
    back: dict[str, str] = {}
    for before, after in sorted(ties, key=lambda ends: (ends[0] != ends[1], -ties[ends])):
        if before not in to and after not in back:
            to[before], back[after] = after, before
    return to, back


def _change(pairs: Sequence[Pair]) -> Change:
    """What became of two boxes, or of one that is alone."""
    distinct = list({id(pair): pair for pair in pairs}.values())
    found = {SAME if pair.change == RESIZED else pair.change for pair in distinct}
    if found <= {SAME}:
        return Change()
    if len(found) == 1 and found <= {ADDED, REMOVED}:
        return Change(found.pop())
    what = list(dict.fromkeys([*_moved(distinct), *_set(distinct)])) or ["wired otherwise"]
    if len(what) > MOST:
        what[MOST - 1 :] = [f"… {len(what) - MOST + 1} more"]
    return Change(CHANGED, tuple(what))


def _moved(pairs: Sequence[Pair]) -> Iterator[str]:
    """'norm added', '3×3 pool removed', '2 norms moved'."""
    added, removed = (
        Counter(_kind(pair.layer) for pair in pairs if pair.change == change)
        for change in (ADDED, REMOVED)
    )
    both = added & removed
    for word, kinds in (("moved", both), ("added", added - both), ("removed", removed - both)):
        if kinds:
            yield f"{_told(kinds)} {word}"


def _told(kinds: Counter[str]) -> str:
    """Kinds of layers in words: of a gate only that, with a convolution not what goes along."""
    main = [kind for kind in kinds if kind not in _ALONG] or list(kinds)
    main = [_GATE] if _GATE in kinds else main
    words = [kind if kinds[kind] == 1 else f"{kinds[kind]} {kind}s" for kind in main]
    return " and ".join(words if len(words) < 3 else [words[0], f"{len(words) - 1} other kinds"])


_GATE = "gate"
_ALONG = ("norm", "activation", "dropout")


def _kind(layer: Layer) -> str:
    op = layer.op
    if kernel := getattr(op, "kernel", None):
        return f"{show_dims(kernel)} {'pool' if op.category == 'pooling' else 'conv'}"
    if isinstance(op, (Add, Scale)):
        return "sum" if isinstance(op, Add) else _GATE
    short = {"normalization": "norm", "activation": "activation", "dropout": "dropout"}
    return short.get(op.category) or caption(op)


def _set(pairs: Sequence[Pair]) -> Iterator[str]:
    """Settings that layers have otherwise: 'stride 1×1 → 3×3' where it went to another layer.

    What follows from the channels of another layer is left out.
    """
    changed = [(pair, setting) for pair in pairs for setting in pair.settings]
    telling = [(pair, setting) for pair, setting in changed if setting.name not in _FOLLOWING]
    away = {(s.name, s.before, s.after): pair for pair, s in changed}
    layers = {id(pair) for pair, setting in telling if setting.name not in _PLAIN}
    for pair, setting in telling or changed:
        name, before, after = setting
        other = away.get((name, after, before))
        if other is None:
            words = str(setting._replace(name=_PLAIN.get(name, name)))
            alone = len(layers) < 2 or name in _PLAIN or name == "kind"
            yield words if alone else f"{_kind(pair.layer)}: {words}"
        elif name == "stride" and max(after) > max(before):
            yield f"stride {_kernel(other)} → {_kernel(pair)}"


_FOLLOWING = ("in_channels", "in_features", "channels", "padding")
_PLAIN = {
    "out_channels": "channels",
    "out_features": "outputs",
    "in_channels": "input channels",
    "in_features": "inputs",
}


def _kernel(pair: Pair) -> str:
    return show_dims(getattr(pair.layer.op, "kernel", ())) or pair.layer.op.kind
