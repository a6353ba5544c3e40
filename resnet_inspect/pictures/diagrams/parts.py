"""Units, runs of units and stages as parts of a picture: boxes in groups, with their frames."""

from __future__ import annotations

from collections.abc import Container, Sequence

from resnet_inspect.networks.torch_ops import View
from resnet_inspect.pictures.diagrams.arrange import Item, arranged, boxes, twins
from resnet_inspect.pictures.diagrams.boxes import cell_box, stage_box
from resnet_inspect.pictures.diagrams.cells import Cell, cells
from resnet_inspect.pictures.diagrams.scene import Box, Frame, Group, Lane, Part, Text
from resnet_inspect.pictures.diagrams.sketch import Sketch
from resnet_inspect.pictures.diagrams.style import SMALL
from resnet_inspect.pictures.diagrams.units import DrawnStage, Run, Unit
from resnet_inspect.pictures.themes import Theme, mix


def stage_part(sketch: Sketch, stage: DrawnStage, number: int | None) -> Part:
    """A stage: one box, or a tinted frame around its blocks; stem and head have none."""
    if sketch.style.level == "stage":
        box = stage_box(sketch, stage, number)
        sketch.put(box.name, stage.stage.layers)
        return box
    items = [
        Item(
            _run(sketch, run, number),
            [layer for units in run.repeats for unit in units for layer in unit.layers],
        )
        for run in stage.runs
    ]
    name = stage.stage.name
    bare = number is None or len(sketch.graph.stages) == 1
    frame = None if bare else _stage_frame(sketch, stage, number)
    return Group(f"{name}/stage", arranged(items), frame=frame)


def _stage_frame(sketch: Sketch, stage: DrawnStage, number: int | None) -> Frame:
    theme, name = sketch.theme, stage.stage.name
    blocks = Text(f"  {_members(stage)}", SMALL, colour=theme.muted)
    title = (Text(sketch.called(name), 13, heavy=True), blocks)
    tint = sketch.fills.stage(number) if sketch.fills.by == "stage" else theme.quiet
    edge = mix(mix(theme.page, tint, 0.7), theme.ink, 0.12)
    fill = mix(theme.page, tint, theme.tint)
    first, last = stage.stage.blocks[0].name, stage.stage.blocks[-1].name
    note = f"{sketch.called(name)}: {sketch.called(first)} to {sketch.called(last)}"
    return Frame((title,), fill=fill, edge=edge, note=note, kind="stage")


def _members(stage: DrawnStage) -> str:
    """How many blocks a stage has; of one that is no module, which."""
    blocks = stage.stage.blocks
    first, last = blocks[0].name, blocks[-1].name
    spans = len(blocks) > 1 and ".." not in first + last
    if spans and not first.startswith(stage.stage.name):
        head, dot, _ = first.rpartition(".")
        return f"{first} to {last.removeprefix(head + dot)}"
    return f"{len(blocks)} block{'s' if len(blocks) > 1 else ''}"


def _run(sketch: Sketch, run: Run, number: int | None) -> Part:
    """Units, drawn once for all repeats, in a frame that counts them."""
    whole = sketch.style.level == "layer" and number is not None  # every unit has its frame
    alone = len(run.drawn) == 1
    items = [
        Item(
            _unit(sketch, unit, number, _frame(sketch, run if alone else Run(((unit,),)), whole)),
            unit.layers,
        )
        for unit in run.drawn
    ]
    for unit in (unit for repeat in run.repeats for unit in repeat):
        if unit.output.output_shape in unit.layers[0].input_shapes[:1]:
            sketch.kept.add(unit.output.name)
    for _, drawn, layer in run.pairs:
        if drawn.name in sketch.gives:  # not where a shortcut's line stands for it
            sketch.gives[layer.name] = sketch.gives[drawn.name]
    if alone:
        return items[0].part
    return Group(f"{run.drawn[0].name}/run", arranged(items), frame=_frame(sketch, run, False))


def _frame(sketch: Sketch, run: Run, whole: bool) -> Frame | None:
    """A frame around units that are drawn once for several, and around units as layers.

    whole: whether a single unit has one, with its name; of a block by itself the name is above.
    """
    if run.count == 1 and not whole:
        return None
    theme, first, last = sketch.theme, run.drawn[0], run.repeats[-1][-1].name
    title = []
    if whole and not sketch.style.alone:
        title.append(Text(sketch.called(first.name), 12, heavy=True))
        if first.kind != first.name:
            title.append(Text(f"  {first.kind}", SMALL, colour=theme.muted))
    if run.count > 1:
        title.append(_times(run.count, "  " if title else ""))
    called = sketch.called(first.name)
    if run.count == 1:
        return _frame_of(theme, title, f"block {called}", "unit")
    note = f"{called} to {sketch.called(last)}: {run.count} times the same"
    return _frame_of(theme, title, note, "repeat")


def _frame_of(theme: Theme, title: Sequence[Text], note: str, kind: str) -> Frame:
    lines = (tuple(title),) if title else ()
    return Frame(lines, fill=theme.page, edge=theme.muted, note=note, kind=kind)


# --- a unit --------------------------------------------------------------------------------------


def _unit(sketch: Sketch, unit: Unit, number: int | None, frame: Frame | None) -> Part:
    """A unit's boxes: its main path, with shortcuts and gates at its side."""
    found = cells(unit, sketch.style.cut, sketch.readers)
    made = {cell.name: cell_box(sketch, unit, cell, number) for cell in found}
    for cell in found:
        sketch.put(cell.name, cell.layers)
    _wire(sketch, unit)
    main = [cell for cell in found if cell.role == "main"]
    items = [_with_gate(cell, found, made) for cell in main]
    if sketch.style.level == "conv" and not sketch.style.expand:
        items = _counted(sketch, items)
    along = _beside(unit, found, made, list(arranged(items)), sketch.gives)
    parts = _forked(sketch, unit, along)
    if len(parts) == 1 and not frame:
        return parts[0]
    return Group(f"{unit.name}/unit", parts, frame=frame)


def _wire(sketch: Sketch, unit: Unit) -> None:
    """Say which wires are of a shortcut or a gate, and what shortcuts without a box pass on."""
    sketch.unit_of.update((layer.name, unit.name) for layer in unit.layers)
    sketch.cuts.extend(unit.shortcuts)
    for cut in unit.shortcuts:
        for layer in cut.layers:
            sketch.strokes.update(((name, layer.name), cut.kind) for name in layer.inputs)
            if layer.name not in sketch.takes:
                sketch.passed[layer.name] = layer.inputs[0]
        sketch.strokes[cut.end, cut.addition.name] = cut.kind
    for gating, layers in unit.gates:
        for layer in layers:
            sketch.gates.update((name, layer.name) for name in layer.inputs)
        if layers:
            sketch.gates.add((gating.inputs[1], gating.name))


def _with_gate(cell: Cell, found: Sequence[Cell], made: dict[str, Box]) -> Item:
    """A cell of the main path; before a gating, at the side, what makes its gate."""
    box: Part = made[cell.name]
    names = {layer.name for layer in cell.layers}
    gate = [each for each in found if each.gates in names and each.role == "gate"]
    if gate:
        lane = Group(f"{cell.name}/lane", (_lane(cell.name, gate, made, "gate"),))
        box = Group(f"{cell.name}/gated", (lane, box))
    return Item(box, cell.layers, cell.sign == "+")


def _counted(sketch: Sketch, items: Sequence[Item]) -> list[Item]:
    """The parts of a main path, with branches that do the same drawn once in a frame that counts.

    Where in a tensor each takes its piece does not count.
    """
    inside = {layer.name for item in items for layer in item.layers}
    likes = {
        item.part.name: _likeness(sketch, item, inside)
        for item in items
        if isinstance(item.part, Box)
    }
    shown = {item.part.name: item for item in items}
    for runs in twins(items, likes):
        for run in runs:
            for drawn, item in zip(runs[0], run, strict=True):
                sketch.put(drawn.part.name, item.layers)
        first, last = runs[0][0].part.name, runs[-1][-1].part.name
        ends = f"{sketch.called(first)} to {sketch.called(last)}"
        note = f"{ends}: {len(runs)} branches that do the same"
        frame = _frame_of(sketch.theme, [_times(len(runs))], note, "repeat")
        parts = tuple(item.part for item in runs[0])
        group = Group(f"{first}/alike", parts, frame=frame, count=len(runs))
        members = [item for run in runs for item in run]
        shown[first] = Item(group, [layer for item in members for layer in item.layers])
        for item in members[1:]:
            del shown[item.part.name]
    return list(shown.values())


def _times(count: int, before: str = "") -> Text:
    return Text(f"{before}× {count}", 17, heavy=True)


def _likeness(sketch: Sketch, item: Item, inside: Container[str]) -> object:
    """Equal for boxes of the same ops and shapes, of which the same became.

    inside: layers of the main path; what else reads a box, or that it is returned, sets it apart.
    """
    does = tuple(
        (each.op.replace(places=()) if isinstance(each.op, View) else each.op, each.input_shapes)
        for each in item.layers
    )
    names = [each.name for each in item.layers]
    readers = {reader for name in names for reader in sketch.readers.get(name, ())}
    far = {reader for reader in readers if reader not in inside}
    far.update(name for name in names if name in sketch.graph.outputs)
    return does, frozenset(far), sketch.changes.get(item.part.name)


def _lane(name: str, found: Sequence[Cell], made: dict[str, Box], lane: Lane) -> Part:
    """What runs beside the main path, in a row."""
    if len(found) == 1:
        return made[found[0].name]
    items = [Item(made[cell.name], cell.layers) for cell in found]
    return Group(f"{name}/{lane}", arranged(items), lane=lane)


def _beside(
    unit: Unit,
    found: Sequence[Cell],
    made: dict[str, Box],
    parts: list[Part],
    gives: dict[str, str],
) -> list[Part]:
    """A unit's main path with what its shortcuts run beside what they lead around."""
    lanes = [
        _lane(f"{unit.name}/{cut.end}", own, made, "shortcut")
        for cut in unit.shortcuts
        if (own := [cell for cell in found if cell.cut is cut])
    ]
    if not lanes:
        return parts
    place = {box.name: at for at, part in enumerate(parts) for box in boxes(part)}
    leaves = [place.get(gives.get(cut.source, ""), -1) for cut in unit.shortcuts]
    joins = [place[gives[cut.addition.name]] for cut in unit.shortcuts]
    start = max(leaves) + 1
    end = max(start, min(joins))
    around = Group(f"{unit.name}/around", (*lanes, *parts[start:end]))
    return [*parts[:start], around, *parts[end:]]


def _forked(sketch: Sketch, unit: Unit, parts: list[Part]) -> tuple[Part, ...]:
    """A unit's parts with a point for each tensor from which several paths part.

    Those are tensors from outside that several of its boxes take, and those inside at which
    shortcuts leave.
    """
    taken: dict[str, dict[str, None]] = {}
    for layer in unit.layers:
        if box := sketch.takes.get(layer.name):
            for name in map(sketch.origin, layer.inputs):
                if sketch.gives.get(name) != box:
                    taken.setdefault(name, {})[box] = None
    leaving = {sketch.origin(cut.source) for cut in unit.shortcuts}
    before: list[Part] = []
    after: dict[str, Part] = {}
    for name, heads in taken.items():
        inside = name in unit.inside
        if len(heads) < 2 or (inside and name not in leaving):
            continue
        fork = f"{unit.name}/{name}" if before or after else unit.name
        colour = sketch.theme.shortcut if name in leaving else sketch.theme.line
        note = name if inside else f"input of {sketch.called(unit.name)}"
        point = Box(f"{fork}/fork", look="fork", edge=colour, kind="fork", note=note)
        sketch.forks[unit.name, name] = point.name
        if inside:
            after[sketch.gives[name]] = point
        else:
            before.append(point)
    found: list[Part] = []
    if before:
        many = len(before) > 1
        found.append(Group(f"{unit.name}/forks", tuple(before), "parallel") if many else before[0])
    for part in parts:
        found.append(part)
        found += [after[box.name] for box in boxes(part) if box.name in after]
    return tuple(found)
