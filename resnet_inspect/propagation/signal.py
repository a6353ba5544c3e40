"""The variance of the signal and the mean square of the gradient through a network.

At initialisation, in closed form: `forward` and `backward` have the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import hypot
from typing import NamedTuple

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage, once
from resnet_inspect.networks.wiring import residual_ends
from resnet_inspect.propagation.backward import gradients
from resnet_inspect.propagation.doubts import Doubt, doubts
from resnet_inspect.propagation.flows import Strands, start, whole
from resnet_inspect.propagation.forward import passed
from resnet_inspect.propagation.laws import leak_of
from resnet_inspect.propagation.maps import mean, uniform
from resnet_inspect.propagation.tensors import (
    Initial,
    Passed,
    Tensor,
    average,
    averaged,
    noise,
    nothing,
    spatial,
)

INITIALISATIONS = ("published", "torch")

NEAR = 0.1
"""How far off, as a share, theory may be where it still holds."""


class LayerSignal(NamedTuple):
    """What theory says of a layer's output; None where it has no rule.

    variance: over inputs and positions, in the mean over channels. gradient: the mean square of
    the gradient, where that of the network's output is 1. alike: how the gradients of two inputs
    correlate, for the same gradient of the output.
    """

    name: str
    mean_square: float | None = None
    variance: float | None = None
    gradient: float | None = None
    alike: float | None = None


class Spread(NamedTuple):
    """What several seeds gave: their mean, and its standard error."""

    mean: float
    error: float

    @property
    def share(self) -> float:
        """The error as a share of the mean."""
        return self.error / abs(self.mean) if self.mean else 0.0

    def times(self, factor: float) -> Spread:
        """Of each value times a factor."""
        return Spread(factor * self.mean, factor * self.error)

    def over(self, other: Spread) -> Spread:
        """The ratio of two means, their errors taken as independent."""
        ratio = self.mean / other.mean
        return Spread(ratio, ratio * hypot(self.share, other.share))


class MeasuredLayer(NamedTuple):
    """A layer as LayerSignal has it, measured."""

    mean_square: Spread
    variance: Spread
    gradient: Spread


Measured = Mapping[str, MeasuredLayer]
"""By the name of the layer."""


@dataclass(frozen=True)
class Signal:
    """A network's signal and gradient, layer by layer in running order.

    stopped: the layer at which theory stops, if any: no rule covers it, or what it is fed. doubts:
    where it goes on, but is known to be off.
    """

    graph: LayerGraph
    init: str
    layers: tuple[LayerSignal, ...]
    stopped: str | None = None
    doubts: tuple[Doubt, ...] = ()
    measured: Measured = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.graph.name

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The residual blocks, or what blocks a network has."""
        return self.graph.body or self.graph.blocks

    @property
    def ends(self) -> tuple[str, str]:
        """The outputs of the first and of the last of them."""
        return self.blocks[0].output.name, self.blocks[-1].output.name

    def parts_at(self, key: str) -> str | None:
        """The block behind which theory and measurement part; None where they never do.

        By more than NEAR and two standard errors. Variances are followed from the first block's
        output on; gradients from the last one's back, as ratios to that one's.
        """
        back = key == "gradient"
        for block in reversed(self.blocks) if back else self.blocks:
            exact, found = self.ratio(key, block.output.name, self.ends[1] if back else None)
            if not exact or not found or abs(found.mean / exact - 1) > NEAR + 2 * found.share:
                return block.name
        return None

    def ratio(
        self, key: str, over: str, under: str | None = None
    ) -> tuple[float | None, Spread | None]:
        """A layer's value, or by how much it is more than another's, in theory and as measured."""
        theory, measured = (getattr(self.by_name[over], key), None)
        if over in self.measured:
            measured = getattr(self.measured[over], key)
        if under is None:
            return theory, measured
        less, found = self.ratio(key, under)
        return (
            theory / less if less and theory is not None else None,
            measured.over(found) if measured and found and found.mean else None,
        )

    @cached_property
    def by_name(self) -> dict[str, LayerSignal]:
        return {layer.name: layer for layer in self.layers}


def initial_of(graph: LayerGraph, init: str) -> Initial:
    """How the weights of a network start; raises UnknownNameError."""
    if init not in INITIALISATIONS:
        raise unknown("initialisation", init, INITIALISATIONS)
    slopes = [x.op.negative_slope for x in graph.layers if isinstance(x.op, ops.LeakyReLU)]
    straight = all(
        leak_of(x.op) is not None
        for x in graph.layers
        if isinstance(x.op, ops.Activation) and spatial(x.output_shape) != (1, 1)
    )
    zeroed = frozenset[str]()
    if init == "published" and graph.spec is not None and graph.spec.zero_gamma:
        zeroed = frozenset(layer.name for layer in residual_ends(graph))
    return Initial(init, slopes[0] if slopes else 0.0, straight, zeroed=zeroed)


def signal(graph: LayerGraph, init: str = "published") -> Signal:
    """What theory says of every layer; raises UnknownNameError for the initialisation."""
    initial = initial_of(graph, init)
    known = forth(graph, initial)
    last = graph.output
    back: dict[str, Strands] = {}
    if last.name in known:
        ones = uniform(spatial(last.output_shape))
        back = gradients(
            graph.layers, known, initial, {last.name: start(last.output_shape[0], ones)}
        )
    return Signal(
        graph,
        init,
        tuple(_told(layer, known.get(layer.name), back.get(layer.name)) for layer in graph.layers),
        next((layer.name for layer in graph.layers if layer.name not in known), None),
        doubts(graph.layers, known),
    )


@once
def forth(graph: LayerGraph, initial: Initial) -> Mapping[str, Passed]:
    """The signal at every layer that theory reaches."""
    tensors: dict[str, Tensor] = {
        name: noise(shape) for name, shape in graph.inputs.items() if 0 < len(shape) < 4
    }
    known: dict[str, Passed] = {}
    for layer in graph.layers:
        given = [tensors[name] for name in layer.inputs if name in tensors]
        if given and len(given) == len(layer.inputs):
            made = passed(layer.op, given, layer, initial)
            if made is not None and layer.name in initial.zeroed:
                made = made._replace(tensor=nothing(layer.output_shape))
            if made is not None:
                known[layer.name], tensors[layer.name] = made, made.tensor
    return known


def _told(layer: Layer, forward: Passed | None, strands: Strands | None) -> LayerSignal:
    if forward is None:
        return LayerSignal(layer.name)
    mean_square = mean(averaged(forward.tensor, "square"))
    told = LayerSignal(layer.name, mean_square, average(forward.tensor, "variance"))
    if strands is None:
        return told
    backward = whole(strands)
    count = sum(part.channels for part in backward)
    sizes = [part.channels / count * part.size for part in backward]
    alike = sum(s * p.alike for s, p in zip(sizes, backward, strict=True))
    return told._replace(gradient=sum(sizes), alike=alike / sum(sizes) if sum(sizes) else None)


def without_norm(graph: LayerGraph) -> LayerGraph:
    """The network without its normalization layers; raises InspectError for one that is traced."""
    if graph.maker is not None or graph.run is not None:
        raise InspectError(f"{graph.name} is traced, and its norms are its own; trace it without")
    instead: dict[str, str] = {}
    stages = []
    for stage in graph.stages:
        for layer in [layer for block in stage.wired for layer in block.layers]:
            if layer.op.category == "normalization":
                instead[layer.name] = instead.get(layer.inputs[0], layer.inputs[0])
        wired = tuple(block.without(instead) for block in stage.wired)
        stages.append(Stage(stage.name, stage.path, wired, stage.repeats))
    return replace(graph, name=f"{graph.name} without norm", stages=tuple(stages), spec=None)
