"""The commands, each imported when it is asked for.

Describing a command's options takes milliseconds: `table` pays for `table` only, and `--help` for
all.
"""

from __future__ import annotations

from importlib import import_module

import click

from resnet_inspect.cli.parameters import SETTINGS, Styled, explained, option, words_of
from resnet_inspect.errors import unknown

PANELS: dict[str, tuple[str, ...]] = {
    "Look": ("table", "models", "explain", "taps", "conventions"),
    "Understand": ("paths", "signal", "field", "learn", "freeze"),
    "Compare": ("compare", "compare-blocks", "diff", "reconcile"),
    "Draw": ("diagram", "plot", "report"),
    "Forecast": ("forecast", "fit", "cost", "devices", "calibrate", "validate"),
    "Measure": ("bench", "results", "ladder", "roofline", "device"),
}
"""Every command, in the order and under the titles of the help."""

COMMANDS = tuple(name for names in PANELS.values() for name in names)


class Commands(Styled, click.Group):
    """The group of all commands; the command 'x-y' is x_y in the module x_y of this wing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # the shell completes a line with a typing error
                return None
            raise unknown("command", cmd_name, COMMANDS)
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"resnet_inspect.cli.{name}"), name)
        return command

    def get_help(self, ctx: click.Context) -> str:
        from resnet_inspect.cli.help import drawn

        return drawn(self, ctx, [explained(param) for param in self.get_params(ctx)], PANELS)


def _completion(context: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    if shell is not None and not context.resilient_parsing:
        from resnet_inspect.cli.completion import install

        install(shell)
        context.exit()


@click.group("resnet-inspect", cls=Commands, context_settings=SETTINGS)
@click.version_option(
    package_name="resnet-inspect", message="%(prog)s %(version)s", help="Print the version."
)
@option(
    "--install-completion [SHELL]",
    "Complete words in your shell, or in the one named",
    is_flag=False,
    flag_value="",
    words=words_of("cli.completion:SHELLS"),
    expose_value=False,
    is_eager=True,
    callback=_completion,
)
def app() -> None:
    """What exactly is in a ResNet, what it costs, and why tools disagree about it.

    'resnet-inspect COMMAND --help' has examples of each command.
    """
