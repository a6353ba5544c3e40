"""What commands are made of: click's commands and parameters, with the words that each takes.

A parameter that takes one of a few known words names them once: the shell completes them and
`--help` lists them. rich-click draws the help and is loaded only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from importlib import import_module
from typing import Any, TypeVar

import click

Words = Iterable[str] | Callable[[], Iterable[str]]
"""The words that a parameter takes, or what finds them where that loads a module."""

Function = TypeVar("Function", bound=Callable[..., Any])

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def completes(words: Words, *, several: bool = False) -> Complete:
    """Completion of one of these words, or with `several` of the last one after a comma."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, start = incomplete.rpartition(",") if several else ("", "", incomplete)
        known = words() if callable(words) else words
        return [before + comma + word for word in known if word.startswith(start)]

    return complete


def words_of(place: str) -> Callable[[], Iterable[str]]:
    """The words at 'tables.network:LEVELS' in the package, imported only when they are needed."""
    module, _, name = place.partition(":")

    def words() -> Iterable[str]:
        known: Iterable[str] = getattr(import_module(f"resnet_inspect.{module}"), name)
        return known

    return words


class Option(click.Option):
    """An option: the words it takes, the panel of the help that lists it, and its default in words.

    unset: what holds where it is not given, if no value says that. alias: another name of it, which
    the help leaves out.
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
            settings.setdefault("shell_complete", completes(words, several=several))
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
    if isinstance(param, Argument):
        shown.name = f"the {param.name}"  # rich-click shows a type where metavar and name are alike
    if param.words is not None:
        words = list(param.words() if callable(param.words) else param.words)
        if len(words) <= MOST:
            shown.help = f"{param.help.removesuffix('.')}: {', '.join(words)}."
    if isinstance(param, Option) and param.alias:
        shown.opts = [name for name in param.opts if name != param.alias]
    if param.secondary_opts:
        shown.help = f"{param.help} Off: {param.secondary_opts[0]}."
    if isinstance(param, Option) and param.unset:
        shown.help = f"{shown.help} [default: {param.unset}]"
    return shown


class Command(click.Command):
    """A command whose help is drawn by rich-click."""

    def get_help(self, ctx: click.Context) -> str:
        from resnet_inspect.cli.help import command_help

        return command_help(self, ctx, [explained(param) for param in self.get_params(ctx)])


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; its docstring is the help, examples and all."""
    return click.command(name, cls=Command, context_settings=SETTINGS)


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "show_default": True}


def option(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """click.option for an `Option`."""
    return click.option(*names, cls=Option, **settings)


def argument(name: str, **settings: Any) -> Callable[[Function], Function]:
    """click.argument for an `Argument`."""
    return click.argument(name, cls=Argument, **settings)


def split(text: str, option: str) -> tuple[str, ...]:
    """('fp32', 'bf16') from 'fp32,bf16', each word once; raises UsageError for an empty one."""
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(words):
        raise click.UsageError(f"{option} is {text!r}; give words separated by commas")
    return words
