"""The help of commands, drawn by rich-click in panels. Nothing else loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

LOOK = RichHelpConfiguration(
    text_markup=None,
    text_paragraph_linebreaks="\n\n",
    options_table_column_types=["opt_primary", "metavar", "help"],
    options_table_help_sections=["help", "default"],
    padding_helptext_first_line=(0, 0, 1, 0),
    style_options_panel_border="dim",
    style_commands_panel_border="dim",
)


def drawn(
    command: click.Command,
    context: click.Context,
    params: Sequence[click.Parameter],
    panels: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The help of a command; params: all of them, --help too, with their help in full.

    panels: the commands of a group, by title.
    """
    parts: dict[str, Any] = {
        "name": command.name,
        "params": list(params),
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
