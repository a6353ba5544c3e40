"""What fits into a memory -> Table."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.dtypes import chosen_dtype
from resnet_inspect.counting.timeline import KINDS
from resnet_inspect.forecasting.fit import Fit
from resnet_inspect.tables.columns import Column, Record, columns, show_bytes
from resnet_inspect.tables.table import Table

_RANKS = {"activations": 2, "buffers": 7, "casts": 5}
"""How soon a narrow terminal drops what memory is for."""

_COLUMNS = (
    Column("model", "Network"),
    Column("memory_of", "Memory of"),
    Column("shape", "Input", "shape", 1),
    Column("batch", "Batch", "count"),
    *columns("bytes", total="Held", left="Left"),
    *(Column(kind, kind.capitalize(), "bytes", _RANKS.get(kind, 4)) for kind in KINDS[:-1]),
    Column("input", "Input batch", "bytes", 6),
    *columns("text", 3, phase="Most in", at="At layer"),
    *columns("bytes", 8, memory="Memory", kept="Kept back"),
)


def fits_table(fits: Sequence[Fit], of: str = "The largest batch that fits") -> Table:
    """A row for each fit."""
    rows = [_record(fit) for fit in fits]
    first = fits[0]
    empty = {kind for kind in KINDS if not any(row[kind] for row in rows)}
    return Table(
        title=f"{of}, {_step(first)}",
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=_notes(fits),
        partial=tuple({fit.graph.name: 0 for fit in fits if graph_cost(fit.graph).uncounted}),
    ).hiding("memory", "kept", "phase", *empty)


def _record(fit: Fit) -> Record:
    point, batch = fit.point, fit.batch
    return {
        "model": fit.graph.name,
        "memory_of": fit.room.name,
        "shape": fit.graph.input_shape,
        "batch": batch,
        "total": fit.total,
        "left": fit.room.budget - fit.total,
        **point.held(batch),
        "phase": point.phase,
        "at": point.layer or point.phase,
        **fit.room._asdict(),
    }


def _step(fit: Fit) -> str:
    dtype = fit.settings.dtype or chosen_dtype(fit.graph, None)
    if not fit.train:
        return f"inference, {dtype}"
    words = [f"training step, {dtype}", fit.settings.optimizer]
    if fit.settings.checkpoint != "none":
        words.append(f"checkpointed by {fit.settings.checkpoint}")
    return ", ".join(words)


def _notes(fits: Sequence[Fit]) -> tuple[str, ...]:
    rooms = dict.fromkeys(fit.room for fit in fits)
    kept = ", ".join(
        f"{show_bytes(room.kept)} of {show_bytes(room.memory)} ({room.name})" for room in rooms
    )
    why = "for the CUDA context, libraries and what the allocator loses (--reserve, --slack)"
    return (
        f"Kept back: {kept} {why}.",
        "Columns of bytes are what is held at the peak; what is left below zero is missing.",
    )
