"""The help of commands, drawn by rich-click in panels. Nothing else loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from rich_click import (
    RichCommand,
    RichCommandPanel,
    RichContext,
    RichGroup,
    RichHelpConfiguration,
    RichOptionPanel,
)

LOOK = RichHelpConfiguration(
    text_markup=None,
    text_paragraph_linebreaks="\n\n",
    options_table_column_types=["opt_primary", "metavar", "help"],
    options_table_help_sections=["help", "default"],
    padding_helptext_first_line=(0, 0, 1, 0),
    style_options_panel_border="dim",
    style_commands_panel_border="dim",
)


def command_help(
    command: click.Command, context: click.Context, params: Sequence[click.Parameter]
) -> str:
    """The help of one command; params: all of them, --help too, with their help in full."""
    return _drawn(
        RichCommand(
            name=command.name,
            params=list(params),
            help=command.help,
            panels=[
                RichOptionPanel("Arguments", column_types=["metavar", "help"]),
                RichOptionPanel("Options"),
            ],
            add_help_option=False,
        ),
        context,
    )


def group_help(
    group: click.Group,
    context: click.Context,
    params: Sequence[click.Parameter],
    panels: Mapping[str, Sequence[str]],
) -> str:
    """The help of a group, its commands in panels by title."""
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return _drawn(
        RichGroup(
            name=group.name,
            commands={name: command for name, command in commands.items() if command is not None},
            params=list(params),
            help=group.help,
            panels=[
                *(RichCommandPanel(title, commands=list(names)) for title, names in panels.items()),
                RichOptionPanel("Options"),
            ],
            add_help_option=False,
        ),
        context,
    )


def _drawn(shown: RichCommand, context: click.Context) -> str:
    settings = RichContext(
        shown,
        info_name=context.info_name,
        parent=context.parent,
        show_default=context.show_default,
        rich_help_config=LOOK,
    )
    return shown.get_help(settings)
