"""What every record says, whatever was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Struct

from resnet_inspect.measuring.environment import Condition, Device, Settings, Software

SCHEMA = 2
"""The version of the records. Raise it when a field changes its meaning."""


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
