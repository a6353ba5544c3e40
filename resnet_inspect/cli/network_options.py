"""The options that say which network a command is about, or which networks."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import wraps
from typing import Any, NamedTuple

import click

from resnet_inspect.api.networks import folded, graph, is_code
from resnet_inspect.cli.output import telling
from resnet_inspect.cli.parameters import Function, argument, completes, option, together, words_of
from resnet_inspect.counting.costs import checked_batch
from resnet_inspect.counting.dtypes import DTYPES
from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.inputs import parse_input
from resnet_inspect.networks.run import Input
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.networks.spec_field import SpecField

MODEL_HELP = (
    "A name of the zoo ('resnet-inspect models' lists them), resnet50[shortcut=C,stem=deep], "
    "a TOML file, package.module:callable, a .pt2 file of torch.export, or an .onnx file."
)


MODELS_HELP = (
    "Names of the zoo, resnet50[shortcut=C], TOML files, package.module:callable, .pt2, .onnx"
)

_NETWORK = "Network (MODEL, a depth, or one of your own)"

_CODE = "Code (MODEL is package.module:callable)"


class Network(NamedTuple):
    """One network as a command line describes it: by a model or a depth, changed by options.

    changes: fields of ResNetSpec, as text (flags: as bool).
    """

    model: str | None
    depth: int | None
    input: Sequence[str]
    args: Sequence[str]
    leaf: Sequence[str]
    folded: bool
    changes: Mapping[str, Any]

    @property
    def described(self) -> bool:
        """Whether options describe a network without a model."""
        return self.depth is not None or "blocks" in self.changes

    @property
    def fields(self) -> dict[str, Any]:
        """The changes as values; raises SpecError."""
        return {
            name: value if isinstance(value, bool) else FIELDS[name].parse(value)
            for name, value in self.changes.items()
        }

    @property
    def graph(self) -> LayerGraph:
        """The network; raises InspectError."""
        network = self._unfolded
        return folded(network) if self.folded else network

    @property
    def _unfolded(self) -> LayerGraph:
        _check_code([self.model], self.args, self.leaf)
        if self.model is not None and self.depth is not None:
            raise InspectError(
                f"both {self.model!r} and --depth {self.depth} name a network; give one of them"
            )
        if self.model is not None:
            return _load(self.model, self.input, self.args, self.leaf, **self.fields)
        if not self.described:
            raise InspectError(
                "no network; name one (such as resnet50), give --depth 50, or describe your own "
                "with --blocks 3,4,6,3"
            )
        spec = ResNetSpec() if self.depth is None else zoo.by_depth(self.depth)[0]
        return graph(spec, parse_inputs(self.input), **self.fields)


def network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command with a parameter `network` the options that describe one."""

    @together(
        argument("model [MODEL]", MODEL_HELP, required=False, shell_complete=complete_model),
        input_option,
        option(
            "--depth N",
            "A published depth.",
            type=int,
            panel=_NETWORK,
            shell_complete=completes(lambda: map(str, zoo.DEPTHS)),
        ),
        # --input gives the size.
        *(_field_option(about) for name, about in FIELDS.items() if name != "input_size"),
        option(
            "--folded",
            "As it is exported: batch norm in the weights before it, summed convolutions in one.",
            panel=_NETWORK,
        ),
        code_options,
    )
    @wraps(function)
    def command(**values: Any) -> Any:
        named = {name: values.pop(name) for name in Network._fields if name in values}
        changes = {name: values.pop(name) for name in FIELDS if name in values}
        chosen = {name: value for name, value in changes.items() if value is not None}
        return function(network=Network(**named, changes=chosen), **values)

    return command


def models_options(
    *, help: str = f"{MODELS_HELP}.", required: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command with a parameter `graphs` the options that name several networks."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @together(models_argument(required=required, help=help), input_option, code_options)
        @wraps(function)
        def command(**values: Any) -> Any:
            named = {name: values.pop(name) for name in ("models", "input", "args", "leaf")}
            return function(graphs=load_all(**named), **values)

        return command

    return decorate


def models_argument(*, required: bool, help: str) -> Callable[[Function], Function]:
    """The names of several networks."""
    shown = "models MODEL..." if required else "models [MODEL...]"
    return argument(shown, help, nargs=-1, required=required, shell_complete=complete_model)


input_option = option(
    "--input CxHxW",
    "Input shape; for code also left=3x16x16, ids=16:int64, one for each argument.",
    multiple=True,
    unset="what the network is published for",
)

code_options = together(
    option(
        "--args KEY=VALUE", "An argument of the callable; repeatable.", multiple=True, panel=_CODE
    ),
    option(
        "--leaf TYPE",
        "Take modules of this class as one uncounted layer each.",
        multiple=True,
        panel=_CODE,
    ),
)
"""For networks that are traced."""

convention_option = option(
    "--convention NAME",
    "Count as a tool does: fvcore, ptflops, .. ('resnet-inspect conventions').",
    default="macs",
    words=words_of("counting.conventions:CONVENTIONS"),
)

batch_option = option(
    "--batch N", "Samples in a batch.", default=1, callback=lambda *given: checked_batch(given[-1])
)

dtype_option = option(
    "--dtype DTYPE",
    "Type of values",
    words=DTYPES,
    unset="the network's own: fp32, or its tensors'",
)

cost_options = together(batch_option, dtype_option, convention_option)


def theme_option(panel: str | None = None) -> Callable[[Function], Function]:
    """--theme of a picture."""
    themes = words_of("pictures.themes:THEMES")
    return option("--theme THEME", "Colours", default="light", words=themes, panel=panel)


def size_option(panel: str | None = None) -> Callable[[Function], Function]:
    """--size of a picture."""
    help = "Room for it on paper, such as 3.3in, 8cm or 7inx9in."
    return option("--size WIDTH[xHEIGHT]", help, unset="as large as it comes", panel=panel)


def diagram_options(panel: str | None = None) -> Callable[[Function], Function]:
    """--level, --expand, --direction, --names, --size, --dpi and --theme."""
    levels = words_of("pictures.diagrams.style:LEVELS")
    directions = words_of("pictures.diagrams.style:DIRECTIONS")
    namings = words_of("networks.naming:NAMINGS")
    return together(
        option("--level LEVEL", "What has a box", default="block", words=levels, panel=panel),
        option("--expand", "Draw every one of identical blocks in a row.", panel=panel),
        option(
            "--direction DIR", "Down or to the right", default="TB", words=directions, panel=panel
        ),
        option(
            "--names WHOSE",
            "Modules (layer1) or the paper's (conv2_x)",
            default="modules",
            words=namings,
            panel=panel,
        ),
        size_option(panel),
        option("--dpi N", "Dots to an inch of a PNG.", type=int, panel=panel),
        theme_option(panel),
    )


def _field_option(about: SpecField) -> Callable[[Function], Function]:
    if about.kind == "flag":
        no = about.option.replace("--", "--no-", 1)
        return option(f"{about.option}/{no}", about.help, default=None, panel=_NETWORK)
    return option(
        f"{about.option} {about.metavar}",
        about.help,
        to=about.name,
        alias="--" + about.alias.replace("_", "-") if about.alias else "",
        panel=_NETWORK,
        words=about.choices or None,
        shell_complete=completes(about.choices, several=about.kind == "words"),
        several=False,  # the field reads its text itself
    )


def for_one_network(error: click.NoSuchOption) -> str | None:
    """What to write instead of an option for one network on a command for several."""
    params = error.ctx.command.params if error.ctx else ()
    several = {"models", "before"} & {param.name for param in params}
    return instead_of(error.option_name) if several else None


def instead_of(option: str) -> str | None:
    """The inline name to write instead of an option for one network; None for other options."""
    name = option.removeprefix("--").replace("-", "_")
    if name == "depth":
        return "--depth is for one network; write its name, such as resnet50"
    if name == "folded":
        return "--folded is for one network; leave it out, or draw each by itself"
    for about in FIELDS.values():
        if {name, name.removeprefix("no_")} & {about.name, about.alias} - {""}:
            return f"{option} is for one network; write resnet50[{about.name}={_example(about)}]"
    return None


def _example(about: SpecField) -> str:
    """A value that the field takes, other than its default."""
    if about.kind == "flag":
        return "no"
    if about.example or not about.choices:
        return about.example or "8"
    return about.choices[(about.choices.index(about.default) + 1) % len(about.choices)]


_OPEN = r"([^\[\]]+\[(?:.*,)?)(\w*)(=?)([^,\]]*)"
"""A variant whose bracket is not closed: what precedes the last field, its name, '=', its value."""


def complete_model(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Names of the zoo; after a bracket the fields of a network, and the choices of a field."""
    written = re.fullmatch(_OPEN, incomplete)
    if written is None:
        return [name for name in zoo.ZOO if name.startswith(incomplete)]
    base, name, equals, value = written.groups()
    if not equals:
        return [f"{base}{field}=" for field in FIELDS if field.startswith(name)]
    about = FIELDS.get(name)
    choices = () if about is None else ("yes", "no") if about.kind == "flag" else about.choices
    return [f"{base}{name}={choice}" for choice in choices if choice.startswith(value)]


def load_all(
    models: Sequence[str],
    input: Sequence[str] = (),
    args: Sequence[str] = (),
    leaf: Sequence[str] = (),
) -> list[LayerGraph]:
    """The graphs of all networks that a command line names; raises InspectError."""
    _check_code(models, args, leaf)
    return [_load(model, input, args, leaf) for model in models]


def _load(
    model: str, input: Sequence[str], args: Sequence[str], leaf: Sequence[str], **changes: Any
) -> LayerGraph:
    if not is_code(model):
        return graph(model, parse_inputs(input), **changes)
    is_file = model.lower().endswith((".pt2", ".onnx"))
    if not is_file and os.getcwd() not in sys.path:
        # Python started for a script looks where the script lies; a user's module lies here. Last,
        # so that no file here stands in for an installed module.
        sys.path.append(os.getcwd())
    # Code may be refused, and a script reads one line that says why.
    watched = sys.stderr.isatty()
    with telling(f"importing and tracing {model}") if watched else nullcontext():
        return graph(model, parse_inputs(input), args=parse_args(args), leaves=leaf, **changes)


def _check_code(models: Sequence[str | None], args: Sequence[str], leaf: Sequence[str]) -> None:
    """Raise InspectError where --args or --leaf are given and nothing is traced."""
    for name, values in (("--args", args), ("--leaf", leaf)):
        if values and not any(map(is_code, models)):
            raise InspectError(
                f"{name} {values[0]} is for code that is traced; name package.module:callable"
            )


def parse_args(texts: Sequence[str]) -> dict[str, Any]:
    """{'width': 64, 'name': 'tiny'} from 'width=64' and 'name=tiny'; raises FormatError.

    Values are Python literals, or true, false and none; anything else is text.
    """
    from ast import literal_eval  # only for code

    literals = {"true": "True", "false": "False", "none": "None"}
    args: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise FormatError(f"--args is {text!r}; give key=value, such as width=64")
        try:
            args[key] = literal_eval(literals.get(value.lower(), value))
        except (ValueError, SyntaxError):
            args[key] = value
    return args


def parse_inputs(texts: Sequence[str]) -> tuple[Input, ...] | None:
    """The inputs that --input gives, None where it is not given; raises FormatError."""
    return tuple(map(parse_input, texts)) or None
