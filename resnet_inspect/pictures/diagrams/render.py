"""Sheet -> picture, in process through pygraphviz or by an installed `dot`.

The text of a picture is measured and drawn in Arimo, which comes with this package, so pictures
come out alike on every machine and nothing depends on what fonts are installed or how fontconfig
is set up there. SVG text stays text; the characters that our own words need are embedded as a web
font, and whatever ignores that has Arial or another font of the same widths.
"""

from __future__ import annotations

import base64
import os
import re
import struct
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from zlib import crc32

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.pictures.diagrams.engine import run_graphviz
from resnet_inspect.pictures.diagrams.lengths import MARGIN
from resnet_inspect.pictures.diagrams.measure import Size
from resnet_inspect.pictures.diagrams.sheet import Sheet
from resnet_inspect.pictures.diagrams.to_dot import write_dot

FORMATS = ("svg", "png", "pdf", "tex", "dot")

RENDERERS = ("pygraphviz", "dot")

PNG_DPI = 144
"""Dots to an inch of a bitmap: half as many again as a page in a browser has."""

LARGEST_BITMAP = 32767
"""Dots that cairo can draw along a side."""

_WEIGHTS = {"Regular": "normal", "Bold": "bold"}
_BEYOND = re.compile("[^\x00-\u017f\u0384-\u045f\u2010-\u2026\u2192\u2212\u2236\u2588\u25a0\ufffd]")
"""Characters that Arimo, cut to what is common in names, lacks."""


class RenderError(InspectError):
    """Graphviz could not draw."""


def render(
    sheet: Sheet, format: str, renderer: str = "pygraphviz", dpi: int | None = None
) -> bytes:
    """A picture in one of FORMATS, drawn by one of RENDERERS; dpi: of a bitmap.

    Raises UnknownNameError, and RenderError where Graphviz is missing or fails.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if renderer not in RENDERERS:
        raise unknown("renderer", renderer, RENDERERS)
    if format == "tex":
        from resnet_inspect.pictures.diagrams.to_tikz import write_tikz

        return write_tikz(sheet).encode("utf-8")
    if format == "dot":
        return write_dot(sheet).encode("utf-8")
    draw = _in_process if renderer == "pygraphviz" else _by_command
    if format == "svg":
        return _finished(draw(write_dot(replace(sheet, shown=None)), format), sheet)
    dot = write_dot(sheet)
    if format == "pdf":
        return draw(dot, format)
    dots = _fitting(sheet, dpi or PNG_DPI)
    return _with_resolution(draw(_at(dot, dots), format), dots)


def _fitting(sheet: Sheet, dpi: int) -> int:
    """Dots to an inch at which a bitmap is one that cairo can draw."""
    points = max(sheet.shown or (sheet.width, sheet.height))
    return max(1, min(dpi, int(LARGEST_BITMAP * 72 / (points + 2 * MARGIN))))


def _at(dot: str, dpi: int) -> str:
    """DOT that asks for so many dots to an inch, which moves everything but SVG and PDF."""
    end = dot.rindex("}")
    return f"{dot[:end]}\tdpi={dpi}\n{dot[end:]}"


def _in_process(dot: str, format: str) -> bytes:
    """What Graphviz draws of DOT in which everything has its position."""
    _use_own_fonts(dot)
    drawn = run_graphviz(dot, "nop2", format)
    if drawn is None:
        raise RenderError(f"Graphviz could not draw {format}; write DOT and run neato -n2")
    return drawn


def _by_command(dot: str, format: str) -> bytes:
    import graphviz

    try:
        drawn = graphviz.pipe("neato", format, dot.encode("utf-8"), quiet=True, neato_no_op=2)
    except graphviz.ExecutableNotFound:
        raise RenderError(
            "no 'dot' on the PATH; install Graphviz, or take the renderer that comes along "
            "(pygraphviz)"
        ) from None
    except graphviz.CalledProcessError as error:
        said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        raise RenderError(f"dot failed: {said[0] if said else error}") from None
    return bytes(drawn)


def _with_resolution(png: bytes, dpi: int) -> bytes:
    """A PNG that says how large it is on paper (its chunk pHYs, in dots to a metre)."""
    dots = round(dpi / 0.0254)
    chunk = b"pHYs" + struct.pack(">IIB", dots, dots, 1)
    framed = struct.pack(">I", 9) + chunk + struct.pack(">I", crc32(chunk))
    return png[:_HEADER] + framed + png[_HEADER:]


_HEADER = 33
"""The bytes of a PNG's signature and its first chunk."""


_FONTS: list[object] = []
"""This package's configuration of fontconfig: it lives as long as the process."""


def _use_own_fonts(dot: str) -> None:
    """Let pygraphviz's fontconfig know our fonts, and nothing of the machine's configuration.

    fontconfig reads the machine's files unless it has a configuration by then; where those are
    missing or newer than the library they cost warnings, and where there is no font, the text.
    Libraries without fontconfig (macOS) draw with the system's fonts.
    """
    if _FONTS:
        return
    import ctypes

    from pygraphviz import _graphviz

    library = ctypes.CDLL(_graphviz.__file__)
    try:  # among the libraries that pygraphviz is linked to
        create, current = library.FcConfigCreate, library.FcConfigSetCurrent
        add_file, add_folder = library.FcConfigAppFontAddFile, library.FcConfigAppFontAddDir
        load = library.FcConfigParseAndLoad
    except AttributeError:
        _FONTS.append(None)
        return
    create.restype = ctypes.c_void_p
    config = ctypes.c_void_p(create())
    with as_file(files("resnet_inspect.pictures") / "fonts") as folder:
        load(config, os.fsencode(folder / "fonts.conf"), False)  # no word if it cannot
        for weight in _WEIGHTS:
            add_file(config, os.fsencode(folder / f"Arimo-{weight}.ttf"))
    if _BEYOND.search(dot):  # a name in a script that Arimo lacks: the machine's fonts may have it
        add_folder(config, b"/usr/share/fonts")
    current(config)
    _FONTS.append(config)


_DOTS = (b'stroke-dasharray="1,5"', b'stroke-dasharray="0,5.5" stroke-linecap="round"')
"""Dots as Graphviz writes them, squares a third as wide as high, and round ones."""

_SIZE = re.compile(rb'width="[^"]*" height="[^"]*"\s+viewBox="[^"]*"')


def _finished(svg: bytes, sheet: Sheet) -> bytes:
    """An SVG that has the size asked for, round dots, and the font of its text."""
    start = svg.index(b"<svg")
    at = svg.index(b">", start) + 1
    shown = sheet.shown or Size(sheet.width, sheet.height)
    head = _SIZE.sub(
        b'width="%.2fpt" height="%.2fpt" viewBox="0 0 %.2f %.2f"'
        % (*shown, sheet.width, sheet.height),
        svg[start:at],
    )
    return svg[:start] + head + b"\n" + _font_faces() + svg[at:].replace(*_DOTS)


@cache
def _font_faces() -> bytes:
    faces = []
    for weight, css in _WEIGHTS.items():
        data = (files("resnet_inspect.pictures") / "fonts" / f"Arimo-{weight}.woff2").read_bytes()
        faces.append(
            f'@font-face{{font-family:"Arimo";font-weight:{css};'
            f"src:url(data:font/woff2;base64,{base64.b64encode(data).decode()})}}"
        )
    return f"<style>{''.join(faces)}</style>".encode()
