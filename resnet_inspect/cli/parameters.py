"""What commands are made of: click's commands and parameters, with the words that each takes.

A parameter that takes one of a few known words names them once: the shell completes them and
`--help` lists them. rich-click draws the help and is loaded only then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from importlib import import_module
from typing import Any, TypeVar

import click

from resnet_inspect.cli.streams import unguarded

Words = Iterable[str] | Callable[[], Iterable[str]]
"""The words that a parameter takes, or what finds them where that loads a module."""

Function = TypeVar("Function", bound=Callable[..., Any])


def known(words: Words) -> list[str]:
    """The words, found now."""
    return list(words() if callable(words) else words)


def completes(words: Words, several: bool = False) -> Callable[..., list[str]]:
    """Completion of one of these words, or with `several` of the last one after a comma."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, start = incomplete.rpartition(",") if several else ("", "", incomplete)
        return [before + comma + word for word in known(words) if word.startswith(start)]

    return complete


def words_of(place: str) -> Callable[[], Iterable[str]]:
    """The words at 'tables.network:LEVELS' in the package, imported only when they are needed."""
    module, _, name = place.partition(":")
    return lambda: tuple(getattr(import_module(f"resnet_inspect.{module}"), name))


class Option(click.Option):
    """An option: the words it takes, the panel of the help that lists it, and its default in words.

    several: whether its value is words separated by commas. unset: what holds where it is not
    given, if no value says that. alias: another name of it, which the help leaves out.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        words: Words | None = None,
        several: bool = False,
        panel: str | None = None,
        unset: str = "",
        alias: str = "",
        **settings: Any,
    ) -> None:
        if words is not None:
            settings.setdefault("shell_complete", completes(words, several))
        if several:
            settings.setdefault("callback", split)
        super().__init__([*names, alias] if alias else names, **settings)
        self.words, self.panel, self.unset, self.alias = words, panel, unset, alias


class Argument(click.Argument):
    """An argument, with the words it takes."""

    def __init__(self, *args: Any, words: Words | None = None, **settings: Any) -> None:
        if words is not None:
            settings.setdefault("shell_complete", completes(words))
        super().__init__(*args, **settings)
        self.words = words


MOST = 12
"""Words that a line of help lists; where there are more, the text says where to find them."""


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
    if param.unset and isinstance(shown, Option):
        shown.show_default = False
        shown.help = f"{shown.help} [default: {param.unset}]"
    return shown


class Styled(click.Command):
    """A command whose help reaches a terminal with its styles."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


def _show_help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(context.get_help(), unguarded(sys.stdout))
        context.exit()


class Command(Styled):
    """A command whose help is drawn by rich-click."""

    def get_help(self, ctx: click.Context) -> str:
        from resnet_inspect.cli.help import drawn

        return drawn(self, ctx, [explained(param) for param in self.get_params(ctx)])


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; its docstring is the help, examples and all."""
    return click.command(name, cls=Command, context_settings=SETTINGS)


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "show_default": True}


def option(
    declared: str, help: str | None = None, *, to: str | None = None, **settings: Any
) -> Callable[[Function], Function]:
    """An `Option` as help shows it: option("--output -o FILE", "Where to."); a flag has no FILE.

    NAME,.. is several names. to: the parameter that it sets, where that has another name.
    """
    words = declared.split(" ")
    metavar = None if words[-1].startswith("-") else words.pop()
    if metavar is None:
        settings["is_flag"] = True
    elif metavar.endswith(",.."):
        settings.setdefault("several", True)
    names = [*words, to] if to else words
    return click.option(*names, cls=Option, metavar=metavar, help=help, **settings)


def argument(declared: str, help: str, **settings: Any) -> Callable[[Function], Function]:
    """An `Argument` as help shows it, after its parameter: argument("record FILE", "A record.")."""
    name, metavar = declared.split(" ")
    return click.argument(name, cls=Argument, metavar=metavar, help=help, **settings)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """One decorator for several; the first is the first in the help."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def split(_: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """('fp32', 'bf16') from 'fp32,bf16', each word once; raises UsageError for an empty one."""
    if text is None:
        return None
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(words):
        raise click.UsageError(f"{param.opts[0]} is {text!r}; give words separated by commas")
    return words


def whole_numbers(_: click.Context, param: click.Parameter, text: str) -> tuple[int, ...]:
    """(1, 8) from '1,8'; raises UsageError."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"{param.opts[0]} is {text!r}; give whole numbers separated by commas, such as 1,8,64"
        ) from None
