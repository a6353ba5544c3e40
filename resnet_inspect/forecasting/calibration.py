"""Measured runs -> Efficiency: what kernels of a device, or of all devices of a kind, reach.

Least squares of log(forecast / measured) over the logarithms of the fields, each drawn to a prior
as far as the measurements leave it open (a maximum a posteriori estimate with normal priors). The
solver is Levenberg and Marquardt's, so the same runs always give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.efficiency import SETTINGS, Efficiency, Setting, Way, pass_time
from resnet_inspect.forecasting.kernels import Kernel, kernels
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.torch_ops import GroupNorm

NOISE = 0.02
"""Standard deviation of log(measured) that is taken to be the measurements' own."""


class Sample(NamedTuple):
    """A network that was timed: its kernels, the batch, on what and how, and the seconds taken."""

    kernels: Mapping[Kernel, int]
    batch: int
    device: Device
    setting: Setting
    seconds: float

    @classmethod
    def of(
        cls,
        graph: LayerGraph,
        way: Way,
        precision: str,
        batch: int,
        device: Device,
        seconds: float,
        wide_norms: bool = True,
    ) -> Sample:
        """A network that took so long when it ran in this way.

        wide_norms: whether autocast keeps norms over groups in fp32.
        """
        mode, train, autocast, order = way.runs(precision)
        if not wide_norms and any(isinstance(layer.op, GroupNorm) for layer in graph.layers):
            autocast = False  # which widens nothing else where there are such norms
        counted = kernels(graph, mode, train, autocast, order)
        return cls(counted, batch, device, SETTINGS[precision], seconds)


class Prior(NamedTuple):
    """What is known of the fields before anything was measured: medians, and log deviations."""

    median: Efficiency
    spread: Efficiency


def misfit(sample: Sample, of: Efficiency) -> float:
    """log(forecast / measured)."""
    kernels, batch, device, setting, seconds = sample
    return math.log(pass_time(kernels, batch, device, setting, of) / seconds)


def fit(samples: Sequence[Sample], prior: Prior, noise: float = NOISE) -> Efficiency:
    """The fields most likely after these measurements. Deterministic."""
    centre = [math.log(value) for value in prior.median]

    def residuals(logs: Sequence[float]) -> list[float]:
        of = Efficiency(*map(math.exp, logs))
        drawn = [(x - c) / s for x, c, s in zip(logs, centre, prior.spread, strict=True)]
        return [misfit(sample, of) / noise for sample in samples] + drawn

    return Efficiency(*map(math.exp, least_squares(residuals, centre)))


_STEPS, _ENOUGH, _STEP = 60, 1e-6, 1e-4
"""Most iterations, the relative gain at which to stop, and the step of a derivative."""


def least_squares(residuals: Callable[[Any], list[float]], start: Sequence[float]) -> list[float]:
    """Where the sum of squares is least, by Levenberg and Marquardt's method (Marquardt 1963)."""
    import numpy as np

    at, damping = np.array(start), 1e-2
    now = np.array(residuals(at))
    for _ in range(_STEPS):
        columns = []
        for axis in range(len(at)):
            aside = at.copy()
            aside[axis] += _STEP
            columns.append((np.array(residuals(aside)) - now) / _STEP)
        jacobian = np.array(columns).T
        normal, slope = jacobian.T @ jacobian, jacobian.T @ now
        gained = 0.0
        while damping < 1e6:
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slope)
            tried = at + np.clip(step, -1.0, 1.0)
            then = np.array(residuals(tried))
            gained = float(now @ now - then @ then)
            if gained > 0:
                at, damping = tried, max(damping / 5, 1e-8)
                break
            damping *= 4
        if gained <= _ENOUGH * float(now @ now):
            return [float(x) for x in at]
        now = then
    return [float(x) for x in at]
