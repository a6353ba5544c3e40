"""The functions most people need, each from a name, a TOML file, a spec or a graph."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Union

from resnet_inspect.errors import FormatError, InspectError, unknown
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Pair, Shape
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.table import Table

if TYPE_CHECKING:
    import torch

    from resnet_inspect.counting.conventions import Measured
    from resnet_inspect.pictures.diagrams.diagram import Diagram
    from resnet_inspect.reporting.measurements import Measurements, NetworkRoofline
    from resnet_inspect.tables.table import Sheet

Model = Union[str, os.PathLike[str], ResNetSpec, LayerGraph, "torch.nn.Module"]
"""What may stand for a network: a name of the zoo, a TOML file, a spec, a graph, a torch module,
'package.module:callable' for code that makes one, or a .pt2 file of torch.export."""

_CALLABLE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")


def is_code(model: object) -> bool:
    """Whether a name stands for a user's own model: package.module:callable, or a .pt2 file."""
    if not isinstance(model, (str, os.PathLike)):
        return False
    text = os.fspath(model)
    return text.lower().endswith(".pt2") or _CALLABLE.fullmatch(text) is not None


def resolve(model: str | os.PathLike[str] | ResNetSpec, **changes: Any) -> ResNetSpec:
    """The spec of a name of the zoo or a TOML file, with fields of ResNetSpec changed.

    Raises UnknownNameError, SpecError or FormatError.
    """
    if isinstance(model, ResNetSpec):
        return model.with_changes(changes)
    text = os.fspath(model)
    if text.lower().endswith(_PICKLES):
        raise FormatError(
            f"{text} would be unpickled, which runs code in it; refused: name the code that makes "
            "the model (package.module:callable), or a .pt2 file that torch.export.save wrote"
        )
    if text.lower().endswith(".toml"):
        from resnet_inspect.networks.spec_file import read  # tomllib only where there is TOML

        return read(text).with_changes(changes)
    return zoo.spec(text).with_changes(changes)


def graph(
    model: Model,
    input_shape: Shape | None = None,
    *,
    args: Mapping[str, Any] | None = None,
    leaves: Sequence[str] = (),
    **changes: Any,
) -> LayerGraph:
    """The LayerGraph of a network for inputs of (channels, height, width).

    input_shape: by default what the network is published for. changes: fields of ResNetSpec, such
    as blocks=(2, 2, 2, 2) or shortcut="D". A torch module, a callable named 'package.module:name'
    (called with `args`) and a .pt2 file are traced, as `trace` does; leaves are as it has them.
    Raises UnknownNameError, SpecError, FormatError, and ShapeError where the input does not fit.
    """
    if is_code(model) or hasattr(model, "named_modules"):
        if changes:
            raise InspectError(
                f"{next(iter(changes))} is a field of our networks, and "
                f"{model if is_code(model) else type(model).__name__} is traced; give it args"
            )
        return _traced(model, input_shape, args, leaves)
    if args or leaves:
        raise InspectError(
            "arguments and leaves are for code that is traced (package.module:callable)"
        )
    if isinstance(model, LayerGraph):
        if changes or input_shape not in (None, model.input_shape):
            raise InspectError(f"{model.name} is a graph already; change its spec and wire it anew")
        return model
    return layer_graph(resolve(model, **changes), input_shape)


def _traced(
    model: Any, input_shape: Shape | None, args: Mapping[str, Any] | None, leaves: Sequence[str]
) -> LayerGraph:
    if is_code(model):
        from resnet_inspect.pytorch.trace.load import load

        return load(os.fspath(model), input_shape, args, leaves)
    made = trace(model, input_shape, leaves=leaves)
    return replace(made, maker=partial(deepcopy, model))


def table(
    model: Model,
    level: str = "layer",
    *,
    input_shape: Shape | None = None,
    batch: int = 1,
    dtype: str = "fp32",
    all_ops: bool = True,
    columns: Sequence[str] | None = None,
    convention: str = "macs",
    **changes: Any,
) -> Table:
    """A network's table at level 'layer', 'block', 'stage' or 'network'.

    Shapes are without the batch; counts are exact for `batch` samples. `columns` picks from
    network_table.METRICS (default: all). With `all_ops` False, batch norm and activation share
    their convolution's row. convention: count as another tool does ('fvcore', 'ptflops', ..: see
    conventions.CONVENTIONS), in a column 'counted'. Raises InspectError.
    """
    return network_table.table(
        graph(model, input_shape, **changes),
        level,
        batch=batch,
        dtype=dtype,
        all_ops=all_ops,
        columns=columns,
        convention=convention,
    )


def models(family: str | None = None) -> Table:
    """The zoo as a table; raises UnknownNameError for the family."""
    from resnet_inspect.tables import zoo as zoo_table

    return zoo_table.models(family)


def explain(model: Model, part: str, *, input_shape: Shape | None = None, **changes: Any) -> Table:
    """A layer's or block's arithmetic, formula by formula with numbers put in.

    Raises UnknownNameError with the nearest layers and blocks.
    """
    from resnet_inspect.tables.explanation import arithmetic

    return arithmetic(graph(model, input_shape, **changes), part)


def compare(
    *models: Model,
    input_shape: Shape | None = None,
    batch: int = 1,
    dtype: str = "fp32",
    convention: str = "macs",
) -> Sheet:
    """Networks side by side: tables 'cost', 'memory', 'stage', 'where'; ratios are to the first.

    input_shape: the same for all (default: what each is published for). Counts are exact for
    `batch` samples. convention: count as another tool does, in columns 'counted'. Raises
    InspectError, also for fewer than two networks.
    """
    from resnet_inspect.tables import comparison

    graphs = [graph(model, input_shape) for model in models]
    return comparison.compare(graphs, batch=batch, dtype=dtype, convention=convention)


def compare_blocks(channels: int = 256, size: int | Pair = 14) -> Sheet:
    """The basic block against the bottleneck at `channels` and height x width, formulas and all.

    Source: He et al. 2015, Figure 5. Raises InspectError for channels that are no multiple of 4.
    """
    from resnet_inspect.tables import block_comparison

    return block_comparison.compare_blocks(channels, size)


def diagram(
    *models: Model,
    input_shape: Shape | None = None,
    level: str = "block",
    expand: bool = False,
    color_by: str = "stage",
    direction: str = "TB",
    theme: str = "light",
    **changes: Any,
) -> Diagram:
    """Draw a network, or two or three side by side: a value with .dot, .write(path), a display.

    level: 'stage', 'block' or 'layer'. Identical blocks in a row are drawn once with their count,
    unless `expand`. color_by: 'stage', 'op', or a heat map of 'macs', 'params' or 'activations'.
    direction: 'TB' (down) or 'LR' (to the right). theme: 'light', 'dark', or 'print', which reads
    in grey. changes: fields of ResNetSpec, for every network named. Raises InspectError.
    """
    from resnet_inspect.pictures.diagrams import diagram as drawing

    return drawing.diagram(
        *(graph(model, input_shape, **changes) for model in models),
        level=level,
        expand=expand,
        color_by=color_by,
        direction=direction,
        theme=theme,
    )


def block_diagram(*kinds: str, **settings: Any) -> Diagram:
    """Draw residual blocks ('basic', 'bottleneck') with their arithmetic: drawing.block_diagram."""
    from resnet_inspect.pictures.diagrams import diagram as drawing

    return drawing.block_diagram(*kinds, **settings)


def report(
    *models: Model,
    folder: str | os.PathLike[str],
    input_shape: Shape | None = None,
    batch: int = 1,
    dtype: str = "fp32",
    convention: str = "macs",
    force: bool = False,
) -> None:
    """Write a folder about networks (default: the five classics): index.html, Markdown, CSV, SVG.

    The page needs nothing but itself. convention: count as another tool does. Files are replaced
    one by one; a folder that holds something a report did not write is left alone unless `force`.
    Raises InspectError.
    """
    from resnet_inspect.reporting.write import write

    graphs = [graph(model, input_shape) for model in models or zoo.CLASSICS]
    write(graphs, folder, batch=batch, dtype=dtype, convention=convention, force=force)


def reconcile(
    model: Model,
    *,
    input_shape: Shape | None = None,
    batch: int = 1,
    measure: bool = True,
    **changes: Any,
) -> Sheet:
    """Why tools disagree about a network: every counter's total, taken apart into named terms.

    measure: run the counters that are installed, where torch is; otherwise, and for the rest,
    apply their formulas. meta['discrepancies'] of the sheet says which measured totals their
    formulas do not give. Raises InspectError.
    """
    from resnet_inspect.tables import reconciliation

    made = graph(model, input_shape, **changes)
    measured: dict[str, Measured] = {}
    if measure:
        try:
            from resnet_inspect.pytorch import counters
        except InspectError:  # no torch
            pass
        else:
            measured = counters.measure(made, batch)
    return reconciliation.reconcile(made, batch=batch, measured=measured)


def bench(
    *models: Model,
    input_shape: Shape | None = None,
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] = "fp32",
    memory_format: str | Sequence[str] = "nchw",
    mode: str | Sequence[str] = "eager",
    train: bool = False,
    per_layer: bool = False,
    device: str | None = None,
    threads: int | None = None,
    budget: float = 10.0,
    half_width: float = 0.01,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Measurements:
    """Measure latency: every combination of the arguments, one row each.

    Seconds (median, its 95% interval, p10, p90, p99), images/s, FLOP/s (2 x MACs), bytes at the
    peak, and on a GPU joules an image. train: a step of forward, backward and SGD. per_layer: every
    layer against the least time that the roofline allows. device: 'cuda' or 'cpu' (default: a GPU
    if there is one). budget: seconds for each; half_width: of the interval, at which it stops
    before that. record: a JSON Lines file to which each measurement is added as soon as it is
    finished; resume: leave out what it already holds. `read_bench` reads it. Running out of memory
    is a row that says so. A mode that compiles makes torch forget what it compiled before. Raises
    InspectError.
    """
    from resnet_inspect.measuring.sweep import grid
    from resnet_inspect.pytorch.bench.sweep import run_sweep
    from resnet_inspect.reporting.measurements import Measurements

    if not models:
        raise InspectError("no network to measure; name at least one, such as 'resnet50'")
    tasks = grid(
        [graph(model, input_shape) for model in models],
        (batch,) if isinstance(batch, int) else batch,
        _several(dtype),
        _several(memory_format),
        _several(mode),
        "training" if train else "inference",
    )
    records = run_sweep(
        tasks,
        per_layer=per_layer,
        device=device,
        threads=threads,
        budget=budget,
        half_width=half_width,
        record=record,
        resume=resume,
        progress=progress,
    )
    return Measurements(tuple(records))


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return (names,) if isinstance(names, str) else names


def ladder(
    model: Model,
    *,
    batch: int = 1,
    device: str | None = None,
    threads: int | None = None,
    budget: float = 10.0,
    half_width: float = 0.01,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
    input_shape: Shape | None = None,
    **changes: Any,
) -> Measurements:
    """Measure a network from the naive baseline to the fastest, one change at a time.

    fp32 eager, TF32, channels_last, bf16, fp16, batch norm folded, torch.compile, CUDA graphs: each
    step is tried on top of those kept before; its outputs are checked against those of fp32.
    resume: continue behind the steps that the record holds. The other arguments are those of
    `bench`; changes: fields of ResNetSpec. Raises InspectError.
    """
    from resnet_inspect.pytorch.bench.sweep import run_ladder
    from resnet_inspect.reporting.measurements import Measurements

    records = run_ladder(
        graph(model, input_shape, **changes),
        batch,
        device=device,
        threads=threads,
        budget=budget,
        half_width=half_width,
        record=record,
        resume=resume,
        progress=progress,
    )
    return Measurements(tuple(records))


def device(
    device: str | None = None,
    *,
    threads: int | None = None,
    refresh: bool = False,
    record: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Measurements:
    """What a device can do at best: arithmetic by dtype, copies, launches.

    Measured once for a device and a torch and stored in the user's cache, from which bench, ladder
    and roofline take it; refresh: measure again. device: 'cuda', 'cuda:1' or 'cpu' (default: a GPU
    if there is one). threads: of the CPU (default: torch's). record: a JSON Lines file to add the
    ceilings to as well. Raises InspectError.
    """
    from resnet_inspect.pytorch.bench.sweep import run_ceilings
    from resnet_inspect.reporting.measurements import Measurements

    ceilings = run_ceilings(
        device, threads=threads, refresh=refresh, record=record, progress=progress
    )
    return Measurements((ceilings,))


def roofline(
    model: Model,
    *,
    level: str = "layer",
    batch: int = 1,
    dtype: str = "fp32",
    fused: bool = False,
    device: str | None = None,
    ceilings: str | os.PathLike[str] | None = None,
    input_shape: Shape | None = None,
    **changes: Any,
) -> NetworkRoofline:
    """What bounds each layer on a measured device, and the least time it can take.

    level: 'layer', 'block' or 'stage'. fused: batch norm, activation and addition as part of the
    kernel that makes their input. device: 'cuda' or 'cpu' (default: the latest that `device`
    measured); ceilings: a record to take them from instead. changes: fields of ResNetSpec. Needs no
    torch. Raises InspectError, also where no ceilings were measured.
    """
    from resnet_inspect.counting.roofline import roofline as bounds
    from resnet_inspect.measuring.ceilings import load_ceilings
    from resnet_inspect.reporting.measurements import NetworkRoofline
    from resnet_inspect.tables.roofline import LEVELS

    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    network = graph(model, input_shape, **changes)
    measured = load_ceilings(ceilings, device).ceilings
    return NetworkRoofline(bounds(network, measured, batch, dtype, fusing=fused), level)


def read_bench(
    path: str | os.PathLike[str], models: str | Sequence[str] | None = None
) -> Measurements:
    """What `bench`, `ladder` and `device` recorded in a file: tables by name, and plots.

    The tables are 'latency', 'ladder', 'layers' and 'ceilings', numbered where there are several.
    models: only what was measured of these. Raises InspectError, also for a file of another
    version.
    """
    from resnet_inspect.measuring.records import read
    from resnet_inspect.reporting.measurements import Measurements

    measurements = Measurements(read(path), os.fspath(path))
    return measurements.select(_several(models)) if models else measurements


def build(
    model: Model,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    zero_gamma: bool = False,
    **changes: Any,
) -> torch.nn.Module:
    """The torch.nn.Module of a network, initialised as published, in train mode.

    device: where it is made ('meta' makes one without memory). zero_gamma: start every residual
    branch at 0 (Goyal et al. 2017). changes: fields of ResNetSpec. State dict keys are
    torchvision's, or timm's for networks that only timm has. Raises InspectError, also where
    torch is not installed.
    """
    from resnet_inspect.pytorch import assemble

    return assemble.build(
        graph(model, **changes), device=device, dtype=dtype, zero_gamma=zero_gamma
    )


def trace(
    module: torch.nn.Module, input_shape: Shape | None = None, *, leaves: Sequence[str] = ()
) -> LayerGraph:
    """The LayerGraph of any torch module for inputs of (channels, height, width).

    The module is left as it was. leaves: names of module classes to take as one uncounted layer
    each, such as one whose control flow depends on the data. Raises InspectError.
    """
    from resnet_inspect.pytorch.trace import trace as tracing

    return tracing.trace(module, input_shape, leaves=leaves)


def rule(*kinds: type[torch.nn.Module]) -> Callable[[Any], Any]:
    """Teach `trace` a module: decorate a function from it and its input shapes to an op.

        @resnet_inspect.rule(MyConv)
        def _(layer, *shapes):
            return Conv2d(layer.cin, layer.cout, (3, 3), padding=(1, 1))

    Shapes are without the batch; ops are those of networks.ops and networks.torch_ops,
    whose Opaque holds bare numbers: Opaque("MyConv", output shape, params=.., macs=..).
    """
    from resnet_inspect.pytorch.trace import trace as tracing

    return tracing.rule(*kinds)


def diff(before: Model, after: Model, *, input_shape: Shape | None = None) -> Table:
    """What was added, removed and changed from one network to another, layer by layer.

    The rows' parameters and MACs add up to the difference of the totals. Raises InspectError.
    """
    from resnet_inspect.tables.difference import diff as told_apart

    return told_apart(graph(before, input_shape), graph(after, input_shape))
