"""The files besides the page: Markdown to read, CSV to compute with, SVG and DOT to draw with.

README.md, overview/*.csv, overview/*.svg         the networks side by side
<network>/README.md, *.csv, diagram.svg and .dot  each network
blocks/README.md, *.csv, *.svg, diagram.dot       the two residual blocks
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from resnet_inspect.reporting.contents import BLOCKS, CONVENTIONS, OVERVIEW, Part, Report
from resnet_inspect.tables.table import Table


def pictures(report: Report) -> dict[str, str]:
    """The SVG files of a report by their paths."""
    found = {f"{OVERVIEW}/{name}.svg": plot.to_svg() for name, plot in report.plots.items()}
    for part in report.parts:
        found[f"{part.slug}/diagram.svg"] = part.diagram.render().decode("utf-8")
        found[f"{part.slug}/memory.svg"] = part.memory.to_svg()
    found[f"{BLOCKS}/diagram.svg"] = report.block_diagram.render().decode("utf-8")
    found[f"{BLOCKS}/growth.svg"] = report.block_plot.to_svg()
    return found


def documents(report: Report) -> dict[str, str]:
    """The Markdown, CSV and DOT files of a report by their paths."""
    found = {
        "README.md": _readme(report),
        f"{BLOCKS}/README.md": _blocks(report),
        f"{CONVENTIONS}/README.md": _conventions(report),
    }
    for part in report.parts:
        found[f"{part.slug}/README.md"] = _network(part)
        found[f"{part.slug}/diagram.dot"] = part.diagram.dot
    found[f"{BLOCKS}/diagram.dot"] = report.block_diagram.dot
    for path, table in _tables(report):
        found[f"{path}.csv"] = table.to_text("csv")
    return found


def _tables(report: Report) -> Iterator[tuple[str, Table]]:
    for name, table in report.overview.tables.items():
        yield f"{OVERVIEW}/{name}", table
    for part in report.parts:
        yield f"{part.slug}/layers", part.every_layer
        if part.published is not None:
            yield f"{part.slug}/published", part.published
    for folder, sheet in ((BLOCKS, report.blocks), (CONVENTIONS, report.conventions)):
        for name, table in sheet.tables.items():
            yield f"{folder}/{name}", table


_MARKS = re.compile(r"([\\`*\[\]<>#|&!])")


def plain(text: str) -> str:
    """Text that Markdown takes for nothing but text."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _picture(alt: str, path: str) -> str:
    return f"![{plain(alt)}]({path})\n"


def _readme(report: Report) -> str:
    lines = [f"# {plain(report.title)}\n", f"{plain(report.about)}.\n"]
    lines.append("All of it in one page: [index.html](index.html).\n")
    if report.command:
        lines.append(f"Made by `{report.command.replace('`', '')}`.\n")
    lines.append("## Overview\n")
    lines.extend(table.to_text("markdown") for table in report.overview.tables.values())
    lines.extend(
        _picture(plot.alt, f"{OVERVIEW}/{name}.svg") for name, plot in report.plots.items()
    )
    lines.append("## Networks\n")
    lines.extend(
        f"- [{plain(part.name)}]({part.slug}/README.md): {plain(part.about)}"
        for part in report.parts
    )
    lines.append("\n## Blocks and conventions\n")
    lines.append(f"- [{plain(report.blocks.title)}]({BLOCKS}/README.md)")
    lines.append(f"- [What others count in these networks]({CONVENTIONS}/README.md)\n")
    return "\n".join(lines)


def _network(part: Part) -> str:
    return "\n".join(
        [
            f"# {plain(part.name)}\n",
            f"{plain(part.about)}\n",
            part.stages.to_text("markdown"),
            _picture(f"Diagram of {part.name}", "diagram.svg"),
            part.layers.to_text("markdown"),
            _picture(part.memory.alt, "memory.svg"),
            *([part.published.to_text("markdown")] if part.published is not None else []),
        ]
    )


def _blocks(report: Report) -> str:
    return "\n".join(
        [
            f"# {plain(report.blocks.title)}\n",
            _picture("The two blocks of He et al. 2015, Figure 5", "diagram.svg"),
            _picture(report.block_plot.alt, "growth.svg"),
            *(table.to_text("markdown") for table in report.blocks.tables.values()),
        ]
    )


def _conventions(report: Report) -> str:
    return "\n".join(
        [
            "# Conventions\n",
            *(table.to_text("markdown") for table in report.conventions.tables.values()),
        ]
    )
