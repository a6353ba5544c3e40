"""What the commands that measure share: options, progress on stderr, plots."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from typing import TYPE_CHECKING, Any

from resnet_inspect.cli.output import SLOW, check_output, emit, note, output_options
from resnet_inspect.cli.parameters import Function, option, together, words_of
from resnet_inspect.counting.dtypes import ARITHMETIC
from resnet_inspect.errors import InspectError
from resnet_inspect.files import cannot_make, check_folder
from resnet_inspect.measuring.progress import Progress
from resnet_inspect.tables.characters import visible

if TYPE_CHECKING:
    from resnet_inspect.measuring.records import Measurement
    from resnet_inspect.pictures.plots.plot import Plot
    from resnet_inspect.reporting.measurements import Measurements, NetworkRoofline
    from resnet_inspect.tables.table import Printable

DEVICES = ("cuda", "cpu")

_HOW = "How to measure"

_RECORD = "The record"

device_option = option(
    "--device DEVICE",
    "Device, or cuda:1",
    words=DEVICES,
    panel=_HOW,
    unset="a GPU if there is one",
)


def threads_option(unset: str = "torch's") -> Callable[[Function], Function]:
    """--threads of the CPU; unset: how many there are by default, in words."""
    return option("--threads N", "CPU threads.", type=int, panel=_HOW, unset=unset)


device_options = together(device_option, threads_option())

sampling_options = together(
    device_options,
    option(
        "--budget SECONDS",
        "For the runs of each measurement, of which there are at least six; warm-up takes up "
        "to half as much.",
        default=10.0,
        panel=_HOW,
    ),
    option(
        "--half-width SHARE",
        "Stop when the median is known to within this share of itself, at 95%.",
        default=0.01,
        panel=_HOW,
    ),
)


def records_to(each: str = "each measurement") -> Callable[[Function], Function]:
    """--record and --resume."""
    return together(
        option(
            "--record FILE",
            f"JSON Lines, to which {each} is added as soon as it is finished; 'results' shows it.",
            panel=_RECORD,
            unset="none: what was measured is only shown",
        ),
        option("--resume", "Leave out what the record already holds.", panel=_RECORD),
    )


record_options = records_to()


def level_option(help: str = "Rows") -> Callable[[Function], Function]:
    """--level of what is measured layer by layer."""
    return option("--level LEVEL", help, default="layer", words=words_of("tables.roofline:LEVELS"))


def dtypes_option(*, several: bool) -> Callable[[Function], Function]:
    """--dtype of what runs on a device."""
    shown = "--dtype DTYPE,.." if several else "--dtype DTYPE"
    return option(shown, "Precision", default="fp32", words=ARITHMETIC)


plots_option = option("--plots FOLDER", "Write plots (SVG) into a folder.")


def shows_measured(
    function: Callable[..., tuple[Printable, Measurements | NetworkRoofline | None]],
) -> Callable[..., None]:
    """Give a command --plots, --format and -o; it returns what to show, and what has its plots."""

    @plots_option
    @output_options
    @wraps(function)
    def command(
        *, plots: str | None, format: str | None, output: str | None, **values: Any
    ) -> None:
        check_output(format, output)  # refused before anything is measured
        if plots is not None:
            check_folder(plots)
        shown, measured = function(**values)
        if plots is not None and measured is None:
            raise InspectError("--plots cannot be combined with --against; leave out --plots")
        emit(shown, format, output)
        if plots is not None and measured is not None:
            write_plots(plots, measured.plots())

    return command


class OnStderr(Progress):
    """Progress on stderr: notes, and a bar in a terminal or lines elsewhere.

    Elsewhere each measurement is a line when it is finished, with how long is left, and what takes
    longer than a few seconds says so before that.

    Python drops an exception that is raised within a finalizer, of which torch has many: a Ctrl-C
    may be printed as ignored, and a sweep of hours goes on. So what `interrupt` raises is raised
    again by the next call.
    """

    def __init__(self, bar: Any, of: str) -> None:
        self.finished = 0
        self._bar = bar
        self._of = of
        self._task = bar.add_task(of, total=None)
        self._words = ""
        self._first = self._total = 0
        self._interrupted = False
        self._began = self._spoke = time.monotonic()

    def interrupt(self, *_: Any) -> None:
        """Handle Ctrl-C."""
        self._interrupted = True
        raise KeyboardInterrupt

    def _go_on(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt

    def note(self, words: str) -> None:
        note(words)

    def start(self, total: int, done: int = 0) -> None:
        self._first, self._total = done, total
        self._began = time.monotonic()
        self._bar.update(self._task, total=total, completed=done)
        if done:
            note(f"{done} of {total} are done already")

    def say(self, words: str) -> None:
        self._go_on()
        self._words = words
        self._bar.update(self._task, description=visible(words), refresh=True)
        if self._bar.disable and time.monotonic() - self._spoke >= SLOW:
            self._line(f"{self._of}: {words}")

    def done(self, measurement: Measurement) -> None:
        self.finished += 1
        self._bar.advance(self._task)
        if self._bar.disable:
            ahead = self._total - self._first - self.finished
            spent = time.monotonic() - self._began
            left = f"; {_duration(ahead * spent / self.finished)} left" if ahead else ""
            here = self._first + self.finished
            self._line(f"{here} of {self._total} finished: {self._words}{left}")
        self._go_on()

    def _line(self, words: str) -> None:
        note(words)
        self._spoke = time.monotonic()


def _duration(seconds: float) -> str:
    """A time that is still to come: about 40 s, about 5 min, about 3 h."""
    for size, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if unit == "h" or seconds < 90 * size:
            break
    return f"about {max(1, round(seconds / size))} {unit}"


@contextmanager
def watched(of: str, record: str | None = None, *, records: bool = False) -> Iterator[Progress]:
    """Progress for a call that measures; of: what it does. A Ctrl-C says what is saved.

    records: whether the command can record what it measures.
    """
    from rich import progress as rich
    from rich.console import Console

    bar = rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
        # Redrawing takes a core's time, which a measurement of the CPU would feel.
        refresh_per_second=1,
        # Cases take minutes; in rich's own half a minute there is seldom more than one.
        speed_estimate_period=24 * 3600,
    )
    progress = OnStderr(bar, of)
    # What a user's code prints is no part of the result.
    with bar, redirect_stdout(sys.stderr), _on_ctrl_c(progress.interrupt):
        try:
            yield progress
        except KeyboardInterrupt:
            if record is not None:
                note(
                    f"{progress.finished} finished and saved in {record!r}; continue with --resume"
                )
            elif records and progress.finished:
                note(f"{progress.finished} finished and not saved; --record FILE keeps what is")
            raise


@contextmanager
def _on_ctrl_c(handler: Callable[..., None]) -> Iterator[None]:
    """Handle SIGINT by this, unless a host handles or ignores it, or this thread is not sent it."""
    before = signal.getsignal(signal.SIGINT)
    ours = before is signal.default_int_handler
    if ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
    else:
        yield


def write_plots(folder: str, plots: Sequence[Plot]) -> None:
    """Write plots under their names; raises OutputError for a folder that cannot be made."""
    if not plots:
        note("nothing to plot: it takes several batches, several networks, a ladder or layers")
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise cannot_make(folder, error) from None
    for plot in plots:
        plot.write(os.path.join(folder, f"{plot.file_name}.svg"))
