"""Reading HTML as a test does: tables by name, every cell's text and exact value, elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "input", "hr", "img"}


@dataclass
class ReadTable:
    """A table as it stands on a page: rows of text, and what each cell gives to sort by."""

    name: str
    caption: str = ""
    keys: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    values: list[list[str | None]] = field(default_factory=list)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """The elements and tables of a page; rows that name a group are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.tables: list[ReadTable] = []
        self.unclosed: list[str] = []
        self._cell: list[str] | None = None
        self._value: str | None = None
        self._caption = False
        self._part = ""
        self._group = False
        self.feed(html)
        self.close()

    def table(self, name: str) -> ReadTable:
        (found,) = (table for table in self.tables if table.name == name)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append(Element(tag, given))
        if tag not in VOID:
            self.unclosed.append(tag)
        if tag == "table":
            self.tables.append(ReadTable(given.get("data-table") or ""))
        elif tag in ("thead", "tbody", "tfoot"):
            self._part = tag
        elif tag == "caption":
            self._caption = True
        elif tag == "tr" and self._part != "thead":
            self._group = given.get("class") == "group"
            if not self._group:
                self.tables[-1].rows.append([])
                self.tables[-1].values.append([])
        elif tag in ("th", "td") and self.tables:
            self._cell, self._value = [], given.get("data-v")
            if self._part == "thead":
                self.tables[-1].keys.append(given.get("data-key") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
        if self._caption:
            self.tables[-1].caption += data

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag, f"</{tag}> closes something else"
        if tag == "caption":
            self._caption = False
        elif tag in ("th", "td") and self._cell is not None:
            if self._part != "thead" and not self._group:
                self.tables[-1].rows[-1].append("".join(self._cell).strip())
                self.tables[-1].values[-1].append(self._value)
            self._cell = None
