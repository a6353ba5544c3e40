"""Records that were not measured, for tests of what is done with them."""

from __future__ import annotations

from typing import Any

import resnet_inspect as ri
from resnet_inspect.measuring.measurement import Condition, Device, Environment, Settings, Software
from resnet_inspect.measuring.records import (
    Case,
    DeviceCeilings,
    Latency,
    Product,
    timestamp,
)
from resnet_inspect.measuring.sampling import Sample, StoppingRule
from resnet_inspect.networks.op_data import fingerprint

GRAPH = ri.graph("resnet20_cifar")
CASE = Case(GRAPH.name, GRAPH.input_shape)
TIMES = (0.010, 0.011, 0.012, 0.010, 0.013, 0.011, 0.010, 0.012)
HERE = Environment("a device", 2, "2.0")
DEVICE = Device(kind="cpu", name=HERE.device, threads=HERE.threads)
_COMMON: dict[str, Any] = {
    "rule": StoppingRule(),
    "settings": Settings(HERE.threads, True, False, False, False),
    "software": Software(HERE.torch),
    "before": Condition(),
    "after": Condition(),
}


def sample(times: tuple[float, ...] = TIMES, **changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "first": 0.5,
        "warmup": (0.02,),
        "times": times,
        "steady": True,
        "converged": True,
    }
    return Sample(**fields | changes)


def latency(case: Case = CASE, times: tuple[float, ...] = TIMES, **changes: Any) -> Latency:
    fields: dict[str, Any] = {
        **_COMMON,
        "made": timestamp(),
        "device": DEVICE,
        "case": case,
        "network": fingerprint(ri.graph(case.model)),
        "macs": 40_551_040 * case.batch,
        "uncounted": 0,
        "params": 269_722,
        "status": "ok",
        "reason": None,
        "ceiling": 1e12,
        "sample": sample(times),
        "peak_memory": 1 << 20,
    }
    return Latency(**fields | changes)


def out_of_memory(case: Case = CASE) -> Latency:
    return latency(case, status="out of memory", reason="needs 1 byte", sample=None)


def ceilings(kind: str = "cpu", name: str = HERE.device, **changes: Any) -> DeviceCeilings:
    fields: dict[str, Any] = {
        **_COMMON,
        "made": timestamp(),
        "device": Device(kind=kind, name=name, threads=1),
        "rates": {"fp32": 1e12},
        "fastest": {"fp32": Product(64)},
        "copies": ((1 << 20, 1e10),),
        "launch": 1e-6,
    }
    return DeviceCeilings(**fields | changes)
