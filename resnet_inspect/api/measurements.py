"""Measurements: how long networks take on a device, and what it can do at best."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import Model, graph, graphs, several
from resnet_inspect.errors import InspectError, check_name
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks.inputs import Inputs

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements, NetworkRoofline


def bench(
    *models: Model | Sequence[Model],
    input_shape: Inputs | None = None,
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] = "fp32",
    memory_format: str | Sequence[str] = "nchw",
    mode: str | Sequence[str] = "eager",
    train: bool = False,
    per_layer: bool = False,
    device: str | None = None,
    threads: int | None = None,
    budget: float = 10.0,
    half_width: float = 0.01,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Measurements:
    """Measure latency: every combination of the arguments, one row each.

    Seconds (median, its 95% interval, p10, p90, p99), images/s, FLOP/s (2 x MACs), bytes at the
    peak, and on a GPU joules an image. train: a step of forward, backward and SGD. per_layer: every
    layer against the least time that the roofline allows. device: 'cuda' or 'cpu' (default: a GPU
    if there is one). budget: seconds for each; half_width: of the interval, at which it stops
    before that. record: a JSON Lines file to which each measurement is added at once, for
    `read_bench`; resume: leave out what it holds. Running out of memory is a row that says so. A
    mode that compiles makes torch forget what it compiled before. Raises InspectError.
    """
    from resnet_inspect.measuring.sweep import Session, grid
    from resnet_inspect.pytorch.bench.sweep import run_sweep
    from resnet_inspect.reporting.measurements import Measurements

    networks = graphs(models, input_shape)
    if not networks:
        raise InspectError("no network to measure; name at least one, such as 'resnet50'")
    tasks = grid(
        networks,
        (batch,) if isinstance(batch, int) else batch,
        several(dtype),
        several(memory_format),
        several(mode),
        "training" if train else "inference",
    )
    session = Session(device, threads, record, resume, progress)
    return Measurements(tuple(run_sweep(tasks, session, budget, half_width, per_layer)))


def ladder(
    model: Model,
    *,
    batch: int = 1,
    device: str | None = None,
    threads: int | None = None,
    budget: float = 10.0,
    half_width: float = 0.01,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
    input_shape: Inputs | None = None,
    **changes: Any,
) -> Measurements:
    """Measure a network from the naive baseline to the fastest, one change at a time.

    fp32 eager, TF32, channels_last, bf16, fp16, batch norm folded, torch.compile, CUDA graphs: each
    step is tried on top of those kept before; its outputs are checked against those of fp32.
    resume: continue behind the steps that the record holds. The rest is as `bench` has it.
    """
    from resnet_inspect.measuring.sweep import Session
    from resnet_inspect.pytorch.bench.sweep import run_ladder
    from resnet_inspect.reporting.measurements import Measurements

    network = graph(model, input_shape, **changes)
    session = Session(device, threads, record, resume, progress)
    return Measurements(tuple(run_ladder(network, batch, session, budget, half_width)))


def device(
    device: str | None = None,
    *,
    threads: int | None = None,
    refresh: bool = False,
    record: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Measurements:
    """What a device can do at best: arithmetic by dtype, copies, launches.

    Measured once for a device and a torch and stored in the user's cache, from which bench, ladder
    and roofline take it; refresh: measure again. device: 'cuda', 'cuda:1' or 'cpu' (default: a GPU
    if there is one). threads: of the CPU (default: torch's). record: a JSON Lines file to add the
    ceilings to as well. Raises InspectError.
    """
    from resnet_inspect.measuring.sweep import Session
    from resnet_inspect.pytorch.bench.sweep import run_ceilings
    from resnet_inspect.reporting.measurements import Measurements

    session = Session(device, threads, record, False, progress)
    return Measurements((run_ceilings(session, refresh),))


def roofline(
    model: Model,
    *,
    level: str = "layer",
    batch: int = 1,
    dtype: str = "fp32",
    fused: bool = False,
    device: str | None = None,
    ceilings: str | os.PathLike[str] | None = None,
    input_shape: Inputs | None = None,
    **changes: Any,
) -> NetworkRoofline:
    """What bounds each layer on a measured device, and the least time it can take.

    level: 'layer', 'block' or 'stage'. fused: batch norm, activation and addition as part of the
    kernel that makes their input. device: 'cuda' or 'cpu' (default: the latest that `device`
    measured), or a name whose datasheet is known, such as 'rtx4090'; ceilings: a record to take
    them from instead. Needs no torch. Raises InspectError.
    """
    from resnet_inspect.counting.roofline import roofline as bounds
    from resnet_inspect.forecasting.own import datasheet_ceilings, device_named
    from resnet_inspect.measuring.ceilings import load_ceilings
    from resnet_inspect.reporting.measurements import NetworkRoofline
    from resnet_inspect.tables.roofline import LEVELS

    check_name("level", level, LEVELS)
    network = graph(model, input_shape, **changes)
    if device in (None, "cuda", "cpu") or ceilings is not None:
        best = load_ceilings(ceilings, device).ceilings
    else:
        best = datasheet_ceilings(device_named(device))
    return NetworkRoofline(bounds(network, best, batch, dtype, fusing=fused), level)


def read_bench(
    path: str | os.PathLike[str], models: str | Sequence[str] | None = None
) -> Measurements:
    """What `bench`, `ladder` and `device` recorded in a file: tables by name, and plots.

    The tables are 'latency', 'ladder', 'layers' and 'ceilings', numbered where there are several.
    models: only what was measured of these. Raises InspectError, also for a file of another
    version.
    """
    from resnet_inspect.measuring.records import read
    from resnet_inspect.reporting.measurements import Measurements

    measurements = Measurements(read(path), os.fspath(path))
    return measurements.select(several(models)) if models else measurements
