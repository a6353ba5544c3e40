"""What exactly is in a ResNet, what it costs, and why tools disagree about it.

    import resnet_inspect as ri

    ri.table("resnet50")                  # a Table: .to_pandas(), .records(), .write("r50.csv")
    ri.graph("resnet50", blocks=(2, 2, 2, 2))
    ri.build("resnet50")                  # a torch.nn.Module with torchvision's keys

A name is imported when it is first used, so importing the package loads nothing: torch, pandas and
rich come in with the call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet_inspect.api import weights as weights
    from resnet_inspect.api.forecasting import accuracy as accuracy
    from resnet_inspect.api.forecasting import calibrate as calibrate
    from resnet_inspect.api.forecasting import devices as devices
    from resnet_inspect.api.forecasting import fit as fit
    from resnet_inspect.api.forecasting import forecast as forecast
    from resnet_inspect.api.forecasting import forecasts as forecasts
    from resnet_inspect.api.forecasting import training_cost as training_cost
    from resnet_inspect.api.forecasting import validate as validate
    from resnet_inspect.api.learning import freeze as freeze
    from resnet_inspect.api.learning import learn as learn
    from resnet_inspect.api.learning import parameter_groups as parameter_groups
    from resnet_inspect.api.measurements import bench as bench
    from resnet_inspect.api.measurements import device as device
    from resnet_inspect.api.measurements import ladder as ladder
    from resnet_inspect.api.measurements import read_bench as read_bench
    from resnet_inspect.api.measurements import roofline as roofline
    from resnet_inspect.api.networks import Model as Model
    from resnet_inspect.api.networks import build as build
    from resnet_inspect.api.networks import folded as folded
    from resnet_inspect.api.networks import graph as graph
    from resnet_inspect.api.networks import list_models as list_models
    from resnet_inspect.api.networks import register_layer as register_layer
    from resnet_inspect.api.networks import spec as spec
    from resnet_inspect.api.networks import trace as trace
    from resnet_inspect.api.pictures import diagram as diagram
    from resnet_inspect.api.pictures import diff_diagram as diff_diagram
    from resnet_inspect.api.pictures import plot as plot
    from resnet_inspect.api.pictures import report as report
    from resnet_inspect.api.propagation import effective_fields as effective_fields
    from resnet_inspect.api.propagation import paths as paths
    from resnet_inspect.api.propagation import signal as signal
    from resnet_inspect.api.tables import compare as compare
    from resnet_inspect.api.tables import conventions as conventions
    from resnet_inspect.api.tables import cost as cost
    from resnet_inspect.api.tables import diff as diff
    from resnet_inspect.api.tables import explain as explain
    from resnet_inspect.api.tables import find_total as find_total
    from resnet_inspect.api.tables import memory as memory
    from resnet_inspect.api.tables import memory_timeline as memory_timeline
    from resnet_inspect.api.tables import paper_table as paper_table
    from resnet_inspect.api.tables import receptive_fields as receptive_fields
    from resnet_inspect.api.tables import reconcile as reconcile
    from resnet_inspect.api.tables import table as table
    from resnet_inspect.api.tables import taps as taps
    from resnet_inspect.counting.costs import Cost as Cost
    from resnet_inspect.counting.costs import total as total
    from resnet_inspect.counting.field import ReceptiveField as ReceptiveField
    from resnet_inspect.counting.memory import Memory as Memory
    from resnet_inspect.errors import InspectError as InspectError
    from resnet_inspect.networks.graph import Block as Block
    from resnet_inspect.networks.graph import Layer as Layer
    from resnet_inspect.networks.graph import LayerGraph as LayerGraph
    from resnet_inspect.networks.graph import Stage as Stage
    from resnet_inspect.networks.spec import ResNetSpec as ResNetSpec
    from resnet_inspect.networks.torch_ops import Opaque as Opaque
    from resnet_inspect.pictures.diagrams.diagram import block_diagram as block_diagram
    from resnet_inspect.tables.block_comparison import compare_blocks as compare_blocks
    from resnet_inspect.tables.columns import Column as Column
    from resnet_inspect.tables.table import Sheet as Sheet
    from resnet_inspect.tables.table import Table as Table
    from resnet_inspect.tables.zoo import models as models

    __version__: str

_PUBLIC = {
    "api.forecasting": ("accuracy calibrate devices fit forecast forecasts training_cost validate"),
    "api.learning": "freeze learn parameter_groups",
    "api.measurements": "bench device ladder read_bench roofline",
    "api.networks": "Model build folded graph list_models register_layer spec trace",
    "api.pictures": "diagram diff_diagram plot report",
    "api.propagation": "effective_fields paths signal",
    "api.tables": (
        "compare conventions cost diff explain find_total memory memory_timeline paper_table "
        "receptive_fields reconcile table taps"
    ),
    "api": "weights",
    "counting.costs": "Cost total",
    "counting.memory": "Memory",
    "counting.field": "ReceptiveField",
    "errors": "InspectError",
    "networks.graph": "Block Layer LayerGraph Stage",
    "networks.spec": "ResNetSpec",
    "networks.torch_ops": "Opaque",
    "pictures.diagrams.diagram": "block_diagram",
    "tables.block_comparison": "compare_blocks",
    "tables.columns": "Column",
    "tables.table": "Sheet Table",
    "tables.zoo": "models",
}
"""The public names by the module that defines them (a test holds the imports above to it)."""

_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("resnet-inspect")
    if name not in _HOME:
        raise AttributeError(f"module 'resnet_inspect' has no attribute {name!r}")
    home = f"resnet_inspect.{_HOME[name]}"
    if home == "resnet_inspect.api":
        value: Any = import_module(f"{home}.{name}")  # functions under a name of their own
    else:
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
