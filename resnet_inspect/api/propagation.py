"""How signals and gradients travel through networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import Model, graph, graphs
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks.shapes import Shape, show_shape

if TYPE_CHECKING:
    from resnet_inspect.tables.table import Sheet, Table


def paths(
    model: Model,
    *,
    through: tuple[int, int] | None = None,
    input_shape: Shape | None = None,
    **changes: Any,
) -> Sheet:
    """The paths through a network, exactly: tables 'blocks', 'layers', 'deletions'.

    through: least and most residual blocks, whose share of the paths meta['through_share'] of
    'blocks' is; by default the narrowest range that holds 95%. Raises InspectError.
    """
    from resnet_inspect.tables.paths import paths

    return paths(graph(model, input_shape, **changes), through)


def effective_fields(
    model: Model,
    layers: Sequence[str] = (),
    *,
    input_shape: Shape | None = None,
    measure: bool = False,
    seeds: int = 100,
    **changes: Any,
) -> Table:
    """What the units in the middle of some layers (default: of each stage's last) really see.

    In closed form, at initialisation. measure: beside it as autograd finds it over some seeds.
    Raises InspectError, also where theory does not reach.
    """
    from resnet_inspect.propagation.effective import MOST, effective_field, effort, stage_fields
    from resnet_inspect.tables import effective_field as tables

    network = graph(model, input_shape, **changes)
    if seeds < 1:
        raise InspectError(f"{seeds} seeds; give at least 1")
    fields = {name: effective_field(network, name) for name in layers} or stage_fields(network)
    if not fields and effort(network) > MOST:
        raise InspectError(
            f"{network.name} takes long at {show_shape(network.input_shape)}; name layers, or give "
            "a smaller input"
        )
    if not fields:
        raise InspectError(
            f"theory reaches no stage of {network.name}; 'signal' says where it stops"
        )
    found = {}
    if measure:
        from resnet_inspect.pytorch.effective_field import measure as measured

        found = {name: measured(network, field, seeds=seeds) for name, field in fields.items()}
    return tables.effective_fields(network, fields, found, stages=not layers)


def signal(
    *models: Model | Sequence[Model],
    input_shape: Shape | None = None,
    init: str = "published",
    norm: bool = True,
    level: str = "block",
    measure: bool = False,
    seeds: int = 3,
    batch: int = 32,
    inputs: object = None,
    plot: str | os.PathLike[str] | None = None,
    theme: str = "light",
    progress: Progress = SILENT,
) -> Sheet:
    """Variance of the signal and mean square of the gradient at initialisation, layer by layer.

    In closed form; tables 'summary' and 'layers'. init: 'published' (as `build` has it) or 'torch',
    its layers' defaults. norm: False leaves normalization layers out. level: 'block' or 'layer'.
    measure: beside it as torch finds them over some seeds, for a batch of noise or for the first of
    `inputs`: an array, a .npy file, or 'package.module:callable' that gives an array.
    plot: a file for the picture of both. progress: told which network runs. Raises InspectError.
    """
    from resnet_inspect.pictures.plots.plot import MOST
    from resnet_inspect.propagation import signal as theory
    from resnet_inspect.tables.signal import signal

    networks = graphs(models, input_shape)
    if not 1 <= len(networks) <= MOST:
        raise InspectError(f"{len(networks)} networks; the signal is shown through 1 to {MOST}")
    networks = networks if norm else list(map(theory.without_norm, networks))
    told = [theory.signal(network, init) for network in networks]
    sheet = signal(told, level)  # refused before anything is measured
    if inputs is not None and not measure:
        raise InspectError("inputs are for what is measured; add --measure (measure=True)")
    if measure:
        from resnet_inspect.pytorch.signal import measure as measured

        settings: dict[str, Any] = {"seeds": seeds, "batch": batch, "inputs": inputs}
        told = [
            replace(each, measured=measured(each.graph, init, **settings, say=progress.say))
            for each in told
        ]
        sheet = signal(told, level)
    if plot is not None:
        from resnet_inspect.pictures.plots.signal import signal as drawn

        replace(drawn(told), theme=theme).write(plot)
    return sheet
