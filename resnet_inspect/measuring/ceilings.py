"""The ceilings of devices, measured once and kept in the user's cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.files import cannot_write
from resnet_inspect.measuring.records import (
    SCHEMA,
    DeviceCeilings,
    Measurement,
    append,
    check_record,
    read,
    select,
)


class CeilingsCache(NamedTuple):
    """A file of ceilings that is replaced where it is damaged."""

    path: Path

    @classmethod
    def of_user(cls) -> CeilingsCache:
        """In the user's cache folder, by schema."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(base) / "resnet-inspect" / f"ceilings-{SCHEMA}.jsonl")

    def load(self, **device: Any) -> DeviceCeilings | None:
        """The latest ceilings of a device with these fields; None where there are none."""
        try:
            return latest(read(self.path), **device)
        except FormatError:
            return None

    def prepare(self) -> None:
        """Make sure that more can be saved; a damaged file is removed. Raises OutputError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                check_record(self.path)
            except FormatError:
                self.path.unlink()
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def save(self, ceilings: DeviceCeilings) -> None:
        """Add ceilings; raises OutputError."""
        append(self.path, ceilings)


def latest(records: Iterable[Measurement], **device: Any) -> DeviceCeilings | None:
    """The last ceilings of a device with these fields, such as kind="cpu" or threads=2."""
    last = None
    for record in select(records, DeviceCeilings):
        if all(getattr(record.device, key) == value for key, value in device.items()):
            last = record
    return last


def load_ceilings(
    path: str | os.PathLike[str] | None = None, kind: str | None = None
) -> DeviceCeilings:
    """The latest ceilings in a file (default: the user's cache), of a kind of device.

    Raises InspectError if there are none.
    """
    device = {"kind": kind} if kind else {}
    if path is None:
        where, ceilings = "stored", CeilingsCache.of_user().load(**device)
    else:
        where, ceilings = f"in {os.fspath(path)!r}", latest(read(path), **device)
    if ceilings is None:
        of = f" of {kind}" if kind else ""
        raise InspectError(f"no ceilings{of} {where}; 'resnet-inspect device' measures them")
    return ceilings
