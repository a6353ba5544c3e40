"""The commands, each imported when it is asked for.

Describing a command's options takes milliseconds: `table` pays for `table` only, and `--help` for
all.
"""

from __future__ import annotations

from importlib import import_module

import click

from resnet_inspect.cli.parameters import SETTINGS, Option, explained, words_of
from resnet_inspect.errors import unknown

PANELS: dict[str, tuple[str, ...]] = {
    "Look": ("table", "models", "explain", "conventions"),
    "Compare": ("compare", "compare-blocks", "diff", "reconcile"),
    "Draw": ("diagram", "plot", "report"),
    "Measure": ("bench", "results", "ladder", "roofline", "device"),
}
"""Every command, in the order and under the titles of the help."""

COMMANDS = tuple(name for names in PANELS.values() for name in names)


class Commands(click.Group):
    """The group of all commands; the command 'x-y' is x_y in the module x_y of this wing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"resnet_inspect.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        from resnet_inspect.cli.help import group_help

        params = [explained(param) for param in self.get_params(ctx)]
        return group_help(self, ctx, params, PANELS)


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        print(f"resnet-inspect {version('resnet-inspect')}")
        context.exit()


def _completion(context: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    if shell is not None and not context.resilient_parsing:
        from resnet_inspect.cli.completion import install

        install(shell)
        context.exit()


@click.group("resnet-inspect", cls=Commands, context_settings=SETTINGS)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version.",
)
@click.option(
    "--install-completion",
    cls=Option,
    is_flag=False,
    flag_value="",
    metavar="[SHELL]",
    words=words_of("cli.completion:SHELLS"),
    expose_value=False,
    is_eager=True,
    callback=_completion,
    help="Complete words in your shell, or in the one named",
)
def app() -> None:
    """What exactly is in a ResNet, what it costs, and why tools disagree about it.

    'resnet-inspect COMMAND --help' has examples of each command.
    """
