"""How one network differs from another in a few words, with what each change costs.

For networks that differ in settings rather than in layout; `difference` lists layer by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resnet_inspect.counting.costs import total
from resnet_inspect.networks.alignment import (
    ADDED,
    REMOVED,
    RESIZED,
    SAME,
    Pair,
    Setting,
    align,
    show_value,
)
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import show_shape


class Difference(NamedTuple):
    """A change that some layers share. macs, params: what it adds."""

    what: str
    layers: tuple[str, ...]
    macs: int
    params: int

    def __str__(self) -> str:
        """Stride 1, not 2, in layer2.0.conv1 (+231,211,008 MACs)."""
        first, more = ", ".join(self.layers[:_NAMED]), len(self.layers) - _NAMED
        which = "" if self.what in _WORDS.values() else "in "
        where = f" {which}{first}" + (f" and {more} more" if more > 0 else "") if first else ""
        costs = [
            f"{count:+,} {name}"
            for count, name in ((self.macs, "MACs"), (self.params, "parameters"))
            if count
        ]
        return f"{self.what}{where} ({', '.join(costs) or 'no MACs'})"


_NAMED = 4
"""As many layers are named; of more, the rest are counted."""

_WORDS = {ADDED: "added layers", REMOVED: "no layers"}
_SIZES = "maps of another size"


def differences(before: LayerGraph, after: LayerGraph) -> tuple[Difference, ...]:
    """What turns one network into another, the costliest change first; they add up (tested)."""
    groups: dict[str, list[Pair]] = {}
    for pair in align(before, after):
        if pair.change != SAME:
            groups.setdefault(_words(pair), []).append(pair)
    resized = _difference(_SIZES, groups.pop(_SIZES, ()))
    changes = [_difference(what, pairs) for what, pairs in groups.items()]
    if before.input_shape != after.input_shape:
        shapes = f"input {show_shape(after.input_shape)}, not {show_shape(before.input_shape)}"
        changes.append(Difference(shapes, (), resized.macs, 0))
    elif resized.layers:
        changes.append(resized)
    return tuple(sorted(changes, key=lambda change: -abs(change.macs)))


def _words(pair: Pair) -> str:
    if pair.change == RESIZED:
        return _SIZES
    settings = [setting for setting in pair.settings if setting.name == "kind"] or pair.settings
    return _WORDS.get(pair.change) or " and ".join((*map(_setting, settings), *pair.wiring))


def _setting(setting: Setting) -> str:
    """Stride 1, not 2, or bias, or no bias."""
    words = setting.name.replace("_", " ")
    if isinstance(setting.after, bool):
        return words if setting.after else f"no {words}"
    before, after = (
        f"{value:,}" if isinstance(value, int) else show_value(value)
        for value in (setting.before, setting.after)
    )
    change = f"{after}, not {before},"
    return change if setting.name == "kind" else f"{words} {change}"


def _difference(what: str, pairs: Sequence[Pair]) -> Difference:
    was = total([pair.before for pair in pairs if pair.before])
    now = total([pair.after for pair in pairs if pair.after])
    names = tuple(pair.layer.name for pair in pairs if pair.change != RESIZED or _moves(pair))
    return Difference(what, names, now.macs - was.macs, now.params - was.params)


def _moves(pair: Pair) -> bool:
    """Whether a layer on another shape costs another number of MACs."""
    macs = [total([layer]).macs for layer in (pair.before, pair.after) if layer]
    return macs[0] != macs[-1]
