"""The help of commands, drawn by rich-click in panels. Nothing else loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import click
from rich_click import (
    RichCommand,
    RichCommandPanel,
    RichContext,
    RichGroup,
    RichHelpConfiguration,
    RichOptionPanel,
)

from resnet_inspect.cli.parameters import Argument, Option, known

LOOK = RichHelpConfiguration(
    text_markup=None,
    text_paragraph_linebreaks="\n\n",
    options_table_column_types=["opt_primary", "metavar", "help"],
    options_table_help_sections=["help", "default"],
    padding_helptext_first_line=(0, 0, 1, 0),
    style_options_panel_border="dim",
    style_commands_panel_border="dim",
)

MOST = 12
"""Words that a line of help lists; where there are more, the text says where to find them."""


def drawn(
    command: click.Command,
    context: click.Context,
    panels: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The help of a command; panels: the commands of a group, by title."""
    parts: dict[str, Any] = {
        "name": command.name,
        "params": [explained(param) for param in command.get_params(context)],
        "help": command.help,
        "add_help_option": False,
    }
    options: list[Any] = [
        RichOptionPanel("Arguments", column_types=["metavar", "help"]),
        RichOptionPanel("Options"),
    ]
    if isinstance(command, click.Group) and panels is not None:
        titled = [RichCommandPanel(title, commands=list(names)) for title, names in panels.items()]
        names = command.list_commands(context)
        commands: Any = {name: command.get_command(context, name) for name in names}
        shown: RichCommand = RichGroup(**parts, panels=[*titled, *options], commands=commands)
    else:
        shown = RichCommand(**parts, panels=options)
    settings = RichContext(
        shown,
        info_name=context.info_name,
        parent=context.parent,
        show_default=context.show_default,
        rich_help_config=LOOK,
    )
    return shown.get_help(settings)


def explained(param: click.Parameter) -> click.Parameter:
    """A parameter whose help ends in the words that it takes, if they are few, or in how to say no.

    Whoever reads it sees the choices once, from the place where they are defined.
    """
    if not isinstance(param, (Option, Argument)) or param.help is None:
        return param
    shown = copy(param)
    if param.words is not None and len(words := known(param.words)) <= MOST:
        shown.help = f"{param.help.removesuffix('.')}: {', '.join(words)}."
    if isinstance(param, Argument):
        shown.name = f"the {param.name}"  # rich-click shows a type where metavar and name are alike
        return shown
    shown.opts = [name for name in param.opts if name != param.alias]
    if param.secondary_opts:
        shown.help = f"{param.help} Off: {param.secondary_opts[0]}."
    if param.unset:
        shown.help = f"{shown.help} [default: {param.unset}]"
    return shown
