"""DOT -> picture, in process through pygraphviz or by an installed `dot`.

The text of a picture is measured and drawn in Arimo, which comes with this package, so pictures
come out alike on every machine and nothing depends on what fonts are installed or how fontconfig
is set up there. SVG text stays text; the characters that our own words need are embedded as a web
font, and whatever ignores that has Arial or another font of the same widths.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files

from resnet_inspect.errors import InspectError, unknown

FORMATS = ("svg", "png", "pdf", "dot")

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


def render(dot: str, format: str, renderer: str = "pygraphviz") -> bytes:
    """DOT in one of FORMATS by one of RENDERERS.

    Raises UnknownNameError, and RenderError where Graphviz is missing or fails.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if renderer not in RENDERERS:
        raise unknown("renderer", renderer, RENDERERS)
    if format == "dot":
        return dot.encode("utf-8")
    drawn = _in_process(dot, format) if renderer == "pygraphviz" else _by_command(dot, format)
    return _with_fonts(drawn) if format == "svg" else drawn


MOST_PIECES = 30_000
"""Boxes, and ranks that lines pass, that Graphviz lays out in minutes: time grows as the square."""

_EDGE = re.compile(r'^\s*("(?:[^"\\]|\\.)*"|\w+) -> ("(?:[^"\\]|\\.)*"|\w+)', re.MULTILINE)


def _pieces(dot: str) -> int:
    """How many boxes with edges there are, and how often an edge passes the rank of another."""
    ranks: dict[str, int] = {}
    edges = _EDGE.findall(dot)  # nearly in running order: what starts a line is ranked before
    for start, end in edges:
        ranks[end] = max(ranks.get(end, 0), ranks.setdefault(start, 0) + 1)
    return len(ranks) + sum(max(0, ranks[end] - ranks[start] - 1) for start, end in edges)


def _at(dot: str, dpi: int) -> str:
    """DOT that asks for so many dots to an inch, which moves everything but SVG and PDF."""
    end = dot.rindex("}")
    return f"{dot[:end]}\tdpi={dpi}\n{dot[end:]}"


def _in_process(dot: str, format: str) -> bytes:
    if (pieces := _pieces(dot)) > MOST_PIECES:
        raise RenderError(
            f"this picture has {pieces:,} boxes and pieces of lines, which would take Graphviz "
            "many minutes; draw blocks or stages (--level), write DOT, or try --render dot"
        )
    _use_own_fonts(dot)
    if format != "png":
        with _laid_out(dot) as draw:
            return draw(format)
    with _laid_out(_at(dot, PNG_DPI)) as draw:
        _, _, width, height = draw("plain").split(maxsplit=4)[:4]  # in inches
        fitting = int(LARGEST_BITMAP / max(float(width), float(height)))
        if fitting >= PNG_DPI:
            return draw(format)
    with _laid_out(_at(dot, max(fitting, 1))) as draw:
        return draw(format)


@contextmanager
def _laid_out(dot: str) -> Iterator[Callable[[str], bytes]]:
    """A graph that pygraphviz has laid out, as a function that draws it in a format.

    AGraph.draw would do, but warns on stderr of graphs with more than 1000 nodes.
    """
    from pygraphviz import AGraph
    from pygraphviz import graphviz as binding

    graph = AGraph(string=dot)
    context = binding.gvContextWithBuiltins()

    def draw(format: str) -> bytes:
        failed, drawn = binding.gvRenderData(context, graph.handle, format.encode())
        if failed:
            raise RenderError(f"Graphviz could not draw {format}; write DOT and run dot to see why")
        return drawn if isinstance(drawn, bytes) else str(drawn).encode("utf-8")

    try:
        if binding.gvLayout(context, graph.handle, b"dot"):
            raise RenderError("Graphviz could not lay the graph out; write DOT and run dot on it")
        yield draw
        binding.gvFreeLayout(context, graph.handle)
    finally:
        graph.close()
        binding.gvFreeContext(context)


def _by_command(dot: str, format: str) -> bytes:
    import graphviz

    if format == "png":
        dot = _at(dot, PNG_DPI)
    try:
        return bytes(graphviz.pipe("dot", format, dot.encode("utf-8"), quiet=True))
    except graphviz.ExecutableNotFound:
        raise RenderError(
            "no 'dot' on the PATH; install Graphviz, or take the renderer that comes along "
            "(pygraphviz)"
        ) from None
    except graphviz.CalledProcessError as error:
        said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        raise RenderError(f"dot failed: {said[0] if said else error}") from None


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


def _with_fonts(svg: bytes) -> bytes:
    """An SVG that carries the font of its text."""
    at = svg.index(b">", svg.index(b"<svg")) + 1
    return svg[:at] + b"\n" + _font_faces() + svg[at:]


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
