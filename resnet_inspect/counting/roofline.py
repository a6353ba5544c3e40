"""Cost and a device's measured ceilings -> a layer's least time, and what bounds it.

Williams, Waterman & Patterson 2009, 'Roofline: An Insightful Visual Performance Model for
Multicore Architectures': least time = max(FLOPs / peak, bytes / bandwidth). FLOPs are costs.py's
(2 x MACs + elementwise terms) and bytes the compulsory traffic: every input and parameter read
once, every output written once.

The peak is the fastest matrix product or convolution that the device was seen to do. The bandwidth
is the fastest copy of at least as many bytes as the layer moves, so that what fits in a cache is
held against the cache. An algorithm that multiplies less (Winograd) can beat such a floor; nothing
else should.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting.costs import Cost, checked_batch, total
from resnet_inspect.counting.dtypes import ITEMSIZE
from resnet_inspect.errors import unknown
from resnet_inspect.networks.fusion import fuse
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import BatchNorm2d, Conv2d, Op
from resnet_inspect.networks.shapes import Shape, elements


class Ceilings(NamedTuple):
    """What a device was measured to do at best.

    device: its name; kind: cpu or cuda. rates: FLOP/s (2 x MACs) by dtype, of the fastest of some
    matrix products and convolutions.
    copies: bytes moved by a copy (read and written) with bytes/s. launch: seconds between two of
    the smallest operations.
    """

    device: str
    kind: str
    rates: Mapping[str, float]
    copies: tuple[tuple[int, float], ...]
    launch: float

    @property
    def bandwidth(self) -> float:
        """Bytes/s of the largest copy: memory, not cache."""
        return max(self.copies)[1]

    @property
    def cache_bandwidth(self) -> float:
        """Bytes/s of the fastest copy, whatever its size."""
        return max(rate for _, rate in self.copies)

    def bandwidth_of(self, moved: int) -> float:
        """Bytes/s of the fastest copy of at least `moved` bytes; the largest copy's beyond that."""
        fitting = [rate for size, rate in self.copies if size >= moved]
        return max(fitting, default=self.bandwidth)

    def rate(self, dtype: str) -> float:
        """FLOP/s; raises UnknownNameError for a dtype not measured."""
        if dtype not in self.rates:
            raise unknown(f"dtype among the ceilings of {self.device}", dtype, self.rates)
        return self.rates[dtype]


class Work(NamedTuple):
    """Layers that run as one kernel, and what they cannot do without. bytes: compulsory traffic."""

    name: str
    layers: tuple[Layer, ...]
    macs: int
    flops: int
    bytes: int
    uncounted: int = 0

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity, FLOPs for each byte; None where nothing moves."""
        return self.flops / self.bytes if self.bytes else None


class Bound(NamedTuple):
    """The least seconds that some work can take. by: 'compute', 'memory', or '' for no work."""

    work: Work
    compute: float
    memory: float

    @property
    def least(self) -> float:
        """Seconds: neither arithmetic nor memory can be faster."""
        return max(self.compute, self.memory)

    @property
    def by(self) -> str:
        """Which of the two it waits for."""
        if not self.least:
            return ""
        return "compute" if self.compute >= self.memory else "memory"


def works(graph: LayerGraph, batch: int = 1, dtype: str = "fp32") -> tuple[Work, ...]:
    """Every layer as a kernel of its own, in running order; raises InspectError."""
    itemsize = _checked(batch, dtype)
    return tuple(
        _work(layer.name, (layer,), total((layer,), batch), itemsize) for layer in graph.layers
    )


def fused(graph: LayerGraph, batch: int = 1, dtype: str = "fp32") -> tuple[Work, ...]:
    """Kernels with batch norm, activation and addition fused into what makes their input.

    A layer joins the kernel that makes its input where nothing else reads that input: nothing but
    the last output is then written. Batch norm after a convolution is folded into its weights and
    leaves a bias (Jacob et al. 2018, arXiv 1712.05877, section 3.2). Raises InspectError.
    """
    itemsize = _checked(batch, dtype)
    return tuple(
        _work(group[0].name, group, _fused_cost(group, batch), itemsize) for group in fuse(graph)
    )


def _checked(batch: int, dtype: str) -> int:
    checked_batch(batch)
    if dtype not in ITEMSIZE:
        raise unknown("dtype", dtype, ITEMSIZE)
    return ITEMSIZE[dtype]


def _work(name: str, layers: tuple[Layer, ...], cost: Cost, itemsize: int) -> Work:
    return Work(name, layers, cost.macs, cost.flops, cost.traffic(itemsize), cost.uncounted)


def _fused_cost(group: Sequence[Layer], batch: int) -> Cost:
    """What a fused kernel does and moves, for `batch` samples."""
    if len(group) == 1:
        return total(group, batch)
    first, second = group[:2]
    cost = total(group)
    if isinstance(first.op, Conv2d) and isinstance(second.op, BatchNorm2d):
        folded = total((second,))  # into the weights; what is left of it is a bias
        cost = cost._replace(
            params=cost.params + first.op.out_channels * (not first.op.bias) - folded.params,
            bias=elements(first.output_shape),
            normalization=cost.normalization - folded.normalization,
        )
    inside = {layer.name for layer in group}
    read = sum(
        elements(shape)
        for layer in group
        for source, shape in zip(layer.inputs, layer.input_shapes, strict=True)
        if source not in inside
    )
    return cost._replace(read=read, written=elements(group[-1].output_shape), buffers=0).for_batch(
        batch
    )


def bounds(parts: Iterable[Work], ceilings: Ceilings, dtype: str = "fp32") -> tuple[Bound, ...]:
    """The bound of every kernel; raises UnknownNameError for a dtype without a ceiling."""
    rate = ceilings.rate(dtype)
    return tuple(
        Bound(part, part.flops / rate, part.bytes / ceilings.bandwidth_of(part.bytes))
        for part in parts
    )


def floor(kernels: Iterable[Bound]) -> float:
    """Seconds that kernels need that run one after another: the sum of their least times."""
    return sum(bound.least for bound in kernels)


class Row(NamedTuple):
    """A layer, or the layers of a fused kernel, under the roofline.

    bytes: compulsory traffic; bound: 'compute', 'memory' or ''; least, measured: seconds (measured
    is None where it was not timed).
    """

    name: str
    stage: str
    block: str
    ops: tuple[Op, ...]
    output_shape: Shape
    macs: int
    flops: int
    bytes: int
    uncounted: int
    bound: str
    least: float
    measured: float | None = None


class Roofline(NamedTuple):
    """A network on a device: a row for each layer, or for each kernel if `fusing`.

    floor, fused_floor: seconds of the whole network, with each layer as a kernel of its own, and
    with batch norm, activation and addition fused into what makes their input. rate: FLOP/s;
    bandwidth, cache_bandwidth: bytes/s of the largest and of the fastest copy. whole: measured
    seconds of the network run as usual; of_whole: the layers' sum relative to it.
    """

    model: str
    input: Shape
    batch: int
    dtype: str
    device: str
    rate: float
    bandwidth: float
    cache_bandwidth: float
    floor: float
    fused_floor: float
    rows: tuple[Row, ...]
    fusing: bool = False
    whole: float | None = None
    of_whole: float | None = None

    @property
    def timed(self) -> bool:
        """Whether the rows were measured."""
        return bool(self.rows) and self.rows[0].measured is not None


def roofline(
    graph: LayerGraph,
    ceilings: Ceilings,
    batch: int = 1,
    dtype: str = "fp32",
    *,
    fusing: bool = False,
) -> Roofline:
    """The roofline of a network; raises InspectError for a batch, dtype or missing ceiling."""
    layers = bounds(works(graph, batch, dtype), ceilings, dtype)
    kernels = bounds(fused(graph, batch, dtype), ceilings, dtype)
    place = {
        layer.name: (stage.name, block.name)
        for stage in graph.stages
        for block in stage.blocks
        for layer in block.layers
    }
    return Roofline(
        model=graph.name,
        input=graph.input_shape,
        batch=batch,
        dtype=dtype,
        device=ceilings.device,
        rate=ceilings.rate(dtype),
        bandwidth=ceilings.bandwidth,
        cache_bandwidth=ceilings.cache_bandwidth,
        floor=floor(layers),
        fused_floor=floor(kernels),
        rows=tuple(
            _row(bound, *place[bound.work.name]) for bound in (kernels if fusing else layers)
        ),
        fusing=fusing,
    )


def _row(bound: Bound, stage: str, block: str) -> Row:
    name, layers, *_ = work = bound.work
    ops, shape = tuple(layer.op for layer in layers), layers[-1].output_shape
    counts = work.macs, work.flops, work.bytes, work.uncounted
    return Row(name, stage, block, ops, shape, *counts, bound.by, bound.least)
