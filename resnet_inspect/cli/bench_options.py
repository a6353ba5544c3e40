"""What the commands that measure share: options, progress on stderr, plots."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_inspect.cli.parameters import Function, Words, option
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.progress import Progress

if TYPE_CHECKING:
    from resnet_inspect.measuring.records import Measurement
    from resnet_inspect.pictures.plots.plot import Plot

DEVICES = ("cuda", "cpu")


DTYPES = ("fp32", "tf32", "fp16", "bf16")


LEVELS = ("layer", "block", "stage")

_HOW = "How to measure"


_RECORD = "The record"


def device_options(function: Function) -> Function:
    """--device and --threads."""
    device = option(
        "--device",
        metavar="DEVICE",
        words=DEVICES,
        panel=_HOW,
        unset="a GPU if there is one",
        help="Device, or cuda:1",
    )
    threads = option(
        "--threads", type=int, metavar="N", panel=_HOW, unset="torch's", help="CPU threads."
    )
    return device(threads(function))


def sampling_options(function: Function) -> Function:
    """--device, --threads, --budget and --half-width."""
    budget = option(
        "--budget",
        type=float,
        default=10.0,
        metavar="SECONDS",
        panel=_HOW,
        help="For the runs of each measurement, of which there are at least six; warm-up takes up "
        "to half as much.",
    )
    half_width = option(
        "--half-width",
        type=float,
        default=0.01,
        metavar="SHARE",
        panel=_HOW,
        help="Stop when the median is known to within this share of itself, at 95%.",
    )
    return device_options(budget(half_width(function)))


def record_options(function: Function) -> Function:
    """--record and --resume."""
    record = option(
        "--record",
        default="bench.jsonl",
        metavar="FILE",
        panel=_RECORD,
        help="JSON Lines, to which each measurement is added as soon as it is finished.",
    )
    resume = option(
        "--resume", is_flag=True, panel=_RECORD, help="Leave out what the record already holds."
    )
    return record(resume(function))


def level_option(help: str = "Rows") -> Callable[[Function], Function]:
    """--level of what is measured layer by layer."""
    return option("--level", default="layer", metavar="LEVEL", words=LEVELS, help=help)


def dtypes_option(words: Words = DTYPES, *, several: bool) -> Callable[[Function], Function]:
    """--dtype of what runs on a device."""
    metavar = "DTYPE,.." if several else "DTYPE"
    return option(
        "--dtype", default="fp32", metavar=metavar, words=words, several=several, help="Precision"
    )


plots_option = option("--plots", metavar="FOLDER", help="Write plots (SVG) into a folder.")


def note(words: str) -> None:
    """A line on stderr."""
    print(f"resnet-inspect: {words}", file=sys.stderr)


class _Shown(Progress):
    """Progress on stderr: notes, and a bar in a terminal or a line for each measurement elsewhere.

    check raises KeyboardInterrupt where there was a Ctrl-C (see `interruptible`).
    """

    def __init__(self, bar: Any, of: str, check: Callable[[], None]) -> None:
        self.finished = 0
        self._bar, self._check = bar, check
        self._task = bar.add_task(of, total=None)
        self._words = ""
        self._first = self._total = 0

    def note(self, words: str) -> None:
        note(words)

    def start(self, total: int, done: int = 0) -> None:
        self._first, self._total = done, total
        self._bar.update(self._task, total=total, completed=done)
        if done:
            note(f"{done} of {total} are done already")

    def say(self, words: str) -> None:
        self._check()
        self._words = words
        self._bar.update(self._task, description=words, refresh=True)

    def done(self, measurement: Measurement) -> None:
        self.finished += 1
        self._bar.advance(self._task)
        if self._bar.disable:
            note(f"{self._first + self.finished} of {self._total} finished: {self._words}")
        self._check()


@contextmanager
def watched(of: str, record: str | None = None) -> Iterator[Progress]:
    """Progress for a call that measures; of: what it does. A Ctrl-C says what is saved."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    bar = Bar(
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
        progress = _Shown(bar, of, check)
        try:
            yield progress
        except KeyboardInterrupt:
            if record is not None:
                note(
                    f"{progress.finished} finished and saved in {record!r}; continue with --resume"
                )
            raise


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Ctrl-C raises KeyboardInterrupt at once, or where that was lost, when the result is called.

    Python drops an exception that is raised within a finalizer, of which torch has many: without
    this a Ctrl-C may be printed as ignored, and a sweep of hours goes on. A flag that is only
    checked between measurements would let each of them, of a minute and more, run to its end.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()  # no other is sent signals
    if not in_main or before is not signal.default_int_handler:  # a host's own, or ignored
        yield lambda: None
        return
    interrupted = threading.Event()

    def interrupt(*_: Any) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def check() -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


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
