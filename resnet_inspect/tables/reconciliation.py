"""Why two tools disagree about one network: every counter's total, taken apart into named terms.

A row has two possible sources. It is 'measured' where the tool was run on the network
(pytorch/counters.py) and 'by formula' where its convention was applied to the graph. A measured
total that its formula does not give is a discrepancy: the tool has changed how it counts since the
version that counting/conventions.py describes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting.conventions import (
    CONVENTIONS,
    TERMS,
    Convention,
    Reported,
    Terms,
    formula,
    numbers,
    total_terms,
    uncounted,
    used,
    weigh,
)
from resnet_inspect.counting.costs import total
from resnet_inspect.counting.memory import saved_for_backward
from resnet_inspect.counting.published import (
    CAFFE,
    TORCHVISION,
    Figure,
    figures,
    published_quantity,
)
from resnet_inspect.errors import InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import show_shape
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.tables.columns import Column, Value
from resnet_inspect.tables.difference import in_words
from resnet_inspect.tables.table import Sheet, Table

TABLES = ("counters", "terms", "why", "published", "memory", "parameters")
"""The tables of a reconciliation."""

WITH_MEASURED = ("counters", "memory", "parameters")
"""Those whose rows may be measured."""

MEASURED, BY_FORMULA, PUBLISHED = "measured", "by formula", "published"
"""Sources of a row."""


class Report(NamedTuple):
    """A total that somebody reports, against the sum of its formula's terms.

    name: of its convention. weight: how often it counts a multiply-accumulate.
    """

    name: str
    label: str
    version: str
    source: str
    total: int
    sum: int
    formula: str
    numbers: str
    why: str
    weight: int = 1

    @property
    def difference(self) -> int:
        return self.total - self.sum

    @property
    def checked(self) -> str:
        """The source, and whether what was measured is what the formula gives."""
        sign = "≠ " if self.difference else "= "
        return sign + self.source if self.source == MEASURED else self.source

    def measured(self, reports: Mapping[str, Reported]) -> Report:
        """This row with what was measured, where something was."""
        report = reports.get(self.name)
        if report is None or report.total is None:
            return self
        return self._replace(source=MEASURED, version=report.version, total=report.total)


def reconcile(
    graph: LayerGraph, *, batch: int = 1, measured: Mapping[str, Reported] | None = None
) -> Sheet:
    """Every counter's total for a network, in the tables of TABLES.

    measured: what the installed tools report (pytorch.counters.measure); the rest is by formula.
    meta['discrepancies'] says in a line each which measured totals their formulas do not give.
    Raises InspectError for a batch below 1.
    """
    if batch < 1:
        raise InspectError(f"batch is {batch}; give 1 or more")
    reports = measured or {}
    counters = counter_rows(graph, batch, reports)
    memory = [row.measured(reports) for row in _memory(graph, batch)]
    parameters = [row.measured(reports) for row in _parameters(graph)]
    missing = uncounted(graph.layers)
    # What leaves layers out is a lower bound, which no tool can contradict.
    news = [] if missing else _discrepancies([*counters, *memory, *parameters])
    about = f"{graph.name}, input {show_shape(graph.input_shape)}, batch {batch}"
    notes = (
        "Each total is the sum of its formula's terms.  = measured: by the tool itself, just now.",
        *_failures(reports),
        *news,
    )
    tables = {
        "counters": _counter_table(
            about, counters, total(graph.layers, batch).macs, notes, missing
        ),
        "terms": _term_table(graph, batch),
        "why": _why_table(counters),
        "published": _published_table(graph, batch),
        "memory": _quantity_table("Memory that a training pass keeps", memory, "bytes"),
        "parameters": _quantity_table("Parameters", parameters, "count"),
    }
    meta = {
        "model": graph.name,
        "input": list(graph.input_shape),
        "batch": batch,
        "discrepancies": news,
    }
    return Sheet(about, tables, meta)


def counter_rows(
    graph: LayerGraph, batch: int = 1, reports: Mapping[str, Reported] | None = None
) -> list[Report]:
    """A row for each counter and publication of operations.

    Those that count a multiply-accumulate once come first, then twice, then for training.
    """
    rows = [*_papers(graph, batch), *(row.measured(reports or {}) for row in _tools(graph, batch))]
    return sorted(rows, key=lambda row: (row.weight, row.total))


def _tools(graph: LayerGraph, batch: int) -> Iterator[Report]:
    whole, single = total_terms(graph.layers, batch), total_terms(graph.layers)
    for convention in CONVENTIONS.values():
        if convention.name == "paper":
            continue
        terms = single if convention.per_image else whole
        reasons = [convention.why, *(why for term, why in convention.also.items() if term in terms)]
        if terms != whole:
            reasons.append("Of one image, whatever the batch.")
        yield _by_formula(convention, terms, convention.label, " ".join(reasons))


def _papers(graph: LayerGraph, batch: int) -> Iterator[Report]:
    """The papers' FLOPs of this network, or of the one that they call by its name."""
    for theirs, figure in publications(graph) if batch == 1 else ():
        if figure.quantity == "macs" and figure.source not in (CAFFE, TORCHVISION):
            why = f"Printed as {figure.text}; the papers' FLOPs are multiply-adds."
            terms = total_terms(theirs.layers)
            row = _by_formula(CONVENTIONS["paper"], terms, figure.source, why)
            whose = "" if theirs == graph else f" of {_named(theirs, graph)}"
            yield row._replace(source=PUBLISHED, version="", formula=row.formula + whose)


def _by_formula(convention: Convention, terms: Terms, label: str, why: str) -> Report:
    taken = used(convention, terms)
    count = weigh(taken, terms)
    return Report(
        convention.name,
        label,
        convention.version,
        BY_FORMULA,
        count,
        count,
        formula(taken),
        numbers(taken, terms),
        why,
        convention.coefficients["C"],
    )


def publications(graph: LayerGraph) -> Iterator[tuple[LayerGraph, Figure]]:
    """What was published under a network's name, with the network that it was published of.

    That of 2015 and torchvision's v1.5 go by one name (ResNet-50), and so does a network of the
    zoo with its fields or its input changed.
    """
    name = graph.name.removesuffix("_v1")
    for relative in sorted({name, f"{name}_v1"}, key=lambda other: other != graph.name):
        if relative in zoo.ZOO:
            theirs = layer_graph(zoo.spec(relative))
            yield from ((theirs, figure) for figure in figures(relative))


def _named(theirs: LayerGraph, ours: LayerGraph) -> str:
    """What to call the network that was published, where it may go by the name of ours."""
    same = theirs.name == ours.name and theirs != ours
    return f"{theirs.name} as published" if same else theirs.name


def _memory(graph: LayerGraph, batch: int) -> Iterator[Report]:
    kept, terms = saved_for_backward(graph, batch), total_terms(graph.layers, batch)
    yield Report(
        "saved",
        "kept for the backward pass",
        "",
        BY_FORMULA,
        kept,
        kept,
        "each tensor that a backward reads, once",
        "",
        "What training really keeps besides parameters and buffers; measured by torch's hooks.",
    )
    # Twice the 4 bytes of each output of a convolution, linear layer or batch norm.
    outputs: dict[str, int] = {term: 8 for term in ("Cb", "Cu", "Lb", "Lu", "K") if term in terms}
    size = weigh(outputs, terms)
    yield Report(
        "torchinfo-memory",
        "torchinfo Forward/backward",
        CONVENTIONS["torchinfo"].version,
        BY_FORMULA,
        size,
        size,
        formula(outputs),
        numbers(outputs, terms),
        (f"{size / kept:.2f} times that: " if kept else "")
        + "all outputs of layers with parameters, and as much for their gradients.",
    )


def _parameters(graph: LayerGraph) -> Iterator[Report]:
    spent, weights = total(graph.layers), published_quantity(graph, "weights")
    trained, held = spent.params, spent.params + spent.buffers
    for name, label, count, why in (
        ("weights", "without batch norm", weights, "Convolution and linear layers alone."),
        ("parameters", "torch parameters()", trained, f"{trained - weights:,} of batch norm more."),
        ("torchinfo-parameters", "torchinfo Total params", trained, "The same."),
        (
            "state-dict",
            "torch state_dict()",
            held,
            f"{spent.buffers:,} buffers more: running mean and variance, batches seen.",
        ),
    ):
        yield Report(name, label, "", BY_FORMULA, count, count, "", "", why)


def _discrepancies(rows: Sequence[Report]) -> list[str]:
    return [
        f"Discrepancy: {row.label} ({row.version}) reports {row.total:,}, and its formula gives "
        f"{row.sum:,}: {row.difference:+,}. This version counts differently."
        for row in rows
        if row.difference
    ]


def _failures(reports: Mapping[str, Reported]) -> list[str]:
    names: dict[str, list[str]] = {}
    for name, report in reports.items():
        if report.total is None:
            names.setdefault(report.failure, []).append(name)
    return [f"Not measured: {', '.join(some)} ({failure})" for failure, some in names.items()]


def _columns(kind: str) -> tuple[Column, ...]:
    return (
        Column("name", "Name"),
        Column("label", "Counter"),
        Column("version", "Version", rank=4),
        Column("source", "Source"),
        Column("checked", "Source"),
        Column("total", "Total", kind),
        Column("ratio", "× MACs", "ratio", rank=2),
        Column("formula", "Formula", "prose"),
        Column("numbers", "With numbers", "prose"),
        Column("sum", "Sum", kind),
        Column("difference", "Diff.", "count", rank=3),
        Column("why", "Why", "prose"),
    )


def _records(rows: Sequence[Report], macs: int | None = None) -> tuple[dict[str, Value], ...]:
    return tuple(
        {
            **row._asdict(),
            "difference": row.difference,
            "checked": row.checked,
            "ratio": row.total / macs if macs else None,
        }
        for row in rows
    )


def _counter_table(
    about: str, rows: Sequence[Report], macs: int, notes: tuple[str, ...], missing: tuple[str, ...]
) -> Table:
    return Table(
        f"{about}, by every counter's own convention",
        _columns("count"),
        _records(rows, macs),
        notes=notes,
        group="weight",
        partial=missing,
        shown=("label", "version", "total", "ratio", "formula", "checked", "difference"),
    )


def _why_table(rows: Sequence[Report]) -> Table:
    return Table(
        "Why each counts so",
        (Column("label", "Counter"), Column("why", "Why", "prose")),
        tuple({"label": row.label, "why": row.why, "weight": row.weight} for row in rows),
        group="weight",
    )


def _quantity_table(title: str, rows: Sequence[Report], kind: str) -> Table:
    columns = tuple(column for column in _columns(kind) if column.key != "ratio")
    return Table(
        title,
        columns,
        _records(rows),
        shown=("label", "total", "checked", "difference", "why"),
    )


def _term_table(graph: LayerGraph, batch: int) -> Table:
    return Table(
        "The terms",
        (
            Column("term", "Term"),
            Column("count", "Count", "count"),
            Column("is", "What it counts", "prose"),
        ),
        tuple(
            {"term": term, "count": count, "is": TERMS[term]}
            for term, count in total_terms(graph.layers, batch).items()
            if any(term in convention.coefficients for convention in CONVENTIONS.values())
        ),
    )


_QUANTITIES = {"params": "parameters", "macs": "MACs", "weights": "no batch norm"}


def _published_table(graph: LayerGraph, batch: int) -> Table:
    found = list(publications(graph)) if batch == 1 else []
    others = [theirs for theirs in dict.fromkeys(theirs for theirs, _ in found) if theirs != graph]
    none = "Nothing by this name." if batch == 1 else "Published figures are for a single image."
    return Table(
        "What was published",
        (
            Column("source", "Source"),
            Column("of", "Of"),
            Column("printed", "Printed"),
            Column("model", "Network"),
            Column("exact", "Exactly", "count", rank=1),
            Column("difference", "Difference", "count"),
        ),
        tuple(_publication(graph, theirs, figure) for theirs, figure in found),
        notes=() if found else (none,),
    ).noted(
        *(
            f"From {_named(theirs, graph)} to {graph.name} here: {in_words(theirs, graph)}"
            for theirs in others
        )
    )


def _publication(ours: LayerGraph, theirs: LayerGraph, figure: Figure) -> dict[str, Value]:
    exact = published_quantity(theirs, figure.quantity)
    return {
        "source": figure.source,
        "of": _QUANTITIES[figure.quantity],
        "printed": f"{'=' if figure.agrees(exact) else '≠'} {figure.text}",
        "model": _named(theirs, ours),
        "exact": exact,
        "difference": published_quantity(ours, figure.quantity) - exact,
    }
