"""What a picture shows as text that people read: boxes as they stand, edges as they run."""

from __future__ import annotations

from collections.abc import Iterator

from resnet_inspect.pictures.diagrams.scene import (
    Box,
    Brackets,
    Columns,
    Drawing,
    Edge,
    Line,
    Panel,
    Part,
    Scene,
)


def outline(scene: Scene) -> str:
    """A scene in lines: legend, words at the side, and each network."""
    lines = [f"legend: {words(line)}" for line in scene.legend]
    lines += [f"at {key}: {words(side[0])}" for key, side in scene.sides.items()]
    for drawing in scene.drawings:
        lines += ["", *_network(drawing)]
    return "\n".join(lines).lstrip() + "\n"


def words(line: Line) -> str:
    """A line without its looks; a sample of a shortcut's line as its kind."""
    if isinstance(line, Columns):
        return " | ".join("; ".join(map(words, column)) for column in line.columns)
    if isinstance(line, Brackets):
        return f"[{'; '.join(map(words, line.lines))}] × {line.count}"
    if isinstance(line, Panel):
        return "; ".join(map(words, line.lines))
    return "".join(f"--{text.stroke}--" if text.stroke else text.words for text in line)


def _network(drawing: Drawing) -> Iterator[str]:
    yield from map(words, drawing.heading)
    for part in drawing.root.parts:
        yield from _part(part, "  ")
    yield from map(_edge, drawing.edges)


def _part(part: Part, indent: str) -> Iterator[str]:
    beside = "" if part.lane == "main" else f" beside ({part.lane})"
    if isinstance(part, Box):
        said = " / ".join(map(words, part.lines))
        yield f"{indent}{part.name}: {part.look} {part.kind}{beside} {part.fill} {said}".rstrip()
        return
    frame = f" framed {' '.join(map(words, part.frame.title))}" if part.frame else ""
    align = f" at {part.align}" if part.align else ""
    yield f"{indent}{part.name}, {part.arrangement}{beside}{frame}{align}"
    for inner in part.parts:
        yield from _part(inner, f"{indent}  ")


def _edge(edge: Edge) -> str:
    way = "" if edge.way == "main" else f" {edge.way} {edge.stroke}".rstrip()
    said = "".join(f" '{text}'" for text in (edge.label, edge.caption) if text)
    return f"{edge.tail} -> {edge.head}{way}{said}"
