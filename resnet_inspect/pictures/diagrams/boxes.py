"""Boxes: what stands in each, its colours and its tooltip, at each level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from resnet_inspect.counting.costs import Cost
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.op_labels import caption
from resnet_inspect.networks.wiring import PADDING, PROJECTION, Shortcut
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.cells import Cell
from resnet_inspect.pictures.diagrams.scene import Box, Brackets, Columns, Line, Panel, Text
from resnet_inspect.pictures.diagrams.sketch import Sketch
from resnet_inspect.pictures.diagrams.style import SMALL
from resnet_inspect.pictures.diagrams.units import DrawnStage, Unit, light
from resnet_inspect.pictures.themes import mix
from resnet_inspect.tables.columns import compact
from resnet_inspect.tables.network import Row


def small(words: str) -> Line:
    return (Text(words, SMALL),)


def bold(words: str) -> Line:
    return (Text(words, heavy=True),)


def spoken(lines: Sequence[labels.Line]) -> tuple[Line, ...]:
    """What labels.py says, in bold."""
    return tuple(
        bold(line) if isinstance(line, str) else Columns(tuple(map(spoken, line.columns)))
        for line in lines
    )


# --- a stage -------------------------------------------------------------------------------------


def stage_box(sketch: Sketch, stage: DrawnStage, number: int | None) -> Box:
    """A stage as one box: its blocks in brackets and their count, as in He et al. 2015, Table 1."""
    name = stage.stage.name
    row = sketch.row(sketch.called(name), stage.kind, tuple(stage.stage.layers))
    lines: list[Line] = [small(sketch.called(name))]
    for said, count in _layouts(stage, number is None):
        lines += said if number is None else [Brackets(said, count)]
    if figures := _figures(sketch, row.cost):
        lines.append(small(figures))
    lines += _what_changed(sketch, name)
    lines += _shortcut_panel(sketch.theme.ink, stage)
    fill = _fill(sketch, name, number, stage.kind, row.cost)
    return Box(name, tuple(lines), fill=fill, kind="stage", note=labels.tooltip(row))


def _layouts(stage: DrawnStage, ends: bool) -> list[tuple[tuple[Line, ...], int]]:
    """The different blocks of a stage by what they compute, with their counts.

    Blocks that differ in their strides alone are one, and what the first has is said beside. A
    stage whose blocks do not run one after another is told as a whole.
    """
    ways = pairwise(stage.units)
    if any(after.sources != (before.output.name,) for before, after in ways):
        gates = tuple(gate for unit in stage.units for gate in unit.gates)
        whole = Unit(stage.stage.name, stage.kind, tuple(stage.stage.layers), gates=gates)
        return [(spoken(labels.unit_lines(whole, ends)), 1)]
    layouts = [
        (
            [line for unit in run.drawn for line in labels.unit_lines(unit, ends)],
            [line for unit in run.drawn for line in labels.unit_lines(unit)],
            run.count,
        )
        for run in stage.runs
    ]
    found = []
    for plain, alike in groupby(layouts, key=itemgetter(0)):
        runs = list(alike)
        lines = map(_striding, spoken(plain), spoken(runs[0][1]))
        found.append((tuple(lines), sum(count for _, _, count in runs)))
    return found


def _striding(plain: Line, strided: Line) -> Line:
    """A line of all blocks, with the stride of the first beside."""
    if not isinstance(plain, tuple) or not isinstance(strided, tuple) or plain == strided:
        return plain
    step = strided[0].words.removeprefix(plain[0].words).removeprefix(", ")
    return (*plain, Text(f"  first: {step}", SMALL))


def _shortcut_panel(ink: str, stage: DrawnStage) -> list[Line]:
    """A stage's shortcuts by kind, each with its stroke."""
    counts = Counter(
        (cut.kind, _named_shortcut(cut)) for unit in stage.units for cut in unit.shortcuts
    )
    lines = [
        (
            Text("", stroke=kind),
            Text(f" {words}" if count == 1 else f" {count} × {words}", SMALL, colour=ink),
        )
        for (kind, words), count in counts.items()
    ]
    return [Panel(tuple(lines))] if lines else []


def _named_shortcut(cut: Shortcut) -> str:
    """'projection: 1×1, 128, /2', 'identity'."""
    words = labels.shortcut_words(cut)
    return f"{PROJECTION}: {words}" if cut.kind == PROJECTION else words or cut.kind


# --- a part of a unit ----------------------------------------------------------------------------


def cell_box(sketch: Sketch, unit: Unit, cell: Cell, number: int | None) -> Box:
    """The box of some layers of a unit."""
    if cell.sign:
        return _sign(sketch, cell)
    if sketch.style.level == "layer":
        return _layer(sketch, cell, number)
    if cell.role != "main":
        return _pill(sketch, unit, cell)
    make = _block if sketch.style.level == "block" else _convolution
    return make(sketch, unit, cell, number)


def _sign(sketch: Sketch, cell: Cell) -> Box:
    colour = sketch.theme.shortcut if cell.sign == "+" else sketch.theme.gate
    return Box(
        cell.name,
        ((Text(cell.sign, 18),),),
        "sign",
        fill=_page(sketch, cell.name),
        ink=colour,
        edge=colour,
        kind="addition" if cell.sign == "+" else "gating",
        note=sketch.note(cell.name, cell.layers),
    )


def _block(sketch: Sketch, unit: Unit, cell: Cell, number: int | None) -> Box:
    """A unit's box: what its main path runs, and its numbers, its shortcuts' among them."""
    if cell.name != unit.name:  # what its shortcut leaves behind
        lines: tuple[Line, ...] = (small(labels.before_main(cell.layers) or unit.kind),)
        row, kind = sketch.row(cell.name, unit.kind, cell.layers), "lead"
    else:
        row, kind = sketch.row(sketch.called(unit.name), unit.kind, unit.layers), "block"
        lines = _block_lines(sketch, unit, cell, row)
    lines += _what_changed(sketch, cell.name)
    fill = _fill(sketch, cell.name, number, unit.kind, row.cost)
    return Box(cell.name, lines, fill=fill, kind=kind, note=labels.tooltip(row))


def _block_lines(sketch: Sketch, unit: Unit, cell: Cell, row: Row) -> tuple[Line, ...]:
    inside = {layer.name for layer in cell.layers}
    said = labels.unit_lines(unit, among=inside)
    figures = _figures(sketch, row.cost)
    if sketch.style.down and sketch.edge_labels:  # room to the side, none below
        joined = " · ".join(part for part in (row.name, figures) if part)
        return (*spoken(labels.chained(said)), small(joined))
    below = (small(figures),) if figures else ()
    return (small(row.name), *spoken(said), *below)


def _convolution(sketch: Sketch, unit: Unit, cell: Cell, number: int | None) -> Box:
    """A convolution or what else takes a line of its own, with the norm and activation that fold.

    The numbers stand behind the words, as there are many such boxes.
    """
    main, row = cell.main_layer, sketch.row(cell.name, "layer", cell.layers)
    first = labels.before_main(cell.layers)
    alone = main.op.category in ("normalization", "activation")
    words = first or caption(main.op) if alone else f"{first} {caption(main.op)}".strip()
    figures = _short_figures(sketch, row.cost)
    line = (Text(words, heavy=True), Text(f"   {figures}", SMALL)) if figures else bold(words)
    fill = _fill(sketch, cell.name, number, main.op.category, row.cost)
    if not row.cost.macs and sketch.fills.by == "stage":
        fill = mix(fill, sketch.theme.page, 0.6)
    lines = (line, *_what_changed(sketch, cell.name))
    note = sketch.note(cell.name, cell.layers)
    return Box(cell.name, lines, fill=fill, kind="conv", note=note)


def _pill(sketch: Sketch, unit: Unit, cell: Cell) -> Box:
    """What a shortcut runs on its way, or what makes a gate."""
    if cell.cut:
        name, kind = f"{sketch.called(unit.name)}, shortcut", cell.cut.kind
        said = labels.shortcut_steps(cell.cut)
    else:
        name, kind, said = cell.name, "gate", [labels.gate_words(cell.layers)]
    return Box(
        cell.name,
        (*map(small, said), *_what_changed(sketch, cell.name)),
        "pill",
        fill=_page(sketch, cell.name),
        edge=sketch.theme.shortcut if cell.cut else sketch.theme.gate,
        stroke=cell.cut.kind if cell.cut else "",
        lane=cell.role,
        kind=f"via {kind}",
        note=labels.tooltip(sketch.row(name, kind, cell.layers)),
    )


def _layer(sketch: Sketch, cell: Cell, number: int | None) -> Box:
    theme, row = sketch.theme, sketch.row(cell.name, "layer", cell.layers)
    return Box(
        cell.name,
        _layer_lines(sketch, cell.main_layer, row.cost) + _what_changed(sketch, cell.name),
        fill=_layer_fill(sketch, cell, number, row.cost),
        edge={"shortcut": theme.shortcut, "gate": theme.gate}.get(cell.role, ""),
        stroke=cell.cut.kind if cell.cut else "",
        lane=cell.role,
        kind="layer",
        note=sketch.note(cell.name, cell.layers),
    )


def _layer_lines(sketch: Sketch, layer: Layer, spent: Cost) -> tuple[Line, ...]:
    words = caption(layer.op)
    if sketch.style.labels == "paper":
        return (bold(labels.paper_caption(layer.op)),)
    if light(layer):
        return (small(words),)
    product = labels.product(layer.op) if sketch.style.alone else ""
    figures = labels.numbers(0 if product else spent.params, spent.macs, spent.uncounted)
    return (bold(words), *(small(text) for text in (product, figures) if text))


def _layer_fill(sketch: Sketch, cell: Cell, number: int | None, spent: Cost) -> str:
    layer, theme = cell.main_layer, sketch.theme
    by_stage = sketch.fills.by == "stage"
    if by_stage and cell.cut and cell.cut.kind == PADDING:
        return theme.page  # nothing is learned
    fill = _fill(sketch, cell.name, number, layer.op.category, spent)
    return mix(fill, theme.page, 0.6) if by_stage and light(layer) else fill


# --- numbers and changes -------------------------------------------------------------------------


def _figures(sketch: Sketch, spent: Cost) -> str:
    if sketch.fills.by == "activations":
        return f"{compact(spent.written)} activations"
    return labels.numbers(spent.params, spent.macs, spent.uncounted)


def _short_figures(sketch: Sketch, spent: Cost) -> str:
    """Parameters and MACs, or what the heat map shows, without their units."""
    if sketch.fills.by == "activations":
        return compact(spent.written)
    if not (spent.macs or spent.uncounted):
        return compact(spent.params) if spent.params else ""
    return f"{compact(spent.params)} · {compact(spent.macs)}{'+ ?' if spent.uncounted else ''}"


def _fill(sketch: Sketch, box: str, stage: int | None, category: str, cost: Cost) -> str:
    return sketch.fills.of(stage, category, cost, sketch.became(box).word)


def _page(sketch: Sketch, box: str) -> str:
    """The colour of what became of a box, that of the page where nothing did."""
    return sketch.theme.changes.get(sketch.became(box).word, sketch.theme.page)


def _what_changed(sketch: Sketch, box: str) -> tuple[Line, ...]:
    return tuple((Text(words, SMALL, heavy=True),) for words in sketch.became(box).what)
