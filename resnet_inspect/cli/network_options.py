"""The options of every command about one network: which one, changed how, for what input.

`takes_network` adds them to a command's signature, so they are described once.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Shape
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.networks.spec_field import SpecField


class Network(NamedTuple):
    """A network as asked for on the command line; rule says which one a depth stands for."""

    graph: LayerGraph
    rule: str | None = None


def complete_model(incomplete: str) -> list[str]:
    """Names of the zoo for shell completion."""
    return [name for name in zoo.ZOO if name.startswith(incomplete)]


MODEL_HELP = (
    "A name of the zoo ('resnet-inspect models' lists them), a TOML file, or a model of your own: "
    "package.module:callable, or a .pt2 file of torch.export."
)


MODELS_HELP = "Names of the zoo, TOML files, package.module:callable, .pt2 files"

INPUT = typer.Option(
    "--input", metavar="CxHxW", help="Input shape.  \\[default: what the network is published for]"
)


def complete_convention(incomplete: str) -> list[str]:
    """Names of conventions for shell completion."""
    from resnet_inspect.counting.conventions import CONVENTIONS

    return [name for name in CONVENTIONS if name.startswith(incomplete)]


Convention = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Count as another tool does: fvcore, torchinfo, ptflops, deepspeed, .. "
        "('resnet-inspect conventions' lists them).",
        autocompletion=complete_convention,
    ),
]

_WHICH = "Network (MODEL, or a depth, or one of your own)"


_CODE = "Code (MODEL is package.module:callable)"

Args = Annotated[
    list[str] | None,
    typer.Option(
        "--args", metavar="KEY=VALUE", help="An argument of the callable.", rich_help_panel=_CODE
    ),
]


Leaf = Annotated[
    list[str] | None,
    typer.Option(
        "--leaf",
        metavar="TYPE",
        help="Take modules of this class as one uncounted layer each.",
        rich_help_panel=_CODE,
    ),
]


def _option(*names: str, metavar: str, help: str, choices: Sequence[str] = ()) -> Any:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    shown = f"{help} ({', '.join(choices)})" if choices else help
    return typer.Option(
        *names, metavar=metavar, help=shown, rich_help_panel=_WHICH, autocompletion=complete
    )


def _flag(names: str, help: str) -> Any:
    return typer.Option(names, help=help, rich_help_panel=_WHICH)


def _field_option(about: SpecField) -> tuple[Any, Any]:
    help, choices = about.help.removesuffix(".") if about.choices else about.help, about.choices
    if about.kind == "flag":
        return bool, _flag(f"{about.option}/--no-{about.option[2:]}", help)
    option = _option(about.option, metavar=about.metavar, help=help, choices=choices)
    return (int if about.kind == "number" else str), option


_FIELDS = {name: _field_option(about) for name, about in FIELDS.items() if name != "input_size"}
"""The fields of ResNetSpec that have an option, with its type and its description."""


def takes_network(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command with a first parameter `network` take the options that describe one."""

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        model, depth, shape = given.pop("model"), given.pop("depth"), given.pop("input")
        args, leaf = given.pop("args"), given.pop("leaf")
        changes = {field: given.pop(field) for field in _FIELDS}
        chosen = {field: value for field, value in changes.items() if value is not None}
        check_code([model], args, leaf)
        command(load(model, depth, shape, chosen, args=args, leaf=leaf), **given)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        _parameter("model", str, typer.Argument(help=MODEL_HELP, autocompletion=complete_model)),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        _parameter("input", str, INPUT),
        _parameter("depth", int, _option("--depth", metavar="N", help="A published depth.")),
        *(_parameter(field, kind, option) for field, (kind, option) in _FIELDS.items()),
        inspect.Parameter("args", _KEYWORD, default=None, annotation=Args),
        inspect.Parameter("leaf", _KEYWORD, default=None, annotation=Leaf),
    ]
    wrapper.__signature__ = inspect.Signature(shared)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in shared}
    return wrapper


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, info],
    )


def load(
    model: str | None,
    depth: int | None = None,
    input_shape: str | None = None,
    changes: dict[str, Any] | None = None,
    *,
    args: Sequence[str] | None = None,
    leaf: Sequence[str] | None = None,
) -> Network:
    """The network that a command line names; raises InspectError."""
    from resnet_inspect.api.networks import graph, is_code
    from resnet_inspect.api.networks import spec as spec_of
    from resnet_inspect.networks.resnet import layer_graph

    fields = _parsed(changes or {})
    code = is_code(model)
    shape = parse_shape(input_shape, any_axes=code) if input_shape is not None else None
    if code and depth is None:
        # Python started for a script looks where the script lies; a user's module lies here.
        sys.path[:0] = [] if os.getcwd() in sys.path else [os.getcwd()]
        given = parse_args(args or ())
        return Network(graph(str(model), shape, args=given, leaves=leaf or (), **fields))
    if model is not None and depth is not None:
        raise InspectError(f"both {model!r} and --depth {depth} name a network; give one of them")
    rule = None
    if depth is not None:
        spec, rule = zoo.by_depth(depth)
        spec = spec.with_changes(fields)
    elif model is not None:
        spec = spec_of(model, **fields)
    elif "blocks" in fields:
        spec = ResNetSpec().with_changes(fields)
    else:
        raise InspectError(
            "no network; name one (such as resnet50), give --depth 50, or describe your own "
            "with --blocks 3,4,6,3"
        )
    return Network(layer_graph(spec, shape), rule)


def load_all(
    models: Sequence[str],
    input_shape: str | None = None,
    args: Sequence[str] | None = None,
    leaf: Sequence[str] | None = None,
) -> list[LayerGraph]:
    """The graphs of all networks that a command line names; raises InspectError."""
    check_code(models, args, leaf)
    return [load(model, None, input_shape, args=args, leaf=leaf).graph for model in models]


def check_code(
    models: Sequence[str | None], args: Sequence[str] | None, leaf: Sequence[str] | None
) -> None:
    """Raise InspectError where --args or --leaf are given and nothing is traced."""
    from resnet_inspect.api.networks import is_code

    for option, given in (("--args", args), ("--leaf", leaf)):
        if given and not any(map(is_code, models)):
            raise InspectError(
                f"{option} {given[0]} is for code that is traced; name package.module:callable"
            )


def _parsed(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: FIELDS[name].parse(value) if FIELDS[name].plural else value
        for name, value in changes.items()
    }


def parse_ints(text: str, option: str) -> tuple[int, ...]:
    """(3, 4, 6, 3) from '3,4,6,3'; raises FormatError."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise FormatError(
            f"{option} is {text!r}; give whole numbers and commas, such as 3,4,6,3"
        ) from None


def parse_args(texts: Sequence[str]) -> dict[str, Any]:
    """{'width': 64, 'name': 'tiny'} from 'width=64' and 'name=tiny'; raises FormatError.

    Values are Python literals, or true, false and none; anything else is text.
    """
    args: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise FormatError(f"--args is {text!r}; give key=value, such as width=64")
        try:
            args[key] = ast.literal_eval(_WORDS.get(value.lower(), value))
        except (ValueError, SyntaxError):
            args[key] = value
    return args


_WORDS = {"true": "True", "false": "False", "none": "None"}


def parse_shape(text: str, any_axes: bool = False) -> Shape:
    """(3, 224, 224) from '3x224x224'; raises FormatError."""
    try:
        shape = tuple(int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        shape = ()
    if not shape or (len(shape) != 3 and not any_axes):
        raise FormatError(f"--input is {text!r}; give channels x height x width, such as 3x224x224")
    return shape
