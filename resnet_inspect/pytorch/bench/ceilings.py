"""What a device does at best, measured: arithmetic, copies, and the launch of an operation.

Arithmetic is the fastest of some matrix products and convolutions: on a GPU the product wins, on
a CPU the library for convolutions may be the better one, and a ceiling must hold for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from resnet_inspect.measuring.ceilings import open_store, stored_ceilings
from resnet_inspect.measuring.records import Measurement, append, record
from resnet_inspect.measuring.sampling import Rule, Sample, sample
from resnet_inspect.measuring.statistics import median
from resnet_inspect.pytorch.bench import machine
from resnet_inspect.pytorch.bench.backend_flags import DTYPES, settings
from resnet_inspect.pytorch.bench.clock import clock_of
from resnet_inspect.pytorch.bench.runner import attempt
from resnet_inspect.pytorch.bench.workload import FORMATS

PRODUCTS = {"cuda": (2048, 4096, 8192), "cpu": (256, 512, 1024, 2048)}
"""Sides of the square matrices that are multiplied, up to the first that takes too long."""

CONVOLUTIONS = {"cuda": ((256, 56, 64),), "cpu": ((64, 56, 1), (256, 14, 4))}
"""Channels, height and width, batch of the 3x3 convolutions (both layouts are tried)."""

TOO_LONG = 0.25
"""Seconds of one run beyond which no larger one is tried."""

SMALLEST_COPY = 1 << 20
"""Bytes that the smallest copy reads; each further one reads four times as many."""

LAUNCHES = 1000

Progress = Callable[[str], None]


def measure_ceilings(
    device: torch.device,
    *,
    budget: float = 0.5,
    threads: int | None = None,
    progress: Progress = lambda _: None,
) -> Measurement:
    """Measure a device; `budget` is seconds for each of some twenty measurements at most."""
    rule = Rule(half_width=0.01, budget=budget, warmup=budget / 2, least=10)
    before = machine.condition(device)
    rates: dict[str, float] = {}
    fastest: dict[str, str] = {}
    for dtype in _dtypes(device):
        with settings(dtype, threads):
            for name, rate in _arithmetic(dtype, device, rule, progress):
                if rate > rates.get(dtype, 0.0):
                    rates[dtype], fastest[dtype] = rate, name
    with settings(threads=threads) as held:
        described = machine.describe(device)
        copies = []
        for size in _copy_sizes(device):
            progress(f"copy of {size >> 20} MiB")
            found = attempt(partial(_copy, size, device, rule), device).value
            if found is not None:
                copies.append([2 * size, 2 * size / _best(found)])
        progress("launch")
        launch = _launch(device, rule)
    return record(
        "ceilings",
        rates=rates,
        fastest=fastest,
        copies=copies,
        launch=launch,
        rule=rule._asdict(),
        settings=held,
        **machine.surroundings(device, described, before),
    )


def ceilings(
    device: torch.device,
    *,
    threads: int | None = None,
    refresh: bool = False,
    progress: Progress = lambda _: None,
) -> Measurement:
    """The stored ceilings of this device under this torch, or new ones, which are then stored.

    On a CPU those of another number of threads are another device's.
    """
    if not refresh:
        found = kept_ceilings(device, threads)
        if found is not None:
            return found
    place = open_store()
    made = measure_ceilings(device, threads=threads, progress=progress)
    append(place, made)
    return made


def kept_ceilings(device: torch.device, threads: int | None = None) -> Measurement | None:
    """The stored ceilings of this device under this torch; None where there are none."""
    with settings(threads=threads):
        described = machine.describe(device)
    same = {key: described.get(key) for key in ("kind", "name", "threads", "driver")}
    found = stored_ceilings(**same)
    same_torch = found is not None and found.fields["software"]["torch"] == torch.__version__
    return found if same_torch else None


def _dtypes(device: torch.device) -> Iterator[str]:
    for dtype in DTYPES:
        tensor_cores = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        if dtype != "tf32" or tensor_cores:
            yield dtype


def _copy_sizes(device: torch.device) -> Iterator[int]:
    """From what fits a cache to eight times the last one."""
    size, largest = SMALLEST_COPY, max(8 * machine.cache_size(device), 256 << 20)
    if device.type == "cuda":
        largest = max(largest, 1 << 30)
    while size < largest:
        yield size
        size *= 4
    yield largest


def _best(found: Sample) -> float:
    """A ceiling is what the device can do: the fastest run, not the typical one."""
    return min(found.times)


def _arithmetic(
    dtype: str, device: torch.device, rule: Rule, progress: Progress
) -> Iterator[tuple[str, float]]:
    """What was tried, in words, with the FLOP/s (2 x MACs) that it reached."""
    for side in PRODUCTS[device.type]:
        name = f"matrix product {side} x {side} x {side}"
        progress(f"{dtype}, {name}")
        found = attempt(partial(_product, dtype, side, device, rule), device).value
        if found is None:
            break
        yield name, 2 * side**3 / _best(found)
        if _best(found) > TOO_LONG:  # the first run may make a library's handle
            break
    for channels, size, batch in CONVOLUTIONS[device.type]:
        for layout, memory_format in FORMATS.items():
            name = f"3x3 convolution {channels}x{size}x{size}, batch {batch}, {layout}"
            progress(f"{dtype}, {name}")
            shape = (batch, channels, size, size)
            found = attempt(
                partial(_convolution, dtype, shape, memory_format, device, rule), device
            ).value
            if found is not None:
                # Padded, so that every output takes the whole kernel in the count.
                yield name, 2 * 9 * channels**2 * size**2 * batch / _best(found)


def _product(dtype: str, side: int, device: torch.device, rule: Rule) -> Sample:
    # Random numbers: a GPU multiplies zeros faster, since they cost less power.
    left, right = (torch.randn(side, side, device=device).to(DTYPES[dtype]) for _ in range(2))
    out = torch.empty_like(left)
    with torch.inference_mode():
        return sample(clock_of(device), lambda: torch.mm(left, right, out=out), rule)


def _convolution(
    dtype: str,
    shape: tuple[int, int, int, int],
    memory_format: torch.memory_format,
    device: torch.device,
    rule: Rule,
) -> Sample:
    channels = shape[1]
    as_wanted = {"dtype": DTYPES[dtype], "memory_format": memory_format}
    batch = torch.randn(shape, device=device).to(**as_wanted)  # type: ignore[call-overload]
    weight = torch.randn(channels, channels, 3, 3, device=device).to(**as_wanted)  # type: ignore[call-overload]
    with torch.inference_mode():
        return sample(
            clock_of(device), lambda: torch.nn.functional.conv2d(batch, weight, padding=1), rule
        )


def _copy(size: int, device: torch.device, rule: Rule) -> Sample:
    source = torch.randint(255, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return sample(clock_of(device), lambda: target.copy_(source), rule)


def _launch(device: torch.device, rule: Rule) -> float:
    """Seconds between two operations on one element, of many in a row."""
    one = torch.zeros(1, device=device)

    def many() -> Any:
        for _ in range(LAUNCHES):
            one.add_(1.0)

    with torch.inference_mode():
        return median(sample(clock_of(device), many, rule).times) / LAUNCHES
