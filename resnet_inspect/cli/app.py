"""The commands, each built when it is asked for.

Describing a command's options takes milliseconds, so the others are left alone: `table` pays for
`table`, and only `--help` for all.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS: dict[str, str] = {
    "table": "resnet_inspect.cli.table",
    "models": "resnet_inspect.cli.models",
    "explain": "resnet_inspect.cli.explain",
    "compare": "resnet_inspect.cli.compare",
    "compare-blocks": "resnet_inspect.cli.compare_blocks",
    "diff": "resnet_inspect.cli.diff",
    "reconcile": "resnet_inspect.cli.reconcile",
    "conventions": "resnet_inspect.cli.conventions",
    "diagram": "resnet_inspect.cli.diagram",
    "plot": "resnet_inspect.cli.plot",
    "report": "resnet_inspect.cli.report",
    "bench": "resnet_inspect.cli.bench",
    "ladder": "resnet_inspect.cli.ladder",
    "roofline": "resnet_inspect.cli.roofline",
    "device": "resnet_inspect.cli.device",
}
"""Every command and the module whose `command` it is, in the order of the help."""

_SETTINGS: dict[str, Any] = {
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _OnDemand(MutableMapping[str, Any]):
    """The commands by name; importing and building one waits until it is taken."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            alone = typer.Typer(add_completion=False, **_SETTINGS)
            alone.command(name)(import_module(COMMANDS[name]).command)
            self._built[name] = get_command(alone)
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Commands(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _OnDemand()


app = typer.Typer(
    name="resnet-inspect",
    cls=_Commands,
    help="What exactly is in a ResNet, what it costs, and why tools disagree about it.",
    no_args_is_help=True,
    **_SETTINGS,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"resnet-inspect {version('resnet-inspect')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
