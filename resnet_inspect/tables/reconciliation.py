"""Why two tools disagree about one network: every counter's total, taken apart into named terms.

A row has two possible sources. It is 'measured' where the tool was run on the network
(pytorch/counters.py) and 'by formula' where its convention was applied to the graph. A measured
total that its formula does not give is a discrepancy: the tool has changed how it counts since the
version that counting/conventions.py describes. Where the network has layers for which the formula
was never established, it is none, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting.conventions import (
    CONVENTIONS,
    Convention,
    Reported,
    formula,
    is_function,
    makes_weights,
    numbers,
    seen_terms,
    total_terms,
    uncounted,
    unfounded,
    used,
    weigh,
)
from resnet_inspect.counting.costs import checked_batch, graph_cost, part_cost
from resnet_inspect.counting.memory import saved_for_backward
from resnet_inspect.counting.published import (
    CAFFE,
    TORCHVISION,
    Figure,
    figures,
    published_quantity,
)
from resnet_inspect.counting.terms import TERMS, Terms
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import BatchNorm2d
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.tables.columns import Column, Kind, Value, columns
from resnet_inspect.tables.difference import in_words
from resnet_inspect.tables.network_notes import gaps, listed, run_notes
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
    total: int
    sum: int
    why: str
    formula: str = ""
    numbers: str = ""
    version: str = ""
    source: str = BY_FORMULA
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
    checked_batch(batch)
    reports = measured or {}
    counters = counter_rows(graph, batch, reports)
    memory = [row.measured(reports) for row in _memory(graph, batch)]
    parameters = [row.measured(reports) for row in _parameters(graph)]
    missing = (*uncounted(graph), *gaps(graph))
    # What leaves layers out is a lower bound, which no tool can contradict.
    odd = [] if missing else [row for row in (*counters, *memory, *parameters) if row.difference]
    doubts = {row.name: _doubt(graph, row) for row in odd}
    news = [_differs("Discrepancy", row, _NEWS) for row in odd if not doubts[row.name]]
    about = f"{graph.name}, input {graph.shown_inputs}, batch {batch}"
    macs = graph_cost(graph, batch).macs
    notes = (
        "Each total is the sum of its formula's terms.  = measured: by the tool itself, just now.",
        *_failures(reports),
        *_unfounded(graph, counters),
        *(_differs("Not explained", row, doubts[row.name]) for row in odd if doubts[row.name]),
        *news,
    )
    tables = {
        "counters": Table(
            f"{about}, by every counter's own convention",
            _columns("count"),
            tuple(_record(row, macs) for row in counters),
            notes=notes,
            group="weight",
            partial=missing,
            shown=("label", "version", "total", "ratio", "formula", "checked", "difference"),
        ),
        "terms": _term_table(graph, batch),
        "why": Table(
            "Why each counts so",
            (Column("label", "Counter"), Column("why", "Why", "prose")),
            tuple({"label": row.label, "why": row.why, "weight": row.weight} for row in counters),
            group="weight",
        ),
        "published": _published_table(graph, batch),
        "memory": _quantity_table("Memory that a training pass keeps", memory, "bytes"),
        "parameters": _quantity_table("Parameters", parameters, "count").noted(*run_notes(graph)),
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
    functions = sum(is_function(graph, layer) for layer in graph.layers)
    for convention in CONVENTIONS.values():
        if convention.name == "paper":
            continue
        why = reasons(convention, total_terms(graph))
        if convention.modules and functions:
            why += f" It counts modules; {functions} of the layers are calls of functions."
        if convention.per_image and batch != 1:
            why += " Of one image, whatever the batch."
        yield _by_formula(convention, seen_terms(graph, convention, batch), why)


def reasons(convention: Convention, terms: Terms) -> str:
    """Why a convention counts as it does, in the sentences that hold for these terms."""
    particular = [why for term, why in convention.also.items() if term in terms]
    return " ".join((convention.why, *particular))


def _papers(graph: LayerGraph, batch: int) -> Iterator[Report]:
    """The papers' FLOPs of this network, or of the one that they call by its name."""
    for network, figure in publications(graph) if batch == 1 else ():
        if figure.quantity == "macs" and figure.source not in (CAFFE, TORCHVISION):
            why = f"Printed as {figure.text}; the papers' FLOPs are multiply-adds."
            row = _by_formula(CONVENTIONS["paper"], total_terms(network), why)
            whose = "" if network == graph else f" of {_named(network, graph)}"
            formula = row.formula + whose
            yield row._replace(label=figure.source, source=PUBLISHED, version="", formula=formula)


def _by_formula(convention: Convention, terms: Terms, why: str) -> Report:
    row = _weighed(convention.name, convention.label, used(convention, terms), terms, why)
    return row._replace(version=convention.version, weight=convention.coefficients["C"])


def _weighed(
    name: str, label: str, coefficients: Mapping[str, int], terms: Terms, why: str
) -> Report:
    """A report of the sum of some terms."""
    count = weigh(coefficients, terms)
    written = formula(coefficients), numbers(coefficients, terms)
    return Report(name, label, count, count, why, *written)


def publications(graph: LayerGraph) -> Iterator[tuple[LayerGraph, Figure]]:
    """What was published under a network's name, with the network that it was published of.

    That of 2015 and torchvision's v1.5 go by one name (ResNet-50), and so does a network of the
    zoo with its fields or its input changed.
    """
    name = graph.name.removesuffix("_v1")
    for relative in sorted({name, f"{name}_v1"}, key=lambda other: other != graph.name):
        if relative in zoo.ZOO:
            network = layer_graph(zoo.spec(relative))
            yield from ((network, figure) for figure in figures(relative))


def _named(published: LayerGraph, graph: LayerGraph) -> str:
    """What to call a published network, which may go by the name of the one in question."""
    same = published.name == graph.name and published != graph
    return f"{published.name} as published" if same else published.name


def _memory(graph: LayerGraph, batch: int) -> tuple[Report, Report]:
    kept = saved_for_backward(graph, batch)
    terms = seen_terms(graph, CONVENTIONS["torchinfo"], batch)
    saved = Report(
        "saved",
        "kept for the backward pass",
        kept,
        kept,
        "What training really keeps besides parameters and buffers; measured by torch's hooks.",
        "each tensor that a backward reads, once",
    )
    # Twice the 4 bytes of each output of a convolution, linear layer or batch norm.
    outputs: dict[str, int] = {
        term: 8 for term in ("Cb", "Cu", "Lb", "Lu", "K", "Wo") if term in terms
    }
    times = f"{weigh(outputs, terms) / kept:.2f} times that: " if kept else ""
    why = f"{times}all outputs of layers with parameters, and as much for their gradients."
    shown = _weighed("torchinfo-memory", "torchinfo Forward/backward", outputs, terms, why)
    return saved, shown._replace(version=CONVENTIONS["torchinfo"].version)


def _parameters(graph: LayerGraph) -> Iterator[Report]:
    whole, run = graph_cost(graph), graph.run
    weights = published_quantity(graph, "weights")
    unused = sum(tensor.entries for tensor in run.unused.values()) if run else 0
    learned = run.tensors.values() if run else ()
    buffers = sum(t.entries for t in learned if not t.learned) if run else whole.buffers
    trained = whole.params + unused
    norms = [layer for layer in graph.layers if isinstance(layer.op, BatchNorm2d)]
    of_norms = part_cost(graph, norms).params
    others = whole.params - weights - of_norms
    more = {"of batch norm": of_norms, "of other layers": others, "that do not run": unused}
    named = [f"{count:,} {what}" for what, count in more.items() if count] or ["0"]
    held = f"{buffers:,} buffers more: running mean and variance, batches seen."
    for name, label, count, why in (
        ("weights", "without batch norm", weights, "Convolution and linear layers alone."),
        ("parameters", "torch parameters()", trained, f"{listed(named)} more."),
        ("torchinfo-parameters", "torchinfo Total params", trained, "The same."),
        ("state-dict", "torch state_dict()", trained + buffers, held),
    ):
        yield Report(name, label, count, count, why)


_NEWS = "This version counts differently."


def _differs(what: str, row: Report, why: str) -> str:
    return (
        f"{what}: {row.label} ({row.version}) reports {row.total:,}, and its formula gives "
        f"{row.sum:,}: {row.difference:+,}. {why}"
    )


def _doubt(graph: LayerGraph, row: Report) -> str:
    """Why a total may differ from its formula although the tool counts as it ever did; or ''."""
    run = graph.run
    kinds = unfounded(graph, CONVENTIONS[row.name]) if row.name in CONVENTIONS else ()
    if kinds:
        return f"It was not established for {listed(kinds)}."
    if run is None:
        return ""
    if row.name == "fvcore-train" and run.unused:
        return f"In train mode the network may run {listed(run.held_apart)} too."
    if row.name in CONVENTIONS:
        return ""
    if row.name.startswith("torchinfo"):
        if row.name == "torchinfo-parameters" and run.shared:
            return "It counts a tensor that modules share once for each of them."
        return "It takes each module without parts for a layer, whatever the module runs."
    if row.name == "state-dict" and row.difference < 0:
        return "Buffers that are not persistent are not in it."
    if row.name == "saved":
        if any(makes_weights(graph, layer) for layer in graph.layers):
            return "What makes weights of other parameters keeps tensors too."
        return "A CPU may keep other tensors than a GPU does, and so may what only training runs."
    return ""


def _unfounded(graph: LayerGraph, rows: Sequence[Report]) -> Iterator[str]:
    """Which totals by formula stand on formulas that were not established for this network."""
    by_kinds: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row.source == BY_FORMULA and (kinds := unfounded(graph, CONVENTIONS[row.name])):
            by_kinds.setdefault(kinds, []).append(row.label)
    for kinds, labels in by_kinds.items():
        yield f"By formulas that were not established for {listed(kinds)}: {', '.join(labels)}."


def _failures(reports: Mapping[str, Reported]) -> list[str]:
    names: dict[str, list[str]] = {}
    for name, report in reports.items():
        if report.total is None:
            names.setdefault(report.failure, []).append(name)
    return [f"Not measured: {', '.join(some)} ({failure})" for failure, some in names.items()]


def _columns(kind: Kind) -> tuple[Column, ...]:
    return (
        *columns("text", name="Name", label="Counter"),
        Column("version", "Version", rank=4),
        *columns("text", source="Source", checked="Source"),
        Column("total", "Total", kind),
        Column("ratio", "× MACs", "ratio", rank=2),
        *columns("prose", formula="Formula", numbers="With numbers"),
        Column("sum", "Sum", kind),
        Column("difference", "Diff.", "count", rank=3),
        Column("why", "Why", "prose"),
    )


def _record(row: Report, macs: int = 0) -> dict[str, Value]:
    times = row.total / macs if macs else None
    more = {"difference": row.difference, "checked": row.checked, "ratio": times}
    return {**row._asdict(), **more}


def _quantity_table(title: str, rows: Sequence[Report], kind: Kind) -> Table:
    columns = tuple(column for column in _columns(kind) if column.key != "ratio")
    shown = ("label", "total", "checked", "difference", "why")
    return Table(title, columns, tuple(map(_record, rows)), shown=shown)


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
            for term, count in total_terms(graph, batch).items()
            if any(term in convention.coefficients for convention in CONVENTIONS.values())
        ),
    )


_QUANTITIES = {"params": "parameters", "macs": "MACs", "weights": "no batch norm"}


def _published_table(graph: LayerGraph, batch: int) -> Table:
    published = list(publications(graph)) if batch == 1 else []
    none = "Nothing by this name." if batch == 1 else "Published figures are for a single image."
    changes = [
        f"From {_named(other, graph)} to {graph.name} here: {in_words(other, graph)}"
        for other in dict.fromkeys(network for network, _ in published)
        if other != graph
    ]
    return Table(
        "What was published",
        (
            *columns("text", source="Source", of="Of", printed="Printed", model="Network"),
            Column("exact", "Exactly", "count", rank=1),
            Column("difference", "Difference", "count"),
        ),
        tuple(_publication(graph, *publication) for publication in published),
        notes=tuple(changes) if published else (none,),
    )


def _publication(graph: LayerGraph, published: LayerGraph, figure: Figure) -> dict[str, Value]:
    exact = published_quantity(published, figure.quantity)
    return {
        "source": figure.source,
        "of": _QUANTITIES[figure.quantity],
        "printed": f"{'=' if figure.agrees(exact) else '≠'} {figure.text}",
        "model": _named(published, graph),
        "exact": exact,
        "difference": published_quantity(graph, figure.quantity) - exact,
    }
