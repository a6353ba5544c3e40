"""What the shortcut options A to D of the ResNet papers cost in whole networks."""

from __future__ import annotations

from resnet_inspect.counting.costs import total
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.tables.columns import Column, Value, columns
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Table

NETWORKS = ("resnet34", "resnet50")

_OPTIONS = {
    "A": "zeros where the shape changes",
    "B": "1x1 where the shape changes",
    "C": "1x1 in every block",
    "D": "average and 1x1 where it changes",
}


def options() -> Table:
    """Shortcut options A, B, C (He et al. 2015, section 4.1, Table 3) and D in whole networks."""
    rows: list[dict[str, Value]] = []
    for name in NETWORKS:
        costs = {
            option: total(layer_graph(zoo.spec(name).with_changes({"shortcut": option})).layers)
            for option in _OPTIONS
        }
        rows.extend(
            {
                "model": name,
                "option": option,
                "is": _OPTIONS[option],
                "params": cost.params,
                "params_more": cost.params - costs["A"].params,
                "macs": cost.macs,
                "macs_more": cost.macs - costs["A"].macs,
            }
            for option, cost in costs.items()
        )
    return Table(
        f"Shortcut options in whole networks, input 3x224x224, one sample ({MACS})",
        (
            *columns("text", model="Network", option="Option"),
            Column("is", "Shortcut", rank=1),
            *columns("count", params="Parameters", params_more="more"),
            *columns("count", macs="MACs", macs_more="more"),
        ),
        tuple(rows),
        group="model",
        notes=("'More' is more than option A.",),
    )
