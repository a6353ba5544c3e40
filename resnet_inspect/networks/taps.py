"""Where a backbone's features are taken: C1 to C5 of detection and segmentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.networks.graph import HEAD, STEM, Layer, LayerGraph, once
from resnet_inspect.networks.ops import Pool2d
from resnet_inspect.networks.wiring import pieces


class Tap(NamedTuple):
    """A tensor that passes from one resolution to the next.

    name: C1 for the stem's, if it has one, and on for the stages' (Lin et al. 2016, arXiv
    1612.03144, section 3); of networks that no spec describes, C and the binary logarithm of its
    stride. node: the module whose output it is. stage: its number among the stages of residual
    blocks, None for the stem.
    """

    name: str
    node: str
    layer: Layer
    stage: int | None


@once
def taps(graph: LayerGraph) -> tuple[Tap, ...]:
    """The taps of a network, from the input on.

    A spec has one behind its stem, before any pooling, and one behind each stage. Of any other
    network they are the last tensor of each resolution that all that follows is computed from.
    """
    if graph.spec is None:
        return _by_resolution(graph)
    blocks = [stage for stage in graph.stages if stage.blocks[0].kind not in (STEM, HEAD)]
    stem = next((stage for stage in graph.stages if stage.blocks[0].is_stem), None)
    ends = [layer for layer in stem.layers if not isinstance(layer.op, Pool2d)] if stem else []
    own = len({stage.path for stage in blocks}) == len(blocks)  # VGG's stages share a module
    first = [Tap("C1", ends[-1].path, ends[-1], None)] if ends else []
    number = 1 + len(first)
    behind = [
        Tap(f"C{number + at}", stage.path if own else stage.output.path, stage.output, at)
        for at, stage in enumerate(blocks)
    ]
    return (*first, *behind)


def _by_resolution(graph: LayerGraph) -> tuple[Tap, ...]:
    named = {stage.output.name: stage.path for stage in graph.stages}
    height = graph.input_shape[1] if len(graph.input_shape) == 3 else 0
    last: dict[int, Layer] = {}
    for piece in pieces(graph.layers):
        shape = piece[-1].output_shape
        if len(shape) == 3 and shape[1] > 1 and height % shape[1] == 0:
            stride = height // shape[1]
            if stride.bit_count() == 1:
                last[stride.bit_length() - 1] = piece[-1]
    return tuple(
        Tap(f"C{level}", named.get(layer.name) or layer.path, layer, None)
        for level, layer in sorted(last.items())
    )


def tapped(graph: LayerGraph, names: Iterable[str]) -> dict[str, Layer]:
    """The layers whose outputs some taps, modules or layers give, by the names asked for.

    A module's output is that of the last layer in it. Raises UnknownNameError with the nearest
    names, and InspectError where none is given.
    """
    by_tap = {tap.name: tap.layer for tap in taps(graph)}
    ends: dict[str, Layer] = {}
    for layer in graph.layers:
        parts = layer.path.split(".")
        for depth in range(1, len(parts) + 1):
            ends[".".join(parts[:depth])] = layer
    known = {**ends, **{layer.name: layer for layer in graph.layers}, **by_tap}
    asked = list(names)
    if not asked:
        raise InspectError("no features; name taps such as C4, or modules such as layer3")
    for name in asked:
        if name not in known:
            raise unknown(
                f"feature of {graph.name}",
                name,
                known,
                f"give {', '.join(by_tap)}, or a module such as {next(iter(ends))}",
            )
    return {name: known[name] for name in asked}
