"""The one boundary where errors become a line on stderr and an exit status.

2 is for input that cannot be used, 130 for Ctrl-C. Nothing but this package prints.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress

from resnet_inspect.errors import InspectError, shortened


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    # What a command allocates it keeps until it ends; looking for garbage at the usual pace took a
    # twentieth of the time of `table`. So this comes before click is imported.
    gc.set_threshold(100_000)
    from resnet_inspect.cli.streams import guard

    guard()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    import click

    from resnet_inspect.cli.app import app

    try:
        status = app.main(
            list(arguments) or ["--help"], prog_name="resnet-inspect", standalone_mode=False
        )
        sys.stdout.flush()
    except InspectError as error:
        return _complain(str(error))
    except click.NoSuchOption as error:
        from resnet_inspect.cli.network_options import for_one_network

        return _complain(for_one_network(error) or error.format_message())
    except click.MissingParameter as error:
        told = getattr(error.param, "help", None) or ""
        return _complain(f"{error.format_message()} {told}")
    except click.UsageError as error:  # unknown commands, values of the wrong type
        return _complain(error.format_message())
    except click.Abort:
        return 130
    except BrokenPipeError:  # the reader of the pipe has gone, as `head` does
        _hush()
        return 0
    except OSError as error:
        if error.filename is not None or error.strerror is None:
            raise
        _hush()  # only streams have no name
        return _complain(f"cannot write to standard output: {error.strerror.lower()}")
    return status if isinstance(status, int) else 0


def _complain(message: str) -> int:
    from resnet_inspect.cli.output import note

    with suppress(OSError):  # stderr is full, or closed
        note(shortened(" ".join(message.split())))
    return 2


def _hush() -> None:
    """Let the interpreter flush stdout at exit without a second complaint."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
