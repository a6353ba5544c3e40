"""Counts against the first of several."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.tables.columns import Column, Value


def ratio(value: Value, base: Value) -> float | None:
    """How many times `base` a count is; None where either is unknown or the base is 0."""
    return value / base if isinstance(value, int) and isinstance(base, int) and base else None


def against_first(rows: Sequence[dict[str, Value]], *keys: str) -> tuple[dict[str, Value], ...]:
    """The rows with a `<key>_ratio` to the first row behind each key.

    Counts that are lower bounds (rows whose 'uncounted' is above 0) have no ratio but for their
    parameters, which are known.
    """
    first = rows[0]
    compared = []
    for row in rows:
        ratios: dict[str, Value] = {}
        for key in keys:
            bound = key != "params" and (row.get("uncounted") or first.get("uncounted"))
            if bound or first.get(key) != 0:  # no ratio to zero
                ratios[f"{key}_ratio"] = None if bound else ratio(row.get(key), first.get(key))
        compared.append({**row, **ratios})
    return tuple(compared)


def with_ratio(column: Column, rank: int = 0) -> tuple[Column, Column]:
    """A count's column, and that of its ratios to the first, which has this rank."""
    return column, Column(f"{column.key}_ratio", "ratio", "ratio", rank)
