"""What the commands that measure share: options, notes on stderr, progress, plots."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.progress import Progress

if TYPE_CHECKING:
    from resnet_inspect.measuring.records import Measurement
    from resnet_inspect.pictures.plots.plot import Plot

DEVICES = ("cuda", "cpu")


_HOW = "How to measure"


def _complete_device(incomplete: str) -> list[str]:
    return [name for name in DEVICES if name.startswith(incomplete)]


Device = Annotated[
    str | None,
    typer.Option(
        metavar="DEVICE",
        help="cuda, cuda:1 or cpu.  \\[default: a GPU where there is one]",
        autocompletion=_complete_device,
        rich_help_panel=_HOW,
    ),
]


Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="CPU threads.  \\[default: torch's]", rich_help_panel=_HOW),
]


Budget = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Time for the runs of each measurement; warm-up takes up to half as much, and there "
        "are six runs in any case.",
        rich_help_panel=_HOW,
    ),
]


HalfWidth = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Stop when the median is known to within this share of itself, at 95%.",
        rich_help_panel=_HOW,
    ),
]


Plots = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Write plots (SVG) into a folder."),
]


def note(words: str) -> None:
    """A line on stderr."""
    print(f"resnet-inspect: {words}", file=sys.stderr)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Ctrl-C raises KeyboardInterrupt at once, or where that was lost, when the result is called.

    Python drops an exception that is raised within a finalizer, of which torch has many: without
    this a Ctrl-C may be printed as ignored, and a sweep of hours goes on.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()  # no other is sent signals
    if not in_main or before is not signal.default_int_handler:  # a host's own, or ignored
        yield lambda: None
        return
    interrupted = False

    def interrupt(*_: Any) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    def check() -> None:
        if interrupted:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


class _Bar(Progress):
    """Progress on stderr: notes, and a bar where that is a terminal."""

    def __init__(self, bar: Any, of: str, check: Callable[[], None]) -> None:
        self.finished = 0
        self._bar, self._check = bar, check
        self._task = bar.add_task(of, total=None)

    def note(self, words: str) -> None:
        note(words)

    def start(self, total: int, done: int = 0) -> None:
        self._bar.update(self._task, total=total, completed=done)
        if done:
            note(f"{done} of {total} are done already")

    def say(self, words: str) -> None:
        self._check()
        self._bar.update(self._task, description=words, refresh=True)

    def done(self, measurement: Measurement) -> None:
        self.finished += 1
        self._bar.advance(self._task)
        self._check()


@contextmanager
def watched(of: str, record: str | None) -> Iterator[_Bar]:
    """Progress for a call that measures; a Ctrl-C says what is saved (see `interruptible`)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
        # Redrawing takes a core's time, which a measurement of the CPU would feel.
        refresh_per_second=1,
    )
    with interruptible() as check, bar:
        progress = _Bar(bar, of, check)
        try:
            yield progress
        except KeyboardInterrupt:
            if record is not None:
                note(
                    f"{progress.finished} finished and saved in {record!r}; continue with --resume"
                )
            raise


def write_plots(folder: str, plots: Sequence[Plot]) -> None:
    """Write plots under their names; raises InspectError for a folder that cannot be made."""
    if not plots:
        note("nothing to plot: it takes several batches, several networks, a ladder or layers")
        return
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InspectError(
            f"cannot make the folder {folder!r}: {(error.strerror or str(error)).lower()}"
        ) from None
    for plot in plots:
        plot.write(path / f"{plot.name}.svg")


def words(text: str, option: str) -> tuple[str, ...]:
    """('fp32', 'bf16') from 'fp32,bf16'; raises InspectError for an empty one."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(found):
        raise InspectError(f"{option} is {text!r}; give names and commas")
    return found
