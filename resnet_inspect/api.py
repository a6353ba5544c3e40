"""The functions most people need, each from a name, a TOML file, a spec or a graph."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Union

from resnet_inspect.errors import FormatError, InspectError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Pair, Shape
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.tables import network as network_table
from resnet_inspect.tables.table import Table

if TYPE_CHECKING:
    import torch

    from resnet_inspect.counting.conventions import Reported
    from resnet_inspect.pictures.diagrams.diagram import Diagram
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
    measured: dict[str, Reported] = {}
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
    device: str | None = None,
    threads: int | None = None,
    budget: float = 10.0,
    half_width: float = 0.01,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Table:
    """Measure latency: every combination of what is given, one row each.

    Seconds (median, its 95% interval, p10, p90, p99), images/s, FLOP/s (2 x MACs), bytes at the
    peak, and on a GPU joules an image. train: a step of forward, backward and SGD. device: 'cuda'
    or 'cpu' (default: a GPU where there is one). budget: seconds for each; half_width: of the
    interval, at which it stops before that. record: a JSON Lines file to which each measurement is
    added as soon as it is finished; resume: leave out what it holds already. `read_bench` reads it.
    Memory that runs out is a row that says so. A mode that compiles makes torch forget what it
    compiled before. Raises InspectError.
    """
    if not models:
        raise InspectError("no network to measure; give one or more, such as 'resnet50'")
    if resume and record is None:
        raise InspectError("resume needs a record to go on with")
    from resnet_inspect.measuring import sweep as grids
    from resnet_inspect.measuring.records import existing
    from resnet_inspect.pytorch.bench.sweep import Sweep
    from resnet_inspect.tables.measurements import latencies

    tasks = grids.grid(
        [graph(model, input_shape) for model in models],
        (batch,) if isinstance(batch, int) else batch,
        _several(dtype),
        _several(memory_format),
        _several(mode),
        "training" if train else "inference",
    )
    sweep = Sweep.of(device, threads=threads, budget=budget, half_width=half_width)
    sweep.check(tasks)
    known = existing(record) if record is not None else ()
    left = sweep.left(tasks, known) if resume else tasks
    found = list(grids.run(left, sweep.measure, record))
    return latencies(sweep.of_these(tasks, [*known, *found]) if resume else found)


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return (names,) if isinstance(names, str) else names


def read_bench(path: str | os.PathLike[str], *, level: str = "layer") -> Sheet:
    """What `bench`, `ladder` and `device` recorded in a file: a table of each kind.

    'latency', 'ladder', 'layers' and 'ceilings', numbered where there are several. level: rows of
    'layers': layer, block or stage. Raises InspectError, also for a file of another version.
    """
    from resnet_inspect.measuring.records import read
    from resnet_inspect.tables.measurements import everything

    return everything(read(path), level)


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

    return tracing.register_layer(*kinds)


def diff(before: Model, after: Model, *, input_shape: Shape | None = None) -> Table:
    """What was added, removed and changed from one network to another, layer by layer.

    The rows' parameters and MACs add up to the difference of the totals. Raises InspectError.
    """
    from resnet_inspect.tables.difference import diff as told_apart

    return told_apart(graph(before, input_shape), graph(after, input_shape))
