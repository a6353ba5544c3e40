"""How plots look, and a Plot that is drawn when it is written: the same bytes every time.

The first two colours are Okabe's and Ito's blue and vermillion ('Color Universal Design', 2008);
the others were searched for so that all six stay well apart for readers with any colour blindness
(a test simulates them). Every series has a marker or a hatch of its own besides. matplotlib is
loaded when something is drawn, and its settings are put back afterwards.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.files import format_of, write_bytes
from resnet_inspect.pictures.page_size import INCH, LEAST_TEXT, PageSize
from resnet_inspect.pictures.themes import Theme, theme_named
from resnet_inspect.tables.characters import shortened, visible
from resnet_inspect.tables.columns import show_round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from resnet_inspect.networks.graph import LayerGraph

FORMATS = ("svg", "png", "pdf")
SUFFIXES = {f".{name}": name for name in FORMATS}

# What a file says of its making, less the date and the version of matplotlib.
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_COLOURED = {
    "page": "axes.facecolor figure.facecolor savefig.facecolor",
    "ink": "axes.labelcolor axes.titlecolor text.color xtick.labelcolor ytick.labelcolor",
    "muted": "axes.edgecolor xtick.color ytick.color",
    "grid": "grid.color",
}
"""matplotlib's settings that have a colour of the theme; plain.mplstyle holds all others."""

FONT = "Arimo"
"""As wide as Arial and Liberation Sans, so that the text of an SVG fits wherever it is shown."""

SMALLEST = 8.0
"""The smallest letters in a plot, in points, before it is made to fit a page."""

MOST = 6
"""The most networks in one plot: that many colours can be told apart."""

_NARROWEST, _WIDEST_NARROW = 4.4, 5.6
"""Inches at which a plot is drawn for a page on which its panels do not fit side by side."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
HATCHES = ("", "///", "...", "xxx", "---", "\\\\\\")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (2, 1.5)),
    (0, (7, 2, 2, 2)),
    (0, (1, 1)),
    (0, (4, 1.5, 1, 1.5, 1, 1.5)),
)


def called(name: str, most: int = 32) -> str:
    """A name as plots show it: without control characters, its middle left out if it is long."""
    return shortened(visible(name), most)


def names_of(graphs: Iterable[LayerGraph]) -> str:
    """The names of networks, for a sentence."""
    return ", ".join(visible(graph.name) for graph in graphs)


def dash(theme: Theme, number: int) -> Any:
    """How a series' line is dashed: only in a theme whose colours repeat."""
    return "-" if len(set(theme.series)) == len(theme.series) else DASHES[number]


def marked(theme: Theme, number: int) -> dict[str, Any]:
    """The colour and the marker of a series."""
    colours = theme.series
    return {"color": colours[number % len(colours)], "marker": MARKERS[number % len(MARKERS)]}


def backed(theme: Theme) -> dict[str, Any]:
    """A patch of page behind a text that may lie on lines."""
    return {"facecolor": theme.page, "edgecolor": "none", "alpha": 0.8, "pad": 0.8}


def note(
    axes: Axes, text: str, at: tuple[Any, Any], offset: tuple[float, float], **look: Any
) -> None:
    """Words at a point of the data, moved by so many points of the page."""
    axes.annotate(text, at, offset, **{"textcoords": "offset points", "fontsize": 9, **look})


def shared_legend(figure: Figure, axes: Axes, **look: Any) -> None:
    """One legend for all panels, of what is drawn on some axes."""
    fitted_legend(figure, *axes.get_legend_handles_labels(), **look)


def fitted_legend(
    figure: Figure, handles: Sequence[Any], labels: Sequence[str], **look: Any
) -> None:
    """A legend of the whole figure, smaller and in fewer columns where the page is narrow."""
    if is_narrow(figure):
        # A handle and the gaps take about 28 points of the narrowest page's 310, a letter 4.3.
        room = int(310 / (28 + 4.3 * max(map(len, labels), default=1)))
        look["ncols"] = max(1, min(room, look.get("ncols", 1)))
        look = {"handlelength": 1.5, **look, "fontsize": SMALLEST, "columnspacing": 1.0}
    figure.legend(handles, labels, **look)


def is_narrow(figure: Figure) -> bool:
    return bool(figure.get_figwidth() <= _WIDEST_NARROW)


def panels(figure: Figure, columns: int, rows: int = 1, **look: Any) -> list[list[Axes]]:
    """Axes by column; where the page is narrow all stand one below another."""
    narrow = is_narrow(figure)
    shape = (columns * rows, 1) if narrow else (rows, columns)
    grid = figure.subplots(*shape, squeeze=False, **look)
    return [list(column) for column in (grid.reshape(columns, rows) if narrow else grid.T)]


def side_by_side(figure: Figure, count: int, **look: Any) -> list[Axes]:
    """A row of axes; a column where the page is narrow."""
    return [axes for (axes,) in panels(figure, count, **look)]


def fitted(figure: Figure, title: str, columns: int = 1) -> str:
    """A title in as many lines as it needs above one of so many columns."""
    from textwrap import fill

    # Bold letters of 11 points are about 6 wide; the axis on the left takes some 45.
    letters = int((figure.get_figwidth() * 72 / columns - 45) / 6.0)
    return "\n".join(fill(line, letters) for line in title.splitlines())


def counted(axis: Axis) -> None:
    """Whole numbers on an axis, in K, M and G."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axis.set_major_formatter(lambda value, _: show_round(value))


def byte_unit(most: float) -> tuple[int, str]:
    """The largest unit of bytes that is not above some bytes, and its name."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = max(power for power in range(len(units)) if power == 0 or 1024**power <= most)
    return 1024**power, units[power]


def headed(figure: Figure, title: str, size: float = 11.0) -> None:
    """A title of the whole figure, of so many points."""
    look = {"x": 0.01, "ha": "left", "fontweight": "bold", "fontsize": size}
    figure.suptitle(fitted(figure, title), **look)


def plain_numbers(
    axis: Axis, steps: tuple[int, ...] = (1, 2, 5), shown: Callable[[float], str] = "{:,g}".format
) -> None:
    """1, 2, 5, 10 on a logarithmic axis rather than powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: shown(value))


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn.

    name: what it is called; alt: what it shows, for those who cannot see it. size: inches, width
    and height, where there is room. paint: draws it on a figure in a theme. columns: of panels side
    by side, which a narrow page has one below another. page: what it is made to fit.
    """

    name: str
    alt: str
    size: tuple[float, float]
    paint: Callable[[Figure, Theme], None]
    columns: int = 1
    theme: str = "light"
    page: PageSize | None = None

    def _layout(self) -> tuple[tuple[float, float], float]:
        """Inches in which it is drawn, and by how much it is then made larger or smaller.

        Letters stay legible: below some width panels are stacked rather than made smaller.
        """
        wide, tall = self.size
        if self.page is None:
            return self.size, 1.0
        width, height = self.page.width / INCH, (self.page.height or 0) / INCH
        if width < wide * LEAST_TEXT / SMALLEST:
            wide = min(max(width, _NARROWEST), _WIDEST_NARROW)
            tall *= 0.85 * self.columns if self.columns > 1 else 1.0
        scale = width / wide
        return (wide, height / scale if height else tall), scale

    @property
    def least_text(self) -> float:
        """The smallest letters on the page, in points."""
        return round(SMALLEST * self._layout()[1], 3)

    def to_bytes(self, format: str = "svg", *, dpi: int = 144) -> bytes:
        """The file's bytes, equal for equal plots.

        Raises UnknownNameError for the format, InspectError for a page that is too small.
        """
        from matplotlib.figure import Figure

        if format not in FORMATS:
            raise unknown("format", format, FORMATS)
        theme = theme_named(self.theme)
        size, scale = self._layout()
        with _settings(theme, self.name):
            figure = Figure(figsize=size, dpi=dpi, layout="constrained")
            try:
                self.paint(figure, theme)
                _fit_titles(figure)
                return _WRITERS[format](figure, scale, dpi)
            except UserWarning:  # of axes without any room left
                raise InspectError(
                    f"the plot {self.name!r} does not fit a page of this size; give a larger one"
                ) from None

    @property
    def file_name(self) -> str:
        """Its name as one of a file, without a suffix."""
        return re.sub(r"[^\w.,=+\[\]-]+", "-", self.name)[:120]

    def to_svg(self) -> str:
        """The picture as SVG, with its text as text."""
        return self.to_bytes("svg").decode("utf-8")

    def write(
        self, path: str | os.PathLike[str], format: str | None = None, *, dpi: int = 144
    ) -> None:
        """Write svg, png or pdf, by the file's suffix if none is given; replaces the file whole.

        Raises FormatError for another suffix, OutputError where the file cannot be written.
        """
        write_bytes(path, self.to_bytes(format or format_of(path, SUFFIXES), dpi=dpi))

    def _repr_svg_(self) -> str:
        return self.to_svg()


def _fit_titles(figure: Figure) -> None:
    """Titles of panels in as many lines as they need."""
    for axes in figure.axes:
        if spec := axes.get_subplotspec():
            title = fitted(figure, axes.get_title("left"), spec.get_gridspec().ncols)
            axes.set_title(title, loc="left")


# savefig would draw twice, first to find a layout, which drawing does by itself.


def _svg(figure: Figure, scale: float, dpi: int) -> bytes:
    """Drawn as it is, and shown larger or smaller; with fonts of the same width as Arimo."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    def shown(sides: re.Match[bytes]) -> bytes:
        width, height = (f"{float(side) * scale:.6g}pt" for side in sides.groups())
        return f'{width}" height="{height}'.encode()

    canvas: Any = FigureCanvasSVG(figure)
    buffer = io.BytesIO()
    canvas.print_svg(buffer, metadata=_METADATA["svg"])
    browsers = b"Arimo, Arial, 'Liberation Sans', Helvetica, 'DejaVu Sans', sans-serif"
    drawn = buffer.getvalue().replace(b"'Arimo', 'DejaVu Sans'", browsers)
    if scale == 1:
        return drawn
    return re.sub(rb'(?<= width=")([\d.]+)pt" height="([\d.]+)pt', shown, drawn, count=1)


def _png(figure: Figure, scale: float, dpi: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    figure.dpi = dpi * scale
    said: Any = {"metadata": _METADATA["png"], "pil_kwargs": {"dpi": (dpi, dpi)}}
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, **said)
    return buffer.getvalue()


def _pdf(figure: Figure, scale: float, dpi: int) -> bytes:
    """As matplotlib's own canvas writes it, on a page that is scaled."""
    from matplotlib.backends import backend_pdf

    pdf: Any = backend_pdf  # which has no types
    buffer = io.BytesIO()
    figure.dpi = 72
    width, height = figure.get_size_inches()
    file = pdf.PdfFile(buffer, metadata=_METADATA["pdf"])
    file.newPage(width * scale, height * scale)
    file.output(scale, 0, 0, scale, 0, 0, pdf.Op.concat_matrix)
    renderer = pdf.RendererPdf(file, 72, height, width)
    figure.draw(renderer)
    renderer.finalize()
    file.finalize()
    file.close()
    return buffer.getvalue()


_WRITERS = {"svg": _svg, "png": _png, "pdf": _pdf}


@contextmanager
def _settings(theme: Theme, name: str) -> Iterator[None]:
    """matplotlib's defaults and this package's, whatever the user's own settings are."""
    import warnings

    from matplotlib import style

    settings = {"svg.hashsalt": f"resnet-inspect {name}"}
    for colour, keys in _COLOURED.items():
        settings |= dict.fromkeys(keys.split(), getattr(theme, colour))
    styles: list[Any] = ["resnet_inspect.pictures.plots.plain", settings]
    with warnings.catch_warnings(), style.context(styles, after_reset=True):
        # A name may hold letters that neither font has; a browser finds them elsewhere.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("error", "constrained_layout not applied", UserWarning)
        _load_font()
        yield


def _load_font() -> None:
    """Let matplotlib know the font that comes with this package."""
    from importlib.resources import as_file, files

    from matplotlib import font_manager

    if any(entry.name == FONT for entry in font_manager.fontManager.ttflist):
        return
    fonts = files("resnet_inspect.pictures") / "fonts"
    for style in ("Regular", "Bold"):
        with as_file(fonts / f"{FONT}-{style}.ttf") as path:
            font_manager.fontManager.addfont(path)
