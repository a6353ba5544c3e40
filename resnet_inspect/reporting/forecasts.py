"""What validating and calibrating forecasts return: values that know their tables and files."""

from __future__ import annotations

import os
from dataclasses import dataclass

from resnet_inspect.files import write_text
from resnet_inspect.forecasting.devices import Device
from resnet_inspect.forecasting.own import Calibration, to_toml
from resnet_inspect.forecasting.validation import Validation
from resnet_inspect.reporting.measurements import Shown
from resnet_inspect.tables.table import Sheet, Table

REPORT = "README.md"


@dataclass(frozen=True, repr=False)
class Calibrated(Shown):
    """A device with what one's own measurements say of it.

    device: what `forecast` takes. calibrations: one for each way of running.
    """

    device: Device
    calibrations: tuple[Calibration, ...]

    def __repr__(self) -> str:
        return f"Calibrated({self.device.name!r}, {len(self.calibrations)} ways)"

    def view(self) -> Table:
        """How far off each way leaves forecasts."""
        from resnet_inspect.tables.forecast import calibration_table

        return calibration_table(self.device, self.calibrations)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the device as a TOML file that `--device` takes; raises OutputError."""
        write_text(path, to_toml(self.device))


@dataclass(frozen=True, repr=False)
class Validated(Shown):
    """Forecasts beside the public measurements that they had not seen."""

    validation: Validation

    def __repr__(self) -> str:
        rows = sum(map(len, self.validation.networks.values()))
        return f"Validated({rows} rows of {len(self.validation.networks)} runs)"

    def view(self) -> Sheet:
        """'pooled', 'runs', 'training' and 'worst'."""
        from resnet_inspect.tables.validation import validation_sheet

        return validation_sheet(self.validation)

    def report(self, folder: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the report: README.md, its tables as CSV, and the plot.

        Raises InspectError for a folder that holds other files, unless `force`; OutputError.
        """
        from resnet_inspect.pictures.plots.forecast import validation_plot
        from resnet_inspect.reporting.write import write_folder

        sheet = self.view()
        text = "\n\n".join(
            [
                f"# {sheet.title}",
                _ABOUT,
                "![Forecast against measured images/s](forecast.svg)",
                *(f"## {table.title}\n\n{_body(table)}" for table in sheet.tables.values()),
            ]
        )
        files = {REPORT: text + "\n", "forecast.svg": validation_plot(self.validation).to_svg()}
        files |= {f"{name}.csv": table.to_text("csv") for name, table in sheet.tables.items()}
        encoded = {name: text.encode("utf-8") for name, text in files.items()}
        write_folder(folder, encoded, force=force)


_ABOUT = (
    "Made by `resnet-inspect validate -o`. Rows are public measurements of networks that this "
    "package knows; `resnet_inspect/forecasting/public` has them with their sources."
)


def _body(table: Table) -> str:
    """The table in Markdown without its title, which is the heading."""
    return table.to_text("markdown").removeprefix(f"**{table.title}**").strip()
