"""What the functions that measure return: a value that knows its tables and its plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resnet_inspect.counting.roofline import Roofline
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.measuring.learning import Epoch
from resnet_inspect.measuring.records import CaseMeasurement, Measurement
from resnet_inspect.tables.table import Printable, Sheet, Table

if TYPE_CHECKING:
    import pandas

    from resnet_inspect.pictures.plots.plot import Plot
    from resnet_inspect.tables.page import Page


class Shown(Printable):
    """Shown as its tables."""

    def view(self) -> Table | Sheet:
        """The table, or the tables where there are several."""
        raise NotImplementedError

    def to_text(self, format: str) -> str:
        """The tables in one of writers.FORMATS; raises UnknownNameError."""
        return self.view().to_text(format)

    def pages(self, *, ascii: bool = False) -> list[Page]:
        return self.view().pages(ascii=ascii)


@dataclass(frozen=True, repr=False)
class Measurements(Shown):
    """What `bench`, `ladder`, `device` and `learn` measured, or `read_bench` read.

    records: in the order in which they were made. source: the file that they were read from.
    """

    records: tuple[Measurement, ...]
    source: str | None = None

    def __repr__(self) -> str:
        return f"Measurements({len(self.records)} records)"

    def sheet(self, level: str = "layer") -> Sheet:
        """A table of each kind: 'latency', 'ladder', 'layers', 'ceilings', 'learning'.

        They are numbered where there are several. level: rows of 'layers' (layer, block or stage)
        or of 'learning' (run, epoch or response). Raises InspectError if there are no records.
        """
        from resnet_inspect.tables.measurements import measurements

        return measurements(self.records, level)

    def view(self, level: str = "layer") -> Table | Sheet:
        """The table, or the sheet where there are several."""
        sheet = self.sheet(level)
        tables = list(sheet.tables.values())
        return tables[0] if len(tables) == 1 else sheet

    def table(self, level: str = "layer") -> Table:
        """The only table; raises InspectError where there are several."""
        view = self.view(level)
        if isinstance(view, Table):
            return view
        raise InspectError(f"there are several tables; take one of {', '.join(view.tables)} by []")

    def __getitem__(self, name: str) -> Table:
        """The table of this name in `sheet()`; raises UnknownNameError."""
        return self.sheet()[name]

    def to_pandas(self) -> pandas.DataFrame:
        """The only table as a DataFrame; raises InspectError where there are several."""
        return self.table().to_pandas()

    def plots(self) -> list[Plot]:
        """Every plot that the records allow; none for a single latency, or for ceilings."""
        from resnet_inspect.pictures.plots.measurements import measurement_plots

        return measurement_plots(self.records)

    def against(self, other: Measurements) -> Table:
        """Latencies of equal cases, this one's before and the other's after.

        Raises InspectError if they have no case in common.
        """
        from resnet_inspect.tables.latency import comparison

        names = self.source or "the first", other.source or "the second"
        return comparison(self.records, other.records, names)

    def select(self, models: Sequence[str]) -> Measurements:
        """Only what was measured of these networks; raises UnknownNameError for others."""
        models_of = [(_model(one), one) for one in self.records]
        known = {name for name, _ in models_of if name is not None}
        for model in models:
            if model not in known:
                where = f"network in {self.source!r}" if self.source else "network measured"
                raise unknown(where, model, sorted(known))
        return replace(self, records=tuple(one for name, one in models_of if name in models))


def _model(record: Measurement) -> str | None:
    """The network that was measured or trained; None for a device."""
    if isinstance(record, CaseMeasurement):
        return record.case.model
    return record.model if isinstance(record, Epoch) else None


@dataclass(frozen=True, repr=False)
class NetworkRoofline(Shown):
    """What bounds each part of a network on a device. level: of its rows, one of LEVELS."""

    roofline: Roofline
    level: str = "layer"

    def __repr__(self) -> str:
        return f"NetworkRoofline({self.roofline.model}, {self.roofline.device}, {self.level})"

    def view(self) -> Table:
        return self.table()

    def table(self, level: str | None = None) -> Table:
        """The rows at a level (default: its own); raises UnknownNameError."""
        from resnet_inspect.tables.roofline import table

        return table(self.roofline, level or self.level)

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a DataFrame."""
        return self.table().to_pandas()

    def plots(self) -> list[Plot]:
        """The roof with the network's layers under it."""
        from resnet_inspect.pictures.plots.roofline import roofline_plot

        return [roofline_plot(self.roofline)]
