"""The paths through a network -> tables: how long they are, and what deleting a block leaves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import comb

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.wiring import is_gating
from resnet_inspect.propagation.paths import Paths
from resnet_inspect.propagation.paths import paths as paths_of
from resnet_inspect.tables.columns import Column, Record, columns, ratio
from resnet_inspect.tables.table import Sheet, Table

TABLES = ("blocks", "layers", "deletions")

Range = tuple[int, int]

_GATES = "What makes a gate, which scales a path or is added to it, is no path itself."

_SOURCE = "Veit et al. 2016, arXiv 1605.06431"


def paths(graph: LayerGraph, through: Range | None = None) -> Sheet:
    """Tables of the paths by residual blocks, by layers with weights, and of deletions.

    through: a range of blocks whose share of the paths is told; by default the narrowest that
    holds 95%. Raises InspectError for a range that is none.
    """
    if through is not None and not 0 <= through[0] <= through[1]:
        raise InspectError(f"through is {through[0]}-{through[1]}; give least-most, such as 5-17")
    found = paths_of(graph)
    title = f"Paths through {graph.name}"
    by_blocks = _by_blocks(title, found, through)
    if any(map(is_gating, graph.layers)):
        by_blocks = by_blocks.noted(_GATES)
    tables = {"blocks": by_blocks, "layers": _by_layers(title, found)}
    if found.blocks:
        tables["deletions"] = _deletions(title, found)
    meta = {"model": graph.name, "residual_blocks": found.blocks, "paths": found.total}
    return Sheet(title, tables, meta)


def _by_blocks(title: str, found: Paths, through: Range | None) -> Table:
    n = found.blocks
    rows = tuple(
        {
            "passed": k,
            "paths": count,
            "binomial": comb(n, k),
            "projected": found.projected[k],
            "padded": found.padded[k],
            "share": ratio(count, found.total),
        }
        for k, count in enumerate(found.by_blocks)
    )
    least, most = through or found.narrowest()
    inside = found.through(least, most)
    around = {"projected": sum(found.projected), "padded": sum(found.padded)}
    return Table(
        title=f"{title} by the residual blocks that they pass",
        columns=(
            Column("passed", "Blocks passed"),
            *columns("count", paths="Paths", binomial="Binomial"),
            *columns("count", 1, projected="By a projection", padded="By zero padding"),
            Column("share", "of paths", "share"),
        ),
        rows=rows,
        total={"passed": "total", "paths": found.total, "binomial": 2**n, **around},
        meta={"through": [least, most], "through_share": ratio(inside, found.total)},
        notes=tuple(_words(found, least, most, inside)),
    ).hiding(*(key for key, count in around.items() if not count))


def _words(found: Paths, least: int, most: int, inside: int) -> Iterator[str]:
    """What the counts say."""
    n, total = found.blocks, found.total
    if total == 0:
        yield f"No path: the outputs of {found.name} do not depend on its input."
    elif total == 1:
        yield f"{found.name} adds nothing: it is one path, and without any of its layers none."
    elif not n:
        yield "No shortcut leads around anything here; paths part and join."
    else:
        if found.by_blocks == tuple(comb(n, k) for k in range(n + 1)):
            yield f"{n} residual blocks in a row are 2^{n} paths ({_SOURCE})."
        yield f"{inside / total:.4%} of the paths pass {least} to {most} of {n} blocks."


def _by_layers(title: str, found: Paths) -> Table:
    rows = tuple(
        {"passed": k, "paths": count, "share": ratio(count, found.total)}
        for k, count in enumerate(found.by_layers)
        if count
    )
    return Table(
        title=f"{title} by the layers with weights that they pass",
        columns=(
            Column("passed", "Layers passed"),
            Column("paths", "Paths", "count"),
            Column("share", "of paths", "share"),
        ),
        rows=rows,
        total={"passed": "total", "paths": found.total},
    )


def _deletions(title: str, found: Paths) -> Table:
    """Neighbours that leave as many paths share a row."""
    rows: list[Record] = []
    for (shortcut, left), run in groupby(found.deletions, lambda each: each[1:]):
        names = [deletion.name for deletion in run]
        rows.append(
            {
                "deleted": names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
                "shortcut": shortcut,
                "left": left,
                "share": ratio(left, found.total),
            }
        )
    return Table(
        title=f"{title}: what is left without a residual block",
        columns=(
            Column("deleted", "Deleted (any one)"),
            Column("shortcut", "Shortcut"),
            Column("left", "Paths left", "count"),
            Column("share", "of paths", "share"),
        ),
        rows=tuple(rows),
        notes=(
            f"A deleted block leaves its shortcut; a plain one no path ({_SOURCE}, section 4.1).",
        ),
    )
