"""How plots look, and a Plot that is drawn when it is written: the same bytes every time.

The first two colours are Okabe's and Ito's blue and vermillion ('Color Universal Design', 2008);
the others were searched for so that all six stay well apart for readers with any colour blindness
(a test simulates them). Every series has a marker or a hatch of its own besides. matplotlib is
loaded when something is drawn, and its settings are put back afterwards.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resnet_inspect.errors import unknown
from resnet_inspect.files import format_of, write_bytes
from resnet_inspect.pictures.themes import Theme, theme_named
from resnet_inspect.tables.characters import shortened, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

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

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
HATCHES = ("", "///", "...", "xxx", "---", "\\\\\\")
SUPTITLE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontweight": "bold"}
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
    figure.legend(*axes.get_legend_handles_labels(), **look)


def log_log(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")


def plain_numbers(axis: Axis, steps: tuple[int, ...] = (1, 2, 5)) -> None:
    """1, 2, 5, 10 on a logarithmic axis rather than powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,g}")


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn.

    name: what it is called; alt: what it shows, for those who cannot see it. size: inches, width
    and height. paint: draws it on a figure in a theme.
    """

    name: str
    alt: str
    size: tuple[float, float]
    paint: Callable[[Figure, Theme], None]
    theme: str = "light"

    def to_bytes(self, format: str = "svg", *, dpi: int = 144) -> bytes:
        """The file's bytes, equal for equal plots; raises UnknownNameError for the format."""
        import io

        from matplotlib.backend_bases import get_registered_canvas_class
        from matplotlib.figure import Figure

        if format not in FORMATS:
            raise unknown("format", format, FORMATS)
        theme = theme_named(self.theme)
        buffer = io.BytesIO()
        with _settings(theme, self.name):
            figure = Figure(figsize=self.size, dpi=dpi, layout="constrained")
            self.paint(figure, theme)
            # savefig would draw twice, first to find a layout, which drawing does by itself.
            canvas: Any = get_registered_canvas_class(format)(figure)
            getattr(canvas, f"print_{format}")(buffer, metadata=_METADATA[format])
        drawn = buffer.getvalue()
        return _with_fallbacks(drawn) if format == "svg" else drawn

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


def _with_fallbacks(svg: bytes) -> bytes:
    """Fonts of the same width for readers who do not have Arimo."""
    browsers = b"Arimo, Arial, 'Liberation Sans', Helvetica, 'DejaVu Sans', sans-serif"
    return svg.replace(b"'Arimo', 'DejaVu Sans'", browsers)


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
