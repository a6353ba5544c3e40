"""Pages -> LaTeX that fits the column of an article: booktabs, and numbers aligned by siunitx.

Text is ASCII, which every engine takes: signs and accents are commands.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from resnet_inspect.tables.columns import Column, Record, Stacked, stacked
from resnet_inspect.tables.layout import Part, Size, parts
from resnet_inspect.tables.page import Page, cell

WIDTH = 74
"""Digits that a line of the article class holds: 345 pt, of 4.63 pt each in \\small."""

LONG = 40
"""Rows of a table that breaks over pages."""

_DIGIT = 4.63

_SETTINGS = (
    "{\\small\\setlength{\\tabcolsep}{4.6pt}%\n"
    "\\sisetup{group-separator={,},group-minimum-digits=4,table-alignment=right}%\n"
)

_DECIMALS = {"count": 0, "ratio": 2, "number": 2}
"""Kinds that are aligned as numbers, and their decimals."""


def latex(pages: Sequence[Page]) -> str:
    """A fragment for \\input, with what it needs, its title and its notes as comments."""
    tabulars = [latex_spelled(text) for page in pages for text in _tabulars(page)]
    return "\\par\\bigskip\n\n".join(tabulars)


def _tabulars(page: Page) -> list[str]:
    def sizes(columns: Sequence[Column]) -> list[Size]:
        return [_size(page, column) for column in columns]

    made = parts(page.columns, sizes, WIDTH)
    shown = {column.key for part in made for column in part.columns}
    left = [column.title for column in page.columns if column.key not in shown]
    told = [f"Left out to fit the line: {'; '.join(left)}"] if left else []
    comments = [f"% {line}\n" for line in (page.title, *page.remarks, *told)]
    return ["".join([*comments, _tabular(page, part)]) for part in made]


def _size(page: Page, column: Column) -> Size:
    """As wide as it is; only prose wraps, and nothing is shortened."""
    told = [column.title, *(cell(row, column) for row in page.rows)]
    told += [cell(row, column) for row in page.below] if column is not page.columns[0] else []
    if column.kind == "stack":
        told = [line for text in told for part in stacked(text) for line in _lined(part)]
    widest = max(map(_width, told))
    if column.kind in ("prose", "formula"):
        return Size(min(widest, 16), min(widest, 24), widest)
    return Size(widest, widest, widest)


def _width(text: str) -> int:
    """The width of a text in digits, in Computer Modern."""
    return math.ceil(sum(_WIDTHS.get(char, 1.57) for char in _times(text)))


_WIDTHS = {
    char: width
    for width, chars in {
        0.56: "il.,:;'!|[]", 0.68: " -", 0.8: "fjrst()", 0.9: "cez", 1.0: "0123456789aog/",
        1.12: "bdhknpquvxyS", 1.45: "wBCEFLPRTZJ", 1.67: "m%", 1.85: "M", 2.06: "W",
    }.items()
    for char in chars
}  # fmt: skip
"""Widths of characters in digits; others are as wide as most capitals, or less."""


def _tabular(page: Page, part: Part) -> str:
    columns = part.columns
    long = len(page.rows) > LONG
    indent = "" if long else r"\noindent"
    name = "longtable" if long else "tabular"
    packages = ["booktabs", "siunitx", "array", *(["longtable"] if long else [])]
    specs = [_spec(page, *about) for about in zip(columns, part.sizes, strict=True)]
    aligned = [spec.startswith("S") for spec in specs]
    lines = [
        f"% \\usepackage{{{','.join(packages)}}}",
        f"{_SETTINGS}{indent}\\begin{{{name}}}{{@{{}}{' '.join(specs)}@{{}}}}",
        "\\toprule",
        _joined([_head(*about) for about in zip(columns, aligned, strict=True)]),
        "\\midrule",
        *(["\\endhead", "\\bottomrule", "\\endfoot"] if long else []),
    ]
    for number, group in enumerate(page.groups):
        lines += ["\\addlinespace"] if number else []
        lines += [_joined(_row(row, columns, aligned)) for row in group]
    below = [row for row in page.below if any(column.key in row for column in columns[1:])]
    lines += ["\\midrule"] if below else []
    lines += [_joined(_below(row, columns, aligned)) for row in below]
    lines += [] if long else ["\\bottomrule"]
    return "\n".join([*lines, f"\\end{{{name}}}}}\n"])


def _spec(page: Page, column: Column, size: int) -> str:
    """How a column is set: numbers by their digits, prose as paragraphs if it has to wrap."""
    if column.kind in ("prose", "formula") and size < _size(page, column).most:
        return f">{{\\raggedright\\arraybackslash}}p{{{size * _DIGIT:.0f}pt}}"
    if column.kind not in _DECIMALS:
        return "r" if column.numeric or column.kind == "share" else "l"
    plain = [text for row in (*page.rows, *page.below) if (text := _number(row, column))]
    whole = max((len(text.lstrip("-").partition(".")[0]) for text in plain), default=1)
    sign = "-" if any(text.startswith("-") for text in plain) else ""
    decimals = _DECIMALS[column.kind]
    return f"S[table-format={sign}{whole}{f'.{decimals}' if decimals else ''}]"


def _number(row: Record, column: Column) -> str:
    """What siunitx takes as a number; '' for anything else."""
    text = cell(row, column).replace(",", "")
    return text if _NUMBER.fullmatch(text) else ""


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _head(column: Column, aligned: bool) -> str:
    return f"{{{_text(column.title)}}}" if aligned else _text(column.title)


def _row(row: Record, columns: Sequence[Column], aligned: Sequence[bool]) -> list[str]:
    return [_value(row, *about) for about in zip(columns, aligned, strict=True)]


def _value(row: Record, column: Column, aligned: bool) -> str:
    if aligned and (number := _number(row, column)):
        return number
    text = _stack(cell(row, column)) if column.kind == "stack" else _text(cell(row, column))
    return f"{{{text}}}" if aligned and text else text


def _lined(part: Stacked) -> list[str]:
    return [f"[{line}] x {part.times}" if part.times else line for line in part.lines]


def _stack(text: str) -> str:
    """Lines one above another, in brackets where the text has some."""
    made = []
    for lines, times in stacked(text):
        rows = [f"\\mbox{{{_text(line)}}}" for line in lines]
        if times:
            rows = [f"$\\left[{_lines(rows, 'array')}\\right]\\times {times}$"]
        made += rows
    return _lines(made, "tabular") if len(made) > 1 else "".join(made)


def _lines(lines: Sequence[str], name: str) -> str:
    """Lines one above another, in an environment."""
    return f"\\begin{{{name}}}{{@{{}}l@{{}}}}" + r" \\ ".join(lines) + f"\\end{{{name}}}"


def _below(row: Record, columns: Sequence[Column], aligned: Sequence[bool]) -> list[str]:
    """A row below the others, whose name runs over the cells that it leaves empty."""
    first, *others = _row(row, columns, aligned)
    empty = next(at for at, text in enumerate([*others, "."]) if text)
    if not empty:
        return [first, *others]
    return [f"\\multicolumn{{{empty + 1}}}{{@{{}}l}}{{{first}}}", *others[empty:]]


def _joined(cells: Sequence[str]) -> str:
    # A bracket or star behind the end of a row would belong to it.
    apart = "{}" if cells[0][:1] in ("[", "*") else ""
    return f"{apart}{' & '.join(cells)} \\\\"


def _text(text: str) -> str:
    """Text with no meaning for LaTeX; 64x56x56 and 3 x Block have signs of multiplication."""
    return _NEGATIVE.sub("−", _times(text)).translate(ESCAPES)


def _times(text: str) -> str:
    return _TIMES.sub(lambda match: match[0].replace("x", "×"), text)


_TIMES = re.compile(r"(?<!\w)\d+(?:x\d+)+(?!\w)|(?<=\d) x (?=\w)")
_NEGATIVE = re.compile(r"^-(?=\d)")
ESCAPES = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)


_LATEX = {
    **{sign: f"$\\{command}$" for sign, command in {
        "×": "times", "·": "cdot", "±": "pm", "→": "rightarrow", "≠": "neq", "≤": "leq",
        "≥": "geq", "≈": "approx", "∞": "infty", "∥": "parallel",
        "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil",
    }.items()},
    "²": "$^2$", "³": "$^3$", "−": "$-$", "–": "--", "—": "---", "…": "\\dots{}",
}  # fmt: skip
_MARKS_ABOVE = "\u0300\u0301\u0302\u0303\u0304\u0307\u0308\u030a\u030c\u0327"
_ACCENTS = dict(zip(_MARKS_ABOVE, "`'^~=.\"rvc", strict=True))


def latex_spelled(text: str) -> str:
    """LaTeX in ASCII, which every engine takes: signs and accents as commands."""
    return text if text.isascii() else _BEYOND.sub(lambda match: _in_latex(match[0]), text)


_BEYOND = re.compile(r"[^\x00-\x7f]")


def _in_latex(char: str) -> str:
    if char in _LATEX:
        return _LATEX[char]
    parts = unicodedata.normalize("NFD", char)
    if parts[0].isascii() and parts[1:] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1:]]}{{{parts[0]}}}"
    return f"[U+{ord(char):04X}]"
