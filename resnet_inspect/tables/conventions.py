"""The conventions -> Table: who counts what, and what it comes to for some networks."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.counting.conventions import CONVENTIONS, formula, total_terms, used
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.terms import TERMS, Terms
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.tables.columns import Column, Value, columns
from resnet_inspect.tables.reconciliation import PUBLISHED, counter_rows, publications, reasons
from resnet_inspect.tables.table import Sheet, Table

TABLES = ("conventions", "terms")
"""The tables of `conventions`."""


def conventions(graphs: Sequence[LayerGraph] = ()) -> Sheet:
    """Every convention with its formula, and its total for each network; and the terms.

    With networks, formulas have only the terms of those networks.
    """
    terms: Terms = {} if graphs else dict.fromkeys(TERMS, 1)
    for graph in graphs:
        terms |= total_terms(graph)
    listed = Table(
        "The terms",
        (Column("term", "Term"), Column("is", "What it counts", "prose")),
        tuple({"term": term, "is": TERMS[term]} for term in TERMS if term in terms),
    )
    first = _totals(graphs, terms) if graphs else _listing(terms)
    return Sheet("Conventions", {"conventions": first, "terms": listed})


def _listing(terms: Terms) -> Table:
    return Table(
        f"{len(CONVENTIONS)} conventions, by the names that --convention takes",
        (
            *columns("text", name="Name", label="Counts as"),
            Column("version", "Version", rank=2),
            Column("formula", "Formula", "prose", rank=1),
            Column("why", "Why", "prose"),
        ),
        tuple(
            {
                **convention._asdict(),
                "label": convention.label,
                "formula": formula(convention.coefficients),
                "why": reasons(convention, terms),
                "weight": convention.coefficients["C"],
            }
            for convention in sorted(CONVENTIONS.values(), key=lambda c: c.coefficients["C"])
        ),
        group="weight",
    )


def _totals(graphs: Sequence[LayerGraph], terms: Terms) -> Table:
    """A row for each counter and publication, a column for each network's total."""
    names = [graph.name for graph in graphs]
    keys = [n if names.count(n) == 1 else f"{n} ({i})" for i, n in enumerate(names, start=1)]
    rows: dict[str, dict[str, Value]] = {}
    order: dict[str, tuple[int, float]] = {}
    for key, graph in zip(keys, graphs, strict=True):
        macs = graph_cost(graph).macs
        for row in counter_rows(graph):
            if row.label not in rows:
                convention, printed = CONVENTIONS[row.name], row.source == PUBLISHED
                rows[row.label] = {
                    "label": row.label,
                    "formula": formula(used(convention, terms)),
                    "why": _printed(graphs, row.label) if printed else reasons(convention, terms),
                    "weight": row.weight,
                }
                order[row.label] = row.weight, row.total / max(macs, 1)
            rows[row.label][key] = row.total
    return Table(
        "Which FLOPs?",
        (
            Column("label", "Counter"),
            Column("formula", "Formula", "prose", rank=2),
            *(Column(key, name, "count") for key, name in zip(keys, names, strict=True)),
            Column("why", "Why", "prose", rank=1),
        ),
        tuple(rows[label] for label in sorted(rows, key=order.__getitem__)),
        group="weight",
    )


def _printed(graphs: Sequence[LayerGraph], source: str) -> str:
    """What a publication printed of each network, and of which it was where that is another."""
    parts = [
        figure.text if network == graph else f"{figure.text} ({network.name})"
        for graph in graphs
        for network, figure in publications(graph)
        if figure.source == source and figure.quantity == "macs"
    ]
    return f"Printed as {', '.join(parts)}. {CONVENTIONS['paper'].why}"
