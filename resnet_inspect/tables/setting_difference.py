"""What makes one network another, read off the two graphs, with what each change costs.

Layers are the same where they have the same name. Whatever differs falls into groups of layers that
differ alike, so that the groups' costs add up to the difference of the networks' (a test does so).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import NamedTuple

from resnet_inspect.counting.costs import cost
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import show_shape


class Difference(NamedTuple):
    """What some layers of `ours` have that those of `theirs` have not.

    what: in words; layers: their names; macs, params: ours less theirs.
    """

    what: str
    layers: tuple[str, ...]
    macs: int
    params: int

    def __str__(self) -> str:
        """Stride 1, not 2, in layer2.0.conv1 (+231,211,008 MACs)."""
        first, more = ", ".join(self.layers[:_NAMED]), len(self.layers) - _NAMED
        which = "" if self.what in (_ADDED, _GONE) else "in "
        where = f" {which}{first}" + (f" and {more} more" if more > 0 else "") if first else ""
        costs = [
            f"{count:+,} {name}"
            for count, name in ((self.macs, "MACs"), (self.params, "parameters"))
            if count
        ]
        return f"{self.what}{where} ({', '.join(costs) or 'no MACs'})"


_NAMED = 4
"""As many layers are named; of more, the rest are counted."""


def differences(theirs: LayerGraph, ours: LayerGraph) -> tuple[Difference, ...]:
    """What turns `theirs` into `ours`, the costliest change first."""
    groups: dict[str, list[tuple[Layer | None, Layer | None]]] = {}
    for name in dict.fromkeys((*theirs.by_name, *ours.by_name)):
        before, after = theirs.by_name.get(name), ours.by_name.get(name)
        what = _what(before, after)
        if what or _spent(before, after) != (0, 0):
            groups.setdefault(what or _SIZES, []).append((before, after))
    found = [_difference(what, pairs) for what, pairs in groups.items()]
    if theirs.input_shape != ours.input_shape:
        shapes = show_shape(ours.input_shape), show_shape(theirs.input_shape)
        macs = sum(group.macs for group in found if group.what == _SIZES)
        found = [group for group in found if group.what != _SIZES]
        found.append(Difference(f"input {shapes[0]}, not {shapes[1]}", (), macs, 0))
    return tuple(sorted(found, key=lambda group: -abs(group.macs)))


_SIZES, _ADDED, _GONE = "maps of another size", "added layers", "no layers"


def _difference(what: str, pairs: Iterable[tuple[Layer | None, Layer | None]]) -> Difference:
    pairs = tuple(pairs)
    spent = [_spent(before, after) for before, after in pairs]
    names = tuple((after or before).name for before, after in pairs)  # type: ignore[union-attr]
    return Difference(what, names, sum(s[0] for s in spent), sum(s[1] for s in spent))


def _spent(before: Layer | None, after: Layer | None) -> tuple[int, int]:
    """MACs and parameters of a layer less those of what stood there before."""
    macs = params = 0
    for layer, sign in ((after, 1), (before, -1)):
        if layer is not None:
            spent = cost(layer)
            macs, params = macs + sign * spent.macs, params + sign * spent.params
    return macs, params


def _what(before: Layer | None, after: Layer | None) -> str:
    """How two layers of one name differ in kind or settings; '' if they do not."""
    if before is None:
        return _ADDED
    if after is None:
        return _GONE
    if type(before.op) is not type(after.op):
        return f"{after.op.kind}, not {before.op.kind},"
    changes = [
        _change(field.name, getattr(before.op, field.name), getattr(after.op, field.name))
        for field in fields(after.op)
        if getattr(before.op, field.name) != getattr(after.op, field.name)
    ]
    return " and ".join(changes)


def _change(field: str, before: object, after: object) -> str:
    words = field.replace("_", " ")
    if isinstance(after, bool):
        return words if after else f"no {words}"
    return f"{words} {_value(after)}, not {_value(before)},"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else show_shape(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
