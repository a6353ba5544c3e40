"""What every record says: when and where it was made, and how the machine was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

SCHEMA = 2
"""The version of the records. Raise it when a field changes its meaning."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]

Size = Annotated[int, Meta(ge=1, le=2**63 - 1)]

Amount = Annotated[float, Meta(ge=0, le=1e30)]
"""Of anything but time: a share, a ratio, joules."""

Rate = Annotated[float, Meta(ge=1e-30, le=1e30)]
"""FLOP/s, or bytes/s."""


class Device(Struct, frozen=True, omit_defaults=True):
    """A device; None where a field does not apply or is not known.

    threads: of the CPU that torch uses. memory, cache: bytes (cache: the last before memory).
    """

    kind: str
    name: str
    cores: Count | None = None
    threads: Count | None = None
    capability: str | None = None
    multiprocessors: Count | None = None
    memory: Count | None = None
    cache: Count | None = None
    driver: str | None = None


class Software(Struct, frozen=True, omit_defaults=True):
    """Versions that times depend on."""

    torch: str
    resnet_inspect: str | None = None
    python: str | None = None
    cuda: str | None = None
    cudnn: Count | None = None
    triton: str | None = None
    system: str | None = None
    kernel: str | None = None


class Condition(Struct, frozen=True, omit_defaults=True):
    """A machine at one moment: clocks in MHz, temperature in degrees Celsius, power in watts.

    load: runnable threads of the system. throttle: NVML's reasons for low clocks, as a bit mask.
    """

    clock: Amount | None = None
    memory_clock: Amount | None = None
    temperature: float | None = None
    power: Amount | None = None
    load: Amount | None = None
    throttle: Count | None = None


class Settings(Struct, frozen=True, omit_defaults=True):
    """Torch's settings during a measurement."""

    threads: Size
    cudnn_benchmark: bool
    cudnn_deterministic: bool
    cudnn_allow_tf32: bool
    matmul_allow_tf32: bool
    inference_mode: bool | None = None


class Measurement(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every record says. made: when (UTC, ISO 8601); before, after: how the machine was."""

    schema: int = SCHEMA
    made: str
    settings: Settings
    device: Device
    software: Software
    before: Condition
    after: Condition


class Environment(NamedTuple):
    """What two measurements of a case share if the second would only repeat the first."""

    device: str
    threads: int
    torch: str

    @classmethod
    def of(cls, record: Measurement) -> Environment:
        return cls(record.device.name, record.settings.threads, record.software.torch)


def timestamp() -> str:
    """Now, as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
