"""The help of commands, drawn by rich-click in panels. Nothing else loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import click
from rich_click import (
    RichCommand,
    RichCommandPanel,
    RichContext,
    RichGroup,
    RichHelpConfiguration,
    RichOptionPanel,
)

from resnet_inspect.cli.parameters import Argument, Option

MOST = 12
"""Words that a line of help lists; where there are more, the text says where to find them."""

LOOK = RichHelpConfiguration(
    text_markup=None,
    text_paragraph_linebreaks="\n\n",
    options_table_column_types=["opt_primary", "metavar", "help"],
    options_table_help_sections=["help", "default"],
    padding_helptext_first_line=(0, 0, 1, 0),
    style_options_panel_border="dim",
    style_commands_panel_border="dim",
)


def command_help(command: click.Command, context: click.Context) -> str:
    """The help of one command."""
    return _drawn(
        RichCommand(
            name=command.name,
            params=[_explained(param) for param in command.get_params(context)],
            help=command.help,
            panels=[
                RichOptionPanel("Arguments", column_types=["metavar", "help"]),
                RichOptionPanel("Options"),
            ],
            add_help_option=False,  # get_params gave it
        ),
        context,
    )


def group_help(
    group: click.Group, context: click.Context, panels: Mapping[str, Sequence[str]]
) -> str:
    """The help of a group, its commands in panels by title."""
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return _drawn(
        RichGroup(
            name=group.name,
            commands={name: command for name, command in commands.items() if command is not None},
            params=[_explained(param) for param in group.get_params(context)],
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


def _explained(param: click.Parameter) -> click.Parameter:
    """A parameter whose help ends in the words that it takes, if they are few, or in how to say no.

    Whoever reads it sees the choices once, from the place where they are defined.
    """
    if not isinstance(param, (Option, Argument)) or param.help is None:
        return param
    shown = copy(param)
    if isinstance(param, Argument):
        shown.name = f"the {param.name}"  # rich-click shows a type where metavar and name are alike
    if param.words is not None:
        words = list(param.words() if callable(param.words) else param.words)
        if len(words) <= MOST:
            shown.help = f"{param.help.removesuffix('.')}: {', '.join(words)}."
    if param.secondary_opts:
        shown.help = f"{param.help} Off: {param.secondary_opts[0]}."
    if isinstance(param, Option) and param.unset:
        shown.help = f"{shown.help} [default: {param.unset}]"
    return shown
