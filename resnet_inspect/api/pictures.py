"""Networks in pictures: diagrams, plots, and the report that holds both."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import Model, graph, graphs
from resnet_inspect.networks import zoo
from resnet_inspect.networks.inputs import Inputs

if TYPE_CHECKING:
    from resnet_inspect.forecasting.devices import Device
    from resnet_inspect.pictures.diagrams.diagram import Diagram
    from resnet_inspect.pictures.plots.plot import Plot


def diagram(
    *models: Model | Sequence[Model],
    input_shape: Inputs | None = None,
    level: str = "block",
    expand: bool = False,
    color_by: str = "stage",
    direction: str = "TB",
    theme: str = "light",
    names: str = "modules",
    size: str | None = None,
    columns: int | None = None,
    **changes: Any,
) -> Diagram:
    """Draw a network, or two or three side by side: a value with .dot, .write(path), a display.

    Written as .html it is a page that folds and unfolds, with the full row of every layer.
    level: 'stage', 'block', 'conv' (a box a convolution) or 'layer'. Identical blocks in a row are
    drawn once with their count, unless `expand`. color_by: 'stage', 'op', or a heat map of 'macs',
    'params' or 'activations'. direction: 'TB' (down) or 'LR' (to the right). theme: 'light',
    'dark', or 'print', which reads in grey. names: 'paper' for conv2_x instead of layer1. size: the
    room on paper, a width or width and height, such as '3.3in' or '7inx9in'. columns: how many its
    stages wrap into; by default as many as let its text be largest in that room. changes:
    for every network.
    """
    from resnet_inspect.pictures.diagrams import diagram as drawing

    return drawing.diagram(
        *graphs(models, input_shape, **changes),
        level=level,
        expand=expand,
        color_by=color_by,
        direction=direction,
        theme=theme,
        names=names,
        size=size,
        columns=columns,
    )


def diff_diagram(
    before: Model,
    after: Model,
    *,
    input_shape: Inputs | None = None,
    level: str = "block",
    expand: bool = False,
    direction: str = "TB",
    theme: str = "light",
    names: str = "modules",
    size: str | None = None,
) -> Diagram:
    """Draw what `diff` finds: two networks side by side. Settings are as `diagram` has them."""
    from resnet_inspect.pictures.diagrams import diagram as drawing

    return drawing.diff_diagram(
        graph(before, input_shape),
        graph(after, input_shape),
        level=level,
        expand=expand,
        direction=direction,
        theme=theme,
        names=names,
        size=size,
    )


def plot(
    kind: str,
    *models: Model | Sequence[Model],
    input_shape: Inputs | None = None,
    theme: str = "light",
    size: str | None = None,
    convention: str = "macs",
    train: bool = False,
    batch: int = 1,
    x: str = "macs",
    device: str | os.PathLike[str] | Device | None = None,
    under: str | None = None,
    data: str = "any",
) -> Plot:
    """Plot where the cost is: a value with .write(path), which a notebook shows.

    kind: 'stages', 'cumulative', 'memory', 'field', 'paths' or 'signal' of some networks; 'zoo',
    'pareto' or 'blocks' without any. convention: what 'stages' and 'cumulative' count. theme:
    'light', 'dark' or 'print'. size: on the page, such as '3.3in' (a column), '7in' or '7inx9in',
    where letters stay legible. train, batch: 'memory' of a training step (SGD with momentum), or of
    an inference pass.
    x: what 'pareto' sets accuracy against: 'macs', 'params' or 'throughput'; device, under and data
    are as `accuracy` has them.
    """
    from resnet_inspect.pictures.plots import costs
    from resnet_inspect.tables.accuracy import wanted_rows

    return costs.plot(
        kind,
        graphs(models, input_shape),
        theme=theme,
        size=size,
        convention=convention,
        train=train,
        batch=batch,
        wanted=wanted_rows(front=x, device=device, under=under, data=data),
    )


def report(
    *models: Model | Sequence[Model],
    folder: str | os.PathLike[str],
    input_shape: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    convention: str = "macs",
    command: str = "",
    force: bool = False,
) -> str:
    """Write a folder about networks (default: the five classics); returns the path of its page.

    It holds index.html, which needs nothing but itself, and Markdown, CSV and SVG. convention:
    count as another tool does. command: what the page says it was made by. Files are replaced one
    by one; a folder that holds something a report did not write is left as it is unless `force`.
    """
    from resnet_inspect.reporting.write import PAGE, write

    write(
        graphs(models or zoo.CLASSICS, input_shape),
        folder,
        batch=batch,
        dtype=dtype,
        convention=convention,
        command=command,
        force=force,
    )
    return os.path.join(folder, PAGE)
