"""The ceilings of a device, measured once and kept in a cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from resnet_inspect.counting.roofline import Ceilings
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.files import cannot_write
from resnet_inspect.measuring.records import SCHEMA, Measurement, existing, of_kind, read


def ceilings_of(measurement: Measurement) -> Ceilings:
    """The ceilings in a record."""
    fields = measurement.fields
    return Ceilings(
        fields["device"]["name"],
        fields["device"]["kind"],
        fields["rates"],
        tuple((int(size), float(rate)) for size, rate in fields["copies"]),
        fields["launch"],
    )


def store() -> Path:
    """Where the ceilings of devices are kept, in the user's cache folder, by schema."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "resnet-inspect" / f"ceilings-{SCHEMA}.jsonl"


def open_store() -> Path:
    """The store, ready for more; a damaged one is removed. Raises OutputError."""
    place = store()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            existing(place)
        except FormatError:
            place.unlink()
    except OSError as error:
        raise cannot_write(place, error) from None
    return place


def stored_ceilings(
    path: str | os.PathLike[str] | None = None, **wanted: Any
) -> Measurement | None:
    """The latest ceilings in a file (default: the store) whose device has these fields.

    Such as kind="cpu" or name=... and threads=...; None where there are none, as in a store that is
    damaged. Raises FormatError for a file that is no record.
    """
    found: Sequence[Measurement] = ()
    if path is not None:
        found = of_kind(read(path), "ceilings")
    elif store().exists():
        with suppress(FormatError):
            found = of_kind(read(store()), "ceilings")
    fitting = [
        made
        for made in found
        if all(made.fields["device"].get(key) == value for key, value in wanted.items())
    ]
    return fitting[-1] if fitting else None


def known_ceilings(
    path: str | os.PathLike[str] | None = None, kind: str | None = None
) -> Measurement:
    """The latest ceilings in a file or the store, of a kind of device; raises InspectError."""
    found = stored_ceilings(path, **({"kind": kind} if kind else {}))
    if found is None:
        where = f"in {os.fspath(path)!r}" if path is not None else "stored"
        of = f" of {kind}" if kind else ""
        raise InspectError(f"no ceilings{of} {where}; 'resnet-inspect device' measures them")
    return found
