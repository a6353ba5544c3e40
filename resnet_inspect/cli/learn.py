"""resnet-inspect learn"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import resnet_inspect as ri
from resnet_inspect.cli.bench_options import (
    device_option,
    records_to,
    shows_measured,
    threads_option,
    watched,
)
from resnet_inspect.cli.network_options import models_argument
from resnet_inspect.cli.parameters import Option, command, option
from resnet_inspect.errors import check_name
from resnet_inspect.tables.learning import LEVELS

if TYPE_CHECKING:
    from resnet_inspect.reporting.measurements import Measurements
    from resnet_inspect.tables.table import Printable

IN_FOLDERS = ("mnist", "cifar10")


class DataOption(Option):
    """--data, whose value is two words where the first is of data in a folder."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        for name in self.opts:
            known = parser._long_opt[name]
            store = known.process

            def process(value: str, state: Any, store: Any = store) -> None:
                if value in IN_FOLDERS and state.rargs and not state.rargs[0].startswith("-"):
                    value = f"{value} {state.rargs.pop(0)}"
                store(value, state)

            known.process = process


@command("learn")
@models_argument(
    required=True, help="Names of the zoo, resnet20[widths=16,32,64], package.module:callable."
)
@click.option(
    "--data",
    cls=DataOption,
    metavar="DATA",
    default="digits",
    help="digits, mnist FOLDER, cifar10 FOLDER, or package.module:callable that gives arrays.",
)
@option("--epochs N", "Times that each image is seen.", default=20)
@option("--seeds N", "Trainings of each network, from seed 0 on.", default=3)
@option("--batch N", "Images in a step.", default=128)
@option("--rate R", "Learning rate; a tenth after half and after 3/4 of the epochs.", default=0.03)
@option("--weight-decay D", "Weight decay.", default=1e-4)
@option("--level LEVEL", "Rows", default=LEVELS[0], words=LEVELS)
@shows_measured
@records_to("each epoch")
@device_option
@threads_option("one for small networks, torch's for others")
def learn(
    models: tuple[str, ...], level: str, record: str | None, **settings: Any
) -> tuple[Printable, Measurements]:
    """Train networks on small images, plain beside residual.

    With --record each epoch is saved as it is finished, and --resume goes on with the same bits.

    \b
    resnet-inspect learn plain20 plain56 resnet20 resnet56
    resnet-inspect learn plain56 resnet56 --epochs 10 --plots figures
    resnet-inspect learn resnet34_mnist --data mnist FOLDER --epochs 2 --seeds 1
    """
    check_name("level", level, LEVELS)  # before anything is trained
    with watched("training", record, records=True) as progress:
        measurements = ri.learn(*models, record=record, progress=progress, **settings)
    return measurements.view(level), measurements
