"""How long a kernel takes on a device: its peaks, and what share of them kernels reach.

    rate    = peak x share x depth / (depth + d) x width / (width + w) x outputs / (outputs + o)
    compute = 2 macs batch / rate
    memory  = bytes / (bandwidth x share)
    kernel  = (compute^s + memory^s)^(1/s) + launch
    pass    = what takes longer: the kernels, or the host that starts them

A roofline (Williams et al. 2009) whose two roofs are reached in part. A matrix unit reaches its
rate the less, the fewer products an output sums and the fewer channels share an input, and a device
the less, the fewer outputs each of its units computes: half of it at d, w and o. s is how sharply
the two roofs meet: large where arithmetic and transfers overlap. Matrix units take channels of 16
bits by eights, and groups of more than 16 by thirty-twos, to which others are padded. A group for
which there is no kernel is computed as a tile of 128 channels, of which only its own count.
Activations that the cache still holds move faster than from memory.

Processors differ: oneDNN lays a product's weights out anew in each pass, which takes time of its
own; what counts for their rate are positions of a core, not outputs; activations move at the cores'
clock, as the cache holds them; what a product writes is fetched first; a core updates a norm's mean
and variance vector by vector; and their kernels start on the processor that runs them, so a pass
takes a time of its own besides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from resnet_inspect.counting.autocast import AUTOCAST
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.groups import TILE
from resnet_inspect.forecasting.kernels import PRODUCTS, Kernel

ALIGNED = 8
"""Channels of 16 bits that a matrix unit takes at once."""

GROUPED = 32
"""The same for groups, but those of up to half as many."""

PADDED = 3
"""How often activations of other numbers of channels move: copied to padded ones, and back."""

LAID = {"window": 5, "grouped": 5, "matrix": 3, "tiled": 5}
"""How often a processor moves a product's weights: oneDNN reads them, writes them in its order, and
reads those. Those of windows Inductor copies before, to have the channels last: two more."""

EVICTED = 3
"""How often weights move once more whose copy outgrows the cache: fetched to be written, written
out, and fetched again."""

MAPPED = 32 * 2**20
"""Bytes from which malloc of glibc maps pages anew for each copy (its largest mmap threshold)."""

FAULTING = 2
"""How much longer copies on such pages take, which the system clears as they are first written."""

WRITTEN = 2
"""How often outputs of a processor's product move: their lines are fetched before they change."""

KEPT, KEPT_ON_CPU = 2, 4
"""How sharply a cache stops to hold activations as they outgrow it: a power of their size."""

SUSTAINED = 0.7
"""The share of its memory bandwidth that a processor reaches, whatever kernel waits for it."""

WELFORD = 50
"""Cycles in which a core updates a mean and variance by a number, or by a vector of them: each step
waits for the one before, which divides (Welford 1962)."""

VECTOR = 8
"""Numbers of 32 bits in a vector of a processor; AVX-512 has twice as many."""

LOOPS = 2
"""Parallel loops of a norm's statistics: its mean and variance, and from them scale and shift."""

HOST_SHARPNESS = 6.0
"""How sharply host and device meet: close to whichever takes longer."""


class Efficiency(NamedTuple):
    """What kernels reach of a device's peaks. All are positive; their logarithms are fitted.

    window, matrix, grouped, tiled: share of the peak FLOP/s that such products reach at any depth
        and width (over 1 where an algorithm multiplies less, such as Winograd's).
    feeding, streaming, pooling: share of the memory bandwidth for activations of products, of
        elementwise kernels and of pools (of a processor: of what the cache moves).
    loading: the same for weights (of a processor: as they are laid out).
    depth, width, filling: products an output sums, output channels, and outputs for each
        multiprocessor (positions for each core), at which half the rate is reached.
    sharpness: s above, less 1.
    caching: how much faster than from memory activations move that the cache holds, less 1.
    launch: seconds that a kernel takes at least, on the device; host: seconds to start one (of a
        processor: what a pass takes besides its kernels).
    """

    window: float = 1.1
    matrix: float = 1.0
    grouped: float = 0.7
    tiled: float = 0.6
    feeding: float = 0.8
    streaming: float = 0.9
    pooling: float = 0.6
    loading: float = 0.5
    depth: float = 20.0
    width: float = 25.0
    filling: float = 1000.0
    sharpness: float = 3.0
    caching: float = 1.0
    launch: float = 3e-6
    host: float = 4e-5


class Way(NamedTuple):
    """How a network runs: eager or compile, nchw or nhwc, training or not, on cuda or cpu."""

    mode: str
    layout: str
    train: bool
    kind: str

    @property
    def key(self) -> str:
        """What efficiencies are kept by: ways that run the same kernels have one."""
        if self.kind == "cpu":
            return "cpu-train" if self.train else "cpu"
        # what Inductor's kernels reach is about the same in either order
        mode = "compile" if self.mode == "compile" else f"eager-{self.layout}"
        return f"{mode}-train" if self.train else mode

    @property
    def order(self) -> str:
        """Where products of a GPU find the channels: one of `inductor.ORDERS`."""
        if self.kind == "cpu":
            return "first"
        if self.layout == "nhwc":
            return "last"
        return "chosen" if self.mode == "compile" else "first"

    def runs(self, precision: str) -> tuple[str, bool, bool, str]:
        """What `kernels` takes: mode, train, autocast, order."""
        return self.mode, self.train, precision in AUTOCAST, self.order


class Setting(NamedTuple):
    """How a network is run, as far as bytes and peaks depend on it.

    dtype: of the arithmetic. activations, weights: bytes of an element that moves.
    """

    dtype: str
    activations: int
    weights: int


SETTINGS: Mapping[str, Setting] = {
    "fp32": Setting("fp32", 4, 4),
    "tf32": Setting("tf32", 4, 4),
    "fp16": Setting("fp16", 2, 2),
    "bf16": Setting("bf16", 2, 2),
    # autocast reads weights of fp32, writes them as 16 bits and reads those
    "amp-fp16": Setting("fp16", 2, 8),
    "amp-bf16": Setting("bf16", 2, 8),
}
"""By the precision that users name."""


class Time(NamedTuple):
    """Seconds of one kernel: at the compute roof, at the memory roof, and as a whole."""

    compute: float
    memory: float
    whole: float

    @property
    def bound(self) -> str:
        """What it waits for: 'compute', 'memory' or 'launch'."""
        rest = self.whole - max(self.compute, self.memory)
        if rest > max(self.compute, self.memory):
            return "launch"
        return "compute" if self.compute >= self.memory else "memory"


def kernel_time(
    kernel: Kernel, batch: int, device: Device, setting: Setting, of: Efficiency
) -> Time:
    """The seconds of one kernel; raises InspectError where the device lacks the dtype."""
    kind, macs, depth, width, moved, weights = kernel
    bandwidth, on_cpu = device.bandwidth, device.kind == "cpu"
    carries: float = getattr(of, _CARRIES.get(kind, "pooling"))
    moving = _moving(moved * batch * setting.activations, device, of.caching, carries)
    held = weights * setting.weights
    loaded = held / (bandwidth * of.loading)
    if kind in PRODUCTS:
        share: float = getattr(of, kind)
        filled = batch * macs / depth / device.units
        if on_cpu:
            filled /= width
            moving *= 1 + (WRITTEN - 1) * macs / depth / moved
        rate = device.peak(setting.dtype) * share * depth / (depth + of.depth)
        if kind == "tiled":
            rate *= min(1.0, width / TILE)
        else:
            rate *= width / (width + of.width)
            if setting.activations == 2 and kind == "grouped":
                rate *= _aligned(width, GROUPED, GROUPED // 2)
            elif setting.activations == 2:
                aligned = _aligned(width) * _aligned(depth // (9 if kind == "window" else 1))
                rate *= aligned
                moving *= PADDED if aligned < 1 else 1
        rate *= filled / (filled + of.filling)
        compute = 2 * macs * batch / rate
        memory, before = moving, 0.0
        if not on_cpu:
            memory += loaded
        elif macs * batch <= weights:
            before = held / bandwidth
        else:
            before = loaded * _laid(kind, held, device.cache)
        sharp = 1 + of.sharpness
        high, low = (compute, memory) if compute > memory else (memory, compute)
        whole = high * math.pow(1 + math.pow(low / high, sharp), 1 / sharp)
        return Time(compute, memory + before, whole + before + of.launch)
    memory = moving + (held / bandwidth / of.pooling if on_cpu else loaded)
    if kind == "statistics" and on_cpu:
        updating = _updating(moved * batch, width, device)
        return Time(updating, memory, updating + memory + LOOPS * of.launch)
    return Time(0.0, memory, memory + of.launch)


WORD = 4
"""Bytes that a core of a processor moves in a cycle from its cache at a share of 1."""


_CARRIES = dict.fromkeys(PRODUCTS, "feeding") | {"elementwise": "streaming"}
"""Which share of the bandwidth a kind's activations have; 'pooling' where none is said."""


def _moving(carried: int, device: Device, caching: float, share: float) -> float:
    """Seconds of moving bytes of activations, the more of them cached, the less.

    A processor's cache holds what is made beside what it is made of.
    """
    if device.kind == "cpu":
        held = 1 / (1 + (2 * carried / device.cache) ** KEPT_ON_CPU) if device.cache else 0.0
        cached = WORD * device.units * device.clock * caching * share
        return carried * (held / cached + (1 - held) / min(cached, device.bandwidth * SUSTAINED))
    held = 1 / (1 + (carried / device.cache) ** KEPT) if device.cache else 0.0
    return carried / (device.bandwidth * share * (1 + held * caching))


def _aligned(channels: int, by: int = ALIGNED, least: int = ALIGNED) -> float:
    """The share of what a matrix unit multiplies that is no padding."""
    return channels / (by * -(-channels // by)) if channels > least else 1.0


def _laid(kind: str, held: int, cache: int) -> float:
    """Traffic of a product's weights that a processor lays out, as a multiple of their bytes."""
    times = LAID[kind] * (FAULTING if held > MAPPED else 1)
    return times + EVICTED * max(0.0, 1 - cache / (2 * held)) if held else times


def _updating(entries: int, width: int, device: Device) -> float:
    """Seconds that a processor updates a norm's means and variances by its entries.

    width: channels that share them. They are neighbours, which fill vectors or go one by one; where
    each channel has its own, a vector takes several at once.
    """
    cycles = device.units * device.clock
    vector = VECTOR if device.peak("fp32") < 6 * VECTOR * cycles else 2 * VECTOR
    updates = (width // vector + width % vector) / width if width > 1 else 1 / vector
    return entries * updates * WELFORD / cycles


def pass_time(
    kernels: Mapping[Kernel, int], batch: int, device: Device, setting: Setting, of: Efficiency
) -> float:
    """The seconds of all kernels, run one after another as their host starts them."""
    running = sum(
        [
            times * kernel_time(kernel, batch, device, setting, of).whole
            for kernel, times in kernels.items()
        ]
    )
    starting = starting_time(kernels, device, of)
    if device.kind == "cpu":
        return running + starting
    high, low = max(running, starting), min(running, starting)
    return high * math.pow(1 + math.pow(low / high, HOST_SHARPNESS), 1 / HOST_SHARPNESS)


def starting_time(kernels: Mapping[Kernel, int], device: Device, of: Efficiency) -> float:
    """The seconds that the host takes to start all kernels, or a processor besides them."""
    return of.host if device.kind == "cpu" else sum(kernels.values()) * of.host
