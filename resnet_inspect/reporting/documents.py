"""The files besides the page: Markdown to read, CSV to compute with, SVG and DOT to draw with.

README.md, overview/*.csv, overview/*.svg         the networks side by side
<network>/README.md, *.csv, diagram.svg and .dot  each network
blocks/README.md, *.csv, *.svg, diagram.dot       the two residual blocks, where a network has them
"""

from __future__ import annotations

from collections.abc import Iterator

from resnet_inspect.reporting.contents import BLOCKS, CONVENTIONS, OVERVIEW, BlockPart, Part, Report
from resnet_inspect.tables.characters import visible
from resnet_inspect.tables.table import Sheet, Table
from resnet_inspect.tables.writers import markdown_escaped


def pictures(report: Report) -> dict[str, str]:
    """The SVG files of a report by their paths."""
    found = {f"{OVERVIEW}/{name}.svg": plot.to_svg() for name, plot in report.plots.items()}
    for part in report.parts:
        found[f"{part.slug}/diagram.svg"] = part.drawing.light.render().decode("utf-8")
        found[f"{part.slug}/memory.svg"] = part.memory.to_svg()
    if blocks := report.blocks:
        found[f"{BLOCKS}/diagram.svg"] = blocks.drawing.light.render().decode("utf-8")
        found[f"{BLOCKS}/growth.svg"] = blocks.plot.to_svg()
    return found


def documents(report: Report) -> dict[str, str]:
    """The Markdown, CSV and DOT files of a report by their paths."""
    found = {
        "README.md": _readme(report),
        f"{CONVENTIONS}/README.md": _document("Conventions", *_markdown(report.conventions)),
    }
    for part in report.parts:
        found[f"{part.slug}/README.md"] = _network(part)
        found[f"{part.slug}/diagram.dot"] = part.drawing.light.dot
    if report.blocks:
        found[f"{BLOCKS}/README.md"] = _blocks(report.blocks)
        found[f"{BLOCKS}/diagram.dot"] = report.blocks.drawing.light.dot
    for path, table in _tables(report):
        found[f"{path}.csv"] = table.to_text("csv")
    return found


def _tables(report: Report) -> Iterator[tuple[str, Table]]:
    for name, table in report.overview.tables.items():
        yield f"{OVERVIEW}/{name}", table
    for part in report.parts:
        yield f"{part.slug}/layers", part.every_layer
        if part.published:
            yield f"{part.slug}/published", part.published
    sheets = {CONVENTIONS: report.conventions}
    if report.blocks:
        sheets[BLOCKS] = report.blocks.sheet
    for folder, sheet in sheets.items():
        for name, table in sheet.tables.items():
            yield f"{folder}/{name}", table


def _picture(alt: str, path: str) -> str:
    return f"![{markdown_escaped(alt)}]({path})\n"


def _markdown(sheet: Sheet) -> list[str]:
    return [table.to_text("markdown") for table in sheet.tables.values()]


def _document(title: str, *parts: str) -> str:
    return "\n".join((f"# {markdown_escaped(title)}\n", *parts))


def _readme(report: Report) -> str:
    plots = [_picture(plot.alt, f"{OVERVIEW}/{name}.svg") for name, plot in report.plots.items()]
    networks = [
        f"- [{markdown_escaped(part.name)}]({part.slug}/README.md): {markdown_escaped(part.about)}"
        for part in report.parts
    ]
    blocks = report.blocks
    link = [f"- [{markdown_escaped(blocks.sheet.title)}]({BLOCKS}/README.md)"] if blocks else []
    return _document(
        report.title,
        f"{markdown_escaped(report.about)}.\n",
        "All of it in one page: [index.html](index.html).\n",
        *([f"Made by `{visible(report.command.replace('`', ''))}`.\n"] if report.command else []),
        "## Overview\n",
        *_markdown(report.overview),
        *plots,
        "## Networks\n",
        *networks,
        f"\n## {'Blocks and conventions' if link else 'Conventions'}\n",
        *link,
        f"- [What others count in these networks]({CONVENTIONS}/README.md)\n",
    )


def _network(part: Part) -> str:
    return _document(
        part.name,
        f"{markdown_escaped(part.about)}\n",
        part.stages.to_text("markdown"),
        _picture(f"Diagram of {part.name}", "diagram.svg"),
        part.layers.to_text("markdown"),
        _picture(part.memory.alt, "memory.svg"),
        *([part.published.to_text("markdown")] if part.published else []),
    )


def _blocks(part: BlockPart) -> str:
    return _document(
        part.sheet.title,
        _picture("The two blocks of He et al. 2015, Figure 5", "diagram.svg"),
        _picture(part.plot.alt, "growth.svg"),
        *_markdown(part.sheet),
    )
