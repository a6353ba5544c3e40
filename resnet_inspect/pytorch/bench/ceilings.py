"""What a device does at best, measured: arithmetic, copies, and the launch of an operation.

Arithmetic is the fastest of some matrix products and convolutions: on a GPU the product wins, on
a CPU the library for convolutions may be the better one, and a ceiling must hold for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from statistics import median

import torch
from msgspec.structs import replace

from resnet_inspect.measuring.ceilings import CeilingsCache
from resnet_inspect.measuring.records import Convolution, DeviceCeilings, Product, timestamp
from resnet_inspect.measuring.sampling import Step, StoppingRule, sample
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench.backend_flags import DTYPES, settings
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.runner import attempt
from resnet_inspect.pytorch.bench.workload import FORMATS, has_tf32

PRODUCTS = {
    "cuda": tuple(map(Product, (2048, 4096, 8192))),
    "cpu": tuple(map(Product, (256, 512, 1024, 2048))),
}
"""Tried up to the first that takes too long."""

CONVOLUTIONS = {
    "cuda": (Convolution(256, 56, 64),),
    "cpu": (Convolution(64, 56, 1), Convolution(256, 14, 4)),
}
"""Both layouts are tried."""

TOO_LONG = 0.25
"""Seconds of one run beyond which no larger one is tried."""

SMALLEST_COPY = 1 << 20
"""Bytes that the smallest copy reads; each further one reads four times as many."""

LAUNCHES = 1000

BUDGET = 0.5
"""Seconds for each of some twenty measurements at most."""

Say = Callable[[str], None]


def measure_ceilings(
    device: torch.device, *, threads: int | None = None, say: Say = lambda _: None
) -> DeviceCeilings:
    """Measure a device, in some twenty measurements of BUDGET seconds at most."""
    rule = StoppingRule(half_width=0.01, budget=BUDGET, warmup=BUDGET / 2, least=10)
    before = machine.condition(device)
    rates: dict[str, float] = {}
    fastest: dict[str, Product | Convolution] = {}
    for dtype in _dtypes(device):
        with settings(dtype, threads):
            for kernel, rate in _arithmetic(dtype, device, rule, say):
                if rate > rates.get(dtype, 0.0):
                    rates[dtype], fastest[dtype] = rate, kernel
    with settings(threads=threads) as held:
        described = machine.describe(device)
        copies = []
        for size in _copy_sizes(device):
            say(f"copy of {size >> 20} MiB")
            times = _timed(partial(_copy, size, device), device, rule)
            if times:  # the fastest run: a ceiling is what the device can do
                copies.append((2 * size, 2 * size / min(times)))
        say("launch")
        with torch.inference_mode():
            launches = sample(clock_of(device), _launches(device), rule)
    return DeviceCeilings(
        made=timestamp(),
        rates=rates,
        fastest=fastest,
        copies=tuple(copies),
        launch=median(launches.times) / LAUNCHES,
        rule=rule,
        settings=held,
        device=described,
        software=machine.software(),
        before=before,
        after=machine.condition(device),
    )


def ceilings(
    device: torch.device,
    *,
    threads: int | None = None,
    refresh: bool = False,
    say: Say = lambda _: None,
) -> DeviceCeilings:
    """The stored ceilings of this device under this torch, or new ones, which are then stored.

    On a CPU those of another number of threads are another device's.
    """
    if not refresh:
        stored = stored_ceilings(device, threads)
        if stored is not None:
            return stored
    cache = CeilingsCache.of_user()
    cache.prepare()
    measured = measure_ceilings(device, threads=threads, say=say)
    cache.save(measured)
    return measured


def stored_ceilings(device: torch.device, threads: int | None = None) -> DeviceCeilings | None:
    """The stored ceilings of this device under this torch; None where there are none."""
    with settings(threads=threads):
        described = machine.describe(device)
    same = {key: getattr(described, key) for key in ("kind", "name", "threads", "driver")}
    stored = CeilingsCache.of_user().load(**same)
    same_torch = stored is not None and stored.software.torch == torch.__version__
    return stored if same_torch else None


def _dtypes(device: torch.device) -> list[str]:
    return [dtype for dtype in DTYPES if dtype != "tf32" or has_tf32(device)]


def _copy_sizes(device: torch.device) -> Iterator[int]:
    """From what fits a cache to eight times the last one."""
    size, largest = SMALLEST_COPY, max(8 * machine.cache_size(device), 256 << 20)
    if device.type == "cuda":
        largest = max(largest, 1 << 30)
    while size < largest:
        yield size
        size *= 4
    yield largest


def _timed(make: Callable[[], Step], device: torch.device, rule: StoppingRule) -> Sequence[float]:
    """Seconds of a step; none where the device has no memory for it, or no kernel."""

    def run() -> Sequence[float]:
        with torch.inference_mode():
            return sample(clock_of(device), make(), rule).times

    return attempt(run, device).value or ()


def _arithmetic(
    dtype: str, device: torch.device, rule: StoppingRule, say: Say
) -> Iterator[tuple[Product | Convolution, float]]:
    """What was tried, with the FLOP/s (2 x MACs) that it reached."""
    for kernel in PRODUCTS[device.type]:
        say(f"{dtype}, {kernel}")
        times = _timed(partial(_product, dtype, kernel, device), device, rule)
        if not times:
            break
        yield kernel, kernel.flops / min(times)
        if min(times) > TOO_LONG:  # the first run may make a library's handle
            break
    for convolution, layout in product(CONVOLUTIONS[device.type], FORMATS):
        tried = replace(convolution, memory_format=layout)
        say(f"{dtype}, {tried}")
        if times := _timed(partial(_convolution, dtype, tried, device), device, rule):
            yield tried, tried.flops / min(times)


def _product(dtype: str, kernel: Product, device: torch.device) -> Step:
    # Random numbers: a GPU multiplies zeros faster, since they cost less power.
    shape = kernel.side, kernel.side
    left, right = (torch.randn(shape, device=device).to(DTYPES[dtype]) for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def _convolution(dtype: str, kernel: Convolution, device: torch.device) -> Step:
    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, device=device).to(DTYPES[dtype])
        return values.contiguous(memory_format=FORMATS[kernel.memory_format])

    channels = kernel.channels
    batch = random(kernel.batch, channels, kernel.size, kernel.size)
    weight = random(channels, channels, 3, 3)
    return lambda: torch.nn.functional.conv2d(batch, weight, padding=1)


def _copy(size: int, device: torch.device) -> Step:
    source = torch.randint(255, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _launches(device: torch.device) -> Step:
    """Operations on one element, one behind the other."""
    one = torch.zeros(1, device=device)

    def many() -> None:
        for _ in range(LAUNCHES):
            one.add_(1.0)

    return many
