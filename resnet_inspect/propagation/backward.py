"""Gradients back through a network at initialisation: their mean square at each position.

Weights going back are taken as independent of those going forth (Schoenholz et al. 2017, arXiv
1611.01232), so mean squares of gradients that meet add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import mul

from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.torch_ops import Concat
from resnet_inspect.propagation.flows import MOST, Flow, Gradient, Strands, added, whole
from resnet_inspect.propagation.maps import each
from resnet_inspect.propagation.returned import returned
from resnet_inspect.propagation.tensors import Gain, Initial, Passed, Tensor, aligned, cut

_LEAST = 1e-3
"""What norms of groups leave of a gradient at least."""


def gradients(
    layers: Sequence[Layer],
    known: Mapping[str, Passed],
    initial: Initial,
    begin: Mapping[str, Gradient],
) -> dict[str, Strands]:
    """The gradient of each layer's output, and of the inputs, that the `begin` gradients depend on.

    known: what the signal forth says of each layer.
    """
    found: dict[str, Strands] = {name: (gradient,) for name, gradient in begin.items()}
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for source in layer.inputs:
            readers.setdefault(source, []).append(layer)
    for layer in reversed(layers):
        if layer.name not in found or layer.name not in known:
            continue
        for source, strands in _into(layer, found[layer.name], known, initial, readers):
            found[source] = _twisted((*found.get(source, ()), *strands))
    return found


def _twisted(strands: Strands) -> Strands:
    """With those in one whose size goes with no value, and no more than MOST in all."""
    even = [each for each in strands if not any(part.profile for part in each)]
    rest = [each for each in strands if any(part.profile for part in each)]
    if len(rest) > MOST:
        rest = [reduce(added, rest[: 1 - MOST]), *rest[1 - MOST :]]
    return (*rest, *([reduce(added, even)] if even else []))


def _into(
    layer: Layer,
    strands: Strands,
    known: Mapping[str, Passed],
    initial: Initial,
    readers: Mapping[str, list[Layer]],
) -> Iterator[tuple[str, Strands]]:
    """The gradients that a layer hands to its inputs."""
    passed = known[layer.name]
    if layer.name in initial.zeroed:
        strands = tuple(tuple(part.times(0.0) for part in flow) for flow in strands)
    if isinstance(layer.op, ops.Add):
        for source in layer.inputs:
            term = known[source].tensor if source in known else ()
            yield source, tuple(_term(flow, passed.tensor, term) for flow in strands)
    elif isinstance(layer.op, Concat):
        begin = 0
        for source, shape in zip(layer.inputs, layer.input_shapes, strict=True):
            yield source, tuple(_some(flow, begin, shape[0]) for flow in strands)
            begin += shape[0]
    elif isinstance(layer.op, ops.Scale):
        normed = _normed_later(layer, readers)
        if normed is not None:
            strands = tuple(_less(flow, passed.tensor, known[normed].tensor) for flow in strands)
        yield layer.inputs[0], tuple(_gained(flow, passed.gains) for flow in strands)
        yield layer.inputs[1], (_to_gate(whole(strands), known[layer.inputs[0]].tensor),)
    elif type(layer.op) is ops.BatchNorm2d and layer.inputs[0] in known:
        before = known[layer.inputs[0]].tensor
        yield layer.inputs[0], tuple(_unnormed(flow, passed, before) for flow in strands)
    elif passed.gains:
        gains = passed.gains
        if window := _pooled_alone(layer, readers.get(layer.name, [])):
            # The gradient comes to the greatest of a window, which is seldom below 0.
            gains = tuple(gain._replace(factor=1 - (1 - gain.factor) ** window) for gain in gains)
        yield layer.inputs[0], tuple(_gained(flow, gains) for flow in strands)
    else:
        yield layer.inputs[0], (returned(layer.op, whole(strands), layer, initial),)


def _some(flow: Gradient, begin: int, count: int) -> Gradient:
    """Of some channels alone."""
    runs = cut([part.channels for part in flow], begin, count)
    return tuple(flow[at]._replace(channels=share) for at, share in runs)


def _normed_later(layer: Layer, readers: Mapping[str, list[Layer]]) -> str | None:
    """The layer, or the sum that alone reads it, if batch norms and sums alone read that."""
    reading = readers.get(layer.name, [])
    if len(reading) == 1 and isinstance(reading[0].op, ops.Add):
        layer, reading = reading[0], readers.get(reading[0].name, [])
    normed = all(type(reader.op) in (ops.Add, ops.BatchNorm2d) for reader in reading)
    return layer.name if normed else None


def _pooled_alone(layer: Layer, readers: Sequence[Layer]) -> int:
    """The size of the window of the max pool that alone reads an activation; 0 if none does."""
    if not isinstance(layer.op, ops.Activation) or len(readers) != 1:
        return 0
    op = readers[0].op
    return op.kernel[0] * op.kernel[1] if isinstance(op, ops.MaxPool2d) else 0


def _term(flow: Gradient, sums: Tensor, term: Tensor) -> Gradient:
    """What a sum hands to one of its terms: with a profile where the sum has that term's points."""
    made = []
    parts = {
        left: term[right]
        for _, left, right in aligned([p.channels for p in sums], [p.channels for p in term])
    }
    for count, left, right in aligned([f.channels for f in flow], [part.channels for part in sums]):
        part, law, own = flow[left], sums[right].law, parts.get(right)
        pointed = own is not None and len(own.law.points) > 1
        profile, lean = None, 0.0
        if part.profile is not None and pointed:
            profile = law.before([part.profile.get(value, 1.0) for value, _ in law.scattered])
        if part.lean and own is not None and sums[right].apart > 0:
            lean = part.lean * min(1.0, own.apart / sums[right].apart)
        made.append(part._replace(channels=count, lean=lean, profile=profile))
    return tuple(made)


def _less(flow: Gradient, gated: Tensor, normed: Tensor) -> Gradient:
    """Of what a gate is multiplied with: a batch norm later divides by the variance of each
    channel, so those whose gates are wider open get less."""
    made = []
    runs = {
        left: gated[right].spread / (gated[right].variance * normed[left].variance)
        for _, left, right in aligned([p.channels for p in normed], [p.channels for p in gated])
        if gated[right].spread
    }
    for count, left, right in aligned([f.channels for f in flow], [p.channels for p in normed]):
        made.append(flow[left].times(1 / (1 + runs.get(right, 0.0)), count))
    return tuple(made)


def _gained(flow: Gradient, gains: tuple[Gain, ...]) -> Gradient:
    made = []
    for count, left, right in aligned([f.channels for f in flow], [g.channels for g in gains]):
        part, gain = flow[left], gains[right]
        if gain.places:
            part = part._replace(square=each(mul, part.square, gain.places))
        factor, profile = gain.factor, None
        if gain.rivals:
            factor *= 1 - part.shared
        if any(gain.taken):
            even, leaning = gain.taken
            kept = max(_LEAST, 1 - part.even * even - part.lean * leaning)
            factor *= kept
            part = part._replace(
                even=part.even * max(0.0, 1 - even) / kept,
                lean=part.lean * max(0.0, 1 - leaning) / kept,
            )
        moments, lean = gain.bends, part.lean
        if moments:
            lean = part.even * moments.lean
        if moments and (part.profile or len(moments.given.points) > 1):
            after = part.profile or {}
            passing = [square * after.get(value, 1.0) for value, square in moments.paths]
            values, shares = zip(*moments.given.scattered, strict=True)
            factor = sum(map(mul, passing, shares))
            profile = {v: each / factor for v, each in zip(values, passing, strict=True)}
        made.append(
            part.times(factor, count)._replace(
                alike=part.alike * gain.kept, even=part.even * gain.even, lean=lean, profile=profile
            )
        )
    return tuple(made)


def _unnormed(flow: Gradient, passed: Passed, before: Tensor) -> Gradient:
    """What a batch norm hands on; of values that are points alone, with its profile."""
    (made, *more), profile, law = _gained(flow, passed.gains), flow[0].profile, before[0].law
    if profile is None or more or law.variance > 0:
        return (made, *more)
    pairs = zip(law.points, passed.tensor[0].law.points, strict=True)
    return (made._replace(profile={old.value: profile.get(new.value, 1.0) for old, new in pairs}),)


def _to_gate(gradient: Gradient, gated: Tensor) -> Gradient:
    """What a gate gets of the gradient of its product: the sum over positions by what it gates.

    Signals and gradients that are alike at all positions add up before they are squared; so do
    gradients whose sign at a position goes with the signal there.
    """
    pairs = aligned([flow.channels for flow in gradient], [part.channels for part in gated])
    made = []
    for count, left, right in pairs:
        flow, part = gradient[left], gated[right]
        positions = len(part.square) * len(part.square[0])
        total = sum(map(sum, each(mul, flow.square, part.square)))
        alike = flow.even * part.steady + flow.lean * part.apart
        whole = sum(map(sum, flow.square))
        total += alike * whole * positions
        shared = (1 + flow.even * positions) * whole * part.law.mean**2
        made.append(
            Flow(
                count,
                ((total,),),
                flow.scale,
                total,
                flow.alike,
                shared=min(1.0, shared / total) if total else 0.0,
            )
        )
    return tuple(made)
