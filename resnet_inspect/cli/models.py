"""resnet-inspect models"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.forecast import device_names, run_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import Function, Option, command, option, together, words_of
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.zoo import FAMILIES

_ACCURACY = "With --accuracy"


def accuracy_options(panel: str) -> Callable[[Function], Function]:
    """--device, --under and --data: which rows of published accuracy are left, and their device."""
    return together(
        option(
            "--device NAME",
            "Forecast latency and throughput on it ('resnet-inspect devices').",
            words=device_names,
            panel=panel,
        ),
        option(
            "--under LIMITS",
            "Only rows that take at most so much: macs=2G,params=20M,memory=8GiB,latency=5ms.",
            panel=panel,
        ),
        option(
            "--data DATA",
            "What weights were trained on",
            default="any",
            words=words_of("tables.accuracy:DATA"),
            panel=panel,
        ),
    )


@command("models")
@option("--family FAMILY", "Only this family", words=FAMILIES)
@option("--like PATTERN", "Only names like this: 'eca*', '*_bit'.")
@option("--accuracy", "List published top-1 by weights and input size, beside what it costs.")
@accuracy_options(_ACCURACY)
@option(
    "--front AXIS",
    "What the front sets accuracy against",
    default="macs",
    words=words_of("tables.accuracy:AXES"),
    panel=_ACCURACY,
)
@option("--batch N", "Images in a batch.", default=64, panel=_ACCURACY)
@run_options(several=False, panel=_ACCURACY)
@shows
def models(family: str | None, like: str | None, accuracy: bool, **wanted: Any) -> ri.Table:
    """List the networks that have a name, where they are from, and how accurate they are.

    \b
    resnet-inspect models
    resnet-inspect models --family preact --format json
    resnet-inspect models --like 'eca*'
    resnet-inspect models --accuracy --device rtx4090 --under macs=5G,latency=5ms
    """
    if accuracy and like:
        raise InspectError("--like lists networks and --accuracy their weights; give one of them")
    if accuracy:
        return ri.accuracy(family=family, **wanted)
    for param in click.get_current_context().command.params:
        if isinstance(param, Option) and param.panel == _ACCURACY and _given(param):
            raise InspectError(f"{param.opts[0]} is for published accuracy; add --accuracy")
    return ri.models(family, like)


def _given(option: Option) -> bool:
    source = click.get_current_context().get_parameter_source(str(option.name))
    return source is click.core.ParameterSource.COMMANDLINE
