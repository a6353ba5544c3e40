"""A scene on a page: wrapped into columns so that text can be read at the size asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import is_, itemgetter

from resnet_inspect.errors import InspectError
from resnet_inspect.pictures.diagrams.arrange import FEW, within
from resnet_inspect.pictures.diagrams.measure import Size
from resnet_inspect.pictures.diagrams.scene import Box, Columns, Group, Line, Scene
from resnet_inspect.pictures.diagrams.sheet import Sheet
from resnet_inspect.pictures.diagrams.spread import Spread
from resnet_inspect.pictures.page_size import INCH, LEAST_TEXT, PageSize

PAGE = 9.5 * INCH
"""How high a picture may be where only its width is asked for: the text of a page."""

MOST_COLUMNS = 24


def lay_out(scene: Scene, size: PageSize | None = None, columns: int | None = None) -> Sheet:
    """Give all that a scene shows its place.

    size: the room for it. columns: how many its stages wrap into (rows, if it runs to the right);
    None for as many as let text be largest in the room. Raises InspectError.
    """
    if columns is not None and columns < 1:
        raise InspectError(f"{columns} columns; give 1 or more")
    scene = _narrowed(scene)
    sizes: dict[int, Size] = {}
    first = Spread(scene, sizes)
    if size is None and columns is None:
        return first.sheet()
    least = min(_text_sizes(scene), default=LEAST_TEXT)
    for inside in (False, True):
        cells = first.cells(inside)
        most = min(sum(cell.broken for cell in cells[:-1]) + 1, MOST_COLUMNS)
        counts = range(1, most + 1) if columns is None else (min(columns, most),)
        spreads = (
            first if count == 1 else Spread(first.wrapped(cells, count), sizes) for count in counts
        )
        notes = _unwrapped(scene, columns, most)
        if size is None:
            sheet = replace(next(spreads).sheet(), notes=notes)
        else:
            sheet = _fitted(_best(spreads, size, least), size, least, columns, notes)
        if not sheet.notes:
            break
    return sheet


def _narrowed(scene: Scene) -> Scene:
    """A scene in which boxes of many branches have their figures below their words."""
    if not scene.down:
        return scene
    drawings = (replace(each, root=_with_narrow(each.root, False)) for each in scene.drawings)
    return replace(scene, drawings=tuple(drawings))


def _with_narrow(group: Group, beside: bool) -> Group:
    beside |= group.arrangement == "parallel" and sum(part.count for part in group.parts) > FEW
    parts = tuple(
        _with_narrow(part, beside)
        if isinstance(part, Group)
        else (_narrow(part) if beside else part)
        for part in group.parts
    )
    same = all(map(is_, parts, group.parts))
    return group if same else replace(group, parts=parts)


def _narrow(box: Box) -> Box:
    lines: list[Line] = []
    for line in box.lines:
        if isinstance(line, tuple):
            lines += [(replace(text, words=text.words.strip()),) for text in line]
        else:
            lines.append(line)
    return replace(box, lines=tuple(lines))


def _unwrapped(scene: Scene, columns: int | None, most: int) -> tuple[str, ...]:
    """What to say where a picture does not wrap into the columns asked for."""
    if columns is None or columns <= most:
        return ()
    if len(scene.drawings) > 1:
        return ("networks side by side do not wrap into columns",)
    return (f"this picture wraps into no more columns than {most}",)


def _best(spreads: Iterable[Spread], size: PageSize, least: float) -> Spread:
    """The one with the largest text on a page; with more columns it grows, and then shrinks."""
    tried: list[tuple[tuple[float, float, float], Spread]] = []
    for spread in spreads:
        tried.append((_legible(spread.size, size, least), spread))
        largest = max(legible for legible, _ in tried)
        if all(legible < largest for legible, _ in tried[-PATIENCE:]):
            break
    return max(tried, key=itemgetter(0))[1]


PATIENCE = 3
"""Columns more without larger text, after which no more are tried."""


def _legible(whole: Size, size: PageSize, least: float) -> tuple[float, float, float]:
    """Whether text can be read; how large it is on a page; of equals, what of it stays free."""
    readable = min(least * _scale(whole, size, least), LEAST_TEXT)
    scale = _scale(whole, replace(size, height=size.height or PAGE), least)
    return round(readable, 2), round(scale, 3), -whole.width * whole.height


def _scale(whole: Size, size: PageSize, least: float) -> float:
    """How much smaller a picture is shown; as high as a page, if text is then not too small."""
    fitting = min(size.width / whole.width, 1.0)
    if size.height:
        return min(fitting, size.height / whole.height)
    return min(fitting, max(PAGE / whole.height, LEAST_TEXT / least))


def _fitted(
    spread: Spread, size: PageSize, least: float, columns: int | None, notes: tuple[str, ...]
) -> Sheet:
    """A picture at the size asked for, in the middle of it, with what has to be said of that."""
    scale = _scale(spread.size, size, least)
    smallest = least * scale
    if smallest < LEAST_TEXT:
        said = (
            f"the smallest text is {smallest:.1f} points high at this size, below the "
            f"{LEAST_TEXT:g} that can be read on paper; "
            f"{', '.join(_ways_out(spread.scene, columns))}"
        )
        notes = (*notes, said)
    sheet = spread.sheet(size.width / scale)
    return replace(sheet, shown=Size(size.width, sheet.height * scale), notes=notes)


def _ways_out(scene: Scene, columns: int | None) -> Iterator[str]:
    """What would make text larger."""
    yield "draw less of it (--level stage, block or conv)"
    if not scene.down:
        yield "let it run down (--direction TB)"
    if columns is not None:
        yield "leave --columns out"
    yield "fold repeats (no --expand) or give it more room (--size)"


def _text_sizes(scene: Scene) -> Iterator[float]:
    """Points of all text in a picture."""
    yield from _sizes_of(scene.legend)
    for drawing in scene.drawings:
        yield from _sizes_of(drawing.heading)
        for edge in drawing.edges:
            yield from _sizes_of(edge.lines)
        for part in within(drawing.root):
            if isinstance(part, Box):
                yield from _sizes_of(part.lines)
            elif part.frame:
                yield from _sizes_of(part.frame.title)


def _sizes_of(lines: Sequence[Line]) -> Iterator[float]:
    for line in lines:
        if isinstance(line, tuple):
            yield from (text.size for text in line if text.words.strip())
        elif isinstance(line, Columns):
            yield from (size for column in line.columns for size in _sizes_of(column))
        else:
            yield from _sizes_of(line.lines)
