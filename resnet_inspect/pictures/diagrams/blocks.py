"""Networks as stages or as blocks: a box for each, its numbers, and its shortcuts at its side."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby, pairwise
from operator import itemgetter

from resnet_inspect.counting.costs import ZERO
from resnet_inspect.networks.wiring import Shortcut, sources
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.dot import (
    SMALL,
    STROKES,
    Canvas,
    attributes,
    sized,
    stroke_sample,
    table,
    words,
)
from resnet_inspect.pictures.diagrams.fills import BoxContent
from resnet_inspect.pictures.diagrams.units import DrawnStage, Run, Unit
from resnet_inspect.pictures.themes import mix, text_on
from resnet_inspect.tables.columns import compact
from resnet_inspect.tables.network import Row

FRAME = {"labeljust": "r", "peripheries": "1", "style": "rounded,filled"}


def stage_kind(stage: DrawnStage) -> str:
    """The kinds of a stage's blocks in a word."""
    return "/".join(dict.fromkeys(unit.kind for unit in stage.units))


def stage_frame(
    canvas: Canvas, stage: DrawnStage, number: int | None
) -> AbstractContextManager[Canvas]:
    """A tinted frame around a stage's blocks; none around stem, head and a single stage."""
    if number is None or len(canvas.graph.stages) == 1:
        return nullcontext(canvas)
    theme = canvas.theme
    name = stage.stage.name
    count = len(stage.stage.blocks)
    blocks = sized(f"  {count} block{'s' if count > 1 else ''}", SMALL, theme.muted)
    title = sized(labels.short(name), "13", heavy=True)
    # Only next to shortcuts is there room for both in a line.
    wide = len(name) <= 8 and any(unit.shortcuts for unit in stage.units)
    label = title + blocks if wide else table([title, blocks], align="RIGHT")
    tint = canvas.fills.stage(number) if canvas.fills.by == "stage" else theme.quiet
    edge = mix(mix(theme.page, tint, 0.7), theme.ink, 0.12)
    look = {"color": edge, "fillcolor": mix(theme.page, tint, theme.tint), "margin": "10"}
    return canvas.cluster(name, label, **FRAME, **look, tooltip=labels.tip(f"stage {name}"))


def repeat_frame(canvas: Canvas, run: Run, label: str) -> AbstractContextManager[Canvas]:
    """A frame around units that are drawn once for several."""
    first, last = run.drawn[0].name, run.repeats[-1][-1].name
    note = f"block {first}" if run.count == 1 else f"{first} to {last}: {run.count} times the same"
    margin = "14" if canvas.prefix else "9"  # arcs swing wider where ranks are aligned
    look = {"fillcolor": canvas.theme.page, "color": canvas.theme.muted, "penwidth": "1.3"}
    look |= {"margin": margin, "tooltip": labels.tip(note)}
    return canvas.cluster(f"{first}/frame", label, **FRAME, **look)


def draw_stage(canvas: Canvas, stage: DrawnStage, number: int | None) -> str:
    """A stage as one box: its blocks in brackets and their count, as in He et al. 2015, Table 1.

    Returns its node.
    """
    name = stage.stage.name
    row = canvas.row(name, stage_kind(stage), tuple(stage.stage.layers))
    lines = [sized(name, SMALL)]
    change = canvas.change(row.layers)
    fill = canvas.fills.of(BoxContent(number, stage_kind(stage), row.cost, change))
    for said, count in _layouts(stage, number is None):
        body = table(words(said))
        lines.append(body if number is None else _bracketed(body, count, text_on(fill)))
    if figures := _figures(canvas, row):
        lines.append(sized(figures, SMALL))
    if strip := _shortcut_strip(canvas, stage):
        lines.append(strip)
    box = canvas.box(name, lines, fill, labels.tooltip(row))
    for at, (tail, source) in enumerate(canvas.entering(sources(row.layers)).items()):
        if at == 0:
            canvas.main(tail, box, canvas.new_shape(source))
        else:
            canvas.skip(tail, box, canvas.shape_of(source))
    canvas.anchors.update((layer.name, box) for layer in row.layers)
    return box


def _layouts(stage: DrawnStage, strides: bool) -> list[tuple[list[labels.Line], int]]:
    """The different blocks of a stage by what they compute, strides left out, with their counts.

    A stage whose blocks do not run one after another is told as a whole.
    """
    ways = pairwise(stage.units)
    if any(after.sources != (before.output.name,) for before, after in ways):
        gates = tuple(gate for unit in stage.units for gate in unit.gates)
        whole = Unit(stage.stage.name, stage_kind(stage), tuple(stage.stage.layers), gates=gates)
        return [(labels.unit_lines(whole, strides), 1)]
    layouts = [
        ([line for unit in run.drawn for line in labels.unit_lines(unit, strides)], run.count)
        for run in stage.runs
    ]
    alike = groupby(layouts, key=itemgetter(0))
    return [(said, sum(count for _, count in runs)) for said, runs in alike]


def _bracketed(body: str, count: int, ink: str) -> str:
    times = sized(f"× {count}", "15", heavy=True)
    return (
        '<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3"><TR>'
        f'<TD BORDER="1" SIDES="LR" COLOR="{ink}">{body}</TD><TD>{times}</TD></TR></TABLE>'
    )


def _shortcut_strip(canvas: Canvas, stage: DrawnStage) -> str:
    """A stage's shortcuts by kind, each with its stroke, on the colour of the page."""
    counts = Counter(
        (cut.kind, labels.shortcut_words(cut)) for unit in stage.units for cut in unit.shortcuts
    )
    if not counts:
        return ""
    theme = canvas.theme
    rows = "".join(
        f'<TR><TD ALIGN="LEFT">{stroke_sample(kind, theme.shortcut)}'
        f"{sized(f' {count} × {runs or kind}', SMALL, theme.ink)}</TD></TR>"
        for (kind, runs), count in counts.items()
    )
    return (
        f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="0" BGCOLOR="{theme.page}" '
        f'STYLE="rounded">{rows}</TABLE>'
    )


def draw_block(canvas: Canvas, run: Run, number: int | None) -> list[str]:
    """Units as boxes with their shortcuts and additions; framed where they stand for several.

    Returns the boxes' nodes.
    """
    if run.count == 1:
        return [_block(canvas, unit, number) for unit in run.drawn]
    with repeat_frame(canvas, run, sized(f"× {run.count}", "17", heavy=True)) as inside:
        boxes = [_block(inside, unit, number) for unit in run.drawn]
    share_anchors(canvas, run)
    return boxes


def share_anchors(canvas: Canvas, run: Run) -> None:
    """What any of a run's units puts out comes out of the one that is drawn."""
    for _, drawn, layer in run.pairs:
        canvas.anchors[layer.name] = canvas.anchors[drawn.name]


def _block(canvas: Canvas, unit: Unit, number: int | None) -> str:
    row = canvas.row(unit.name, unit.kind, unit.layers)
    note = labels.tooltip(row)
    beside = {layer.name for cut in unit.shortcuts for layer in cut.layers}
    change = canvas.change(layer for layer in unit.layers if layer.name not in beside)
    fill = canvas.fills.of(BoxContent(number, unit.kind, row.cost, change))
    lines = _block_lines(canvas, unit, row)
    box = canvas.box(unit.name, lines, fill, note)
    entry = _enter(canvas, unit, box)
    canvas.anchors.update(dict.fromkeys(unit.inside, box))
    if unit.shortcuts:
        addition = unit.additions[0]
        note = canvas.note(addition)
        out = canvas.sign(addition.name, "+", canvas.theme.shortcut, note, "addition")
        canvas.main(box, out)
        for cut in unit.shortcuts:
            tail = entry if _near(canvas, unit, cut) else canvas.anchor(cut.source)
            _shortcut(canvas, unit, cut, tail, out)
        after = unit.layers[unit.layers.index(addition) :]
        canvas.anchors.update((layer.name, out) for layer in (*unit.additions, *after))
    return box


def _near(canvas: Canvas, unit: Unit, cut: Shortcut) -> bool:
    """Whether a shortcut leaves where its unit's main path begins."""
    begins = next(iter(canvas.entering(unit.sources).values()), "")
    return cut.source in unit.inside or cut.source == begins


def _block_lines(canvas: Canvas, unit: Unit, row: Row) -> list[str]:
    said = labels.unit_lines(unit)
    figures = _figures(canvas, row)
    if canvas.style.down and not canvas.prefix:  # room to the side, none below
        joined = " · ".join(part for part in (unit.name, figures) if part)
        return [*words(labels.chained(said)), sized(joined, SMALL)]
    below = [sized(figures, SMALL)] if figures else []
    return [sized(unit.name, SMALL), *words(said), *below]


def _figures(canvas: Canvas, row: Row) -> str:
    if canvas.fills.by == "activations":
        return f"{compact(row.cost.written)} activations"
    return labels.numbers(row.cost.params, row.cost.macs, row.cost.uncounted)


def _enter(canvas: Canvas, unit: Unit, box: str) -> str:
    """Edges into a unit's box; returns where it is entered and its shortcut leaves."""
    gated = [layer for gate in unit.gates for layer in gate]
    reads = {name for layer in (*unit.body, *gated) for name in layer.inputs}
    beside = {cut.source for cut in unit.shortcuts} - reads
    forks = any(_near(canvas, unit, cut) for cut in unit.shortcuts)
    entry = box
    for at, (tail, source) in enumerate(canvas.entering(unit.sources).items()):
        shape = canvas.new_shape(source)
        if at > 0:
            if source not in beside:
                canvas.skip(tail, box, canvas.shape_of(source))
        elif forks:
            entry = canvas.fork(unit.name, f"input of {unit.name}", canvas.theme.shortcut)
            canvas.main(tail, entry, shape, fork=True)
            canvas.main(entry, box)
        elif canvas.prefix:  # so that boxes of networks side by side align
            note = f"input of {unit.name}"
            entry = canvas.fork(unit.name, note, canvas.theme.line, width="0.01")
            canvas.main(tail, entry, fork=True)
            canvas.main(entry, box, shape, tight=True)
        else:
            canvas.main(tail, box, shape)
    return entry


def _shortcut(canvas: Canvas, unit: Unit, cut: Shortcut, tail: str, out: str) -> None:
    """An arc from where a shortcut leaves to its addition, through what it runs on the way."""
    runs = labels.shortcut_words(cut)
    if not runs:
        room = {} if canvas.style.down else {"label": " "}  # keeps the arc inside its frame
        canvas.shortcut(canvas.beside(tail), canvas.beside(out), cut.kind, **room)
        return
    colour, stroke = canvas.theme.shortcut, STROKES[cut.kind]
    change = canvas.change(cut.layers)
    told = canvas.fills.of(BoxContent(None, cut.kind, ZERO, change)) if change != "same" else ""
    look = canvas.box_look([sized(runs, SMALL)], told or canvas.theme.page) | {
        "class": f"via {cut.kind}",
        "group": canvas.straight(f"{unit.name}/shortcut"),
        "color": colour,
        "style": f"rounded,filled,{stroke}",
        "penwidth": "1.6",
    }
    spent = canvas.row(f"{unit.name}, shortcut", cut.kind, cut.layers)
    note = labels.tip(labels.tooltip(spent))
    pill = canvas.node(f"{unit.name}/{cut.end}", note, attributes(look))
    ports = ("n", "s") if canvas.style.down else ("w", "e")
    canvas.shortcut(canvas.beside(tail), f"{pill}:{ports[0]}", cut.kind, arrowhead="none")
    canvas.shortcut(f"{pill}:{ports[1]}", canvas.beside(out), cut.kind)
