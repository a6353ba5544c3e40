"""What networks cost, as values and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import Model, checked_shape, graph, graphs, has_spec, spec
from resnet_inspect.errors import InspectError, check_name
from resnet_inspect.measuring.progress import SILENT, Progress
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.inputs import Inputs
from resnet_inspect.networks.naming import NAMINGS
from resnet_inspect.networks.run import Unmade

if TYPE_CHECKING:
    from resnet_inspect.counting.conventions import Reported
    from resnet_inspect.counting.costs import Cost
    from resnet_inspect.counting.field import ReceptiveField
    from resnet_inspect.counting.memory import Memory
    from resnet_inspect.counting.timeline import Timeline
    from resnet_inspect.tables.table import Sheet, Table


def cost(
    model: Model | Layer, batch: int = 1, *, input_shape: Inputs | None = None, **changes: Any
) -> Cost:
    """What a network, or one Layer of a graph, costs for `batch` samples, in exact integers.

    Elements and operations by kind; .macs, .flops (2 x MACs), .traffic(bytes of an element).
    """
    from resnet_inspect.counting import costs

    if isinstance(model, Layer):
        return costs.cost(model, batch)
    if has_spec(model):  # which needs no graph
        return costs.spec_cost(spec(model, **changes), checked_shape(input_shape), batch)
    return costs.graph_cost(graph(model, input_shape, **changes), batch)


def memory(
    model: Model,
    batch: int = 1,
    dtype: str | None = None,
    *,
    input_shape: Inputs | None = None,
    **changes: Any,
) -> Memory:
    """The bytes of a network's parameters, buffers and activations for `batch` samples.

    dtype: fp32, fp16, bf16 or fp64; by default each tensor's own, and fp32 where there are none.
    .training("adam") is the sum for an optimiser: a bound, since not all of it exists at once
    (`memory_timeline` has the peak). Frozen parameters get no gradient and no state.
    """
    from resnet_inspect.counting import memory as counting

    return counting.memory(graph(model, input_shape, **changes), batch, dtype)


def memory_timeline(
    model: Model,
    *,
    train: bool = True,
    optimizer: str = "momentum",
    dtype: str | None = None,
    checkpoint: str = "none",
    stepping: str = "foreach",
    accumulate: bool = False,
    decay: bool = False,
    input_shape: Inputs | None = None,
    **changes: Any,
) -> Timeline:
    """What memory holds while each kernel of a training step, or of an inference pass, runs.

    .peak(batch) in bytes, .peak_at(batch).held(batch) by kind, .curve(batch), .largest_batch(bytes)
    for any batch. Settings are as `fit` has them. Raises UnknownNameError.
    """
    from resnet_inspect.counting.training_step import Settings
    from resnet_inspect.forecasting.fit import timeline

    settings = Settings(optimizer, dtype, checkpoint, stepping, accumulate, decay)
    return timeline(graph(model, input_shape, **changes), settings, train)


def receptive_fields(
    model: Model, *, input_shape: Inputs | None = None, **changes: Any
) -> Mapping[str, ReceptiveField | None]:
    """The receptive field of each layer by its name, in pixels; None where none is known."""
    from resnet_inspect.counting import receptive_field

    return receptive_field.receptive_fields(graph(model, input_shape, **changes))


def table(
    model: Model,
    level: str = "layer",
    *,
    input_shape: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    all_ops: bool = False,
    columns: Sequence[str] | None = None,
    convention: str = "macs",
    names: str = "modules",
    args: Mapping[str, Any] | None = None,
    leaves: Sequence[str] = (),
    **changes: Any,
) -> Table:
    """A network's table at level 'layer', 'block', 'stage' or 'network'.

    Counts are exact for `batch` samples. all_ops: give batch norm and activation rows of their
    own; by default they share their convolution's. columns: keys of those wanted, in order; by
    default records hold all, and people see a few. convention: count as another tool does
    ('fvcore', 'ptflops', ..; `conventions` lists them), in a column 'counted'. names: 'modules'
    (layer1.0), or 'paper' (conv2_1), as He et al. 2015 call them.
    """
    from resnet_inspect.tables import network

    check_name("naming", names, NAMINGS)
    described = graph(model, input_shape, args=args, leaves=leaves, **changes)
    made = network.table(
        described,
        level,
        batch=batch,
        dtype=dtype,
        all_ops=all_ops,
        columns=columns,
        convention=convention,
    )
    if names == NAMINGS[0]:
        return made
    from resnet_inspect.tables.paper import renamed

    return renamed(made, described)


def paper_table(*models: Model | Sequence[Model], input_shape: Inputs | None = None) -> Table:
    """Networks side by side as He et al. 2015, Table 1, has them.

    A row for each stage (conv1, conv2_x, ..), with the size of what leaves it and every network's
    blocks, [1x1, 64; 3x3, 64; 1x1, 256] x 3; then FLOPs, which are multiply-adds there.
    """
    from resnet_inspect.tables import paper

    return paper.paper_table(graphs(models, input_shape))


def taps(model: Model, *, input_shape: Inputs | None = None, **changes: Any) -> Table:
    """Where a backbone's features are taken: C1 (stem) to C5, as detection and segmentation do.

    Each with its module, its number in timm's and mmseg's out_indices, shape, stride, field, and
    the MACs up to there. `build(model, features=("C3", "C5"))` makes a module that returns some.
    """
    from resnet_inspect.tables.taps import tap_table

    return tap_table(graph(model, input_shape, **changes))


def explain(
    model: Model,
    part: str | None = None,
    *,
    input_shape: Inputs | None = None,
    **changes: Any,
) -> Table:
    """A layer's or block's arithmetic, formula by formula with numbers put in.

    explain("residual") says why residual functions are easier to learn. Raises UnknownNameError
    with the nearest layers and blocks.
    """
    from resnet_inspect.tables import residual

    if part is None:
        if model == residual.WORD:
            return residual.residual()
        raise InspectError("no layer; name a layer or block after the network, such as layer2.0")
    from resnet_inspect.tables.explanation import arithmetic

    return arithmetic(graph(model, input_shape, **changes), part)


def compare(
    *models: Model | Sequence[Model],
    input_shape: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    convention: str = "macs",
) -> Sheet:
    """Two or more networks side by side: tables 'cost', 'memory', 'stage', 'where'.

    Ratios are to the first. input_shape: the same for all (default: what each is published for).
    Counts are exact for `batch` samples. convention: count as another tool does, in columns
    'counted'.
    """
    from resnet_inspect.tables.comparison import overview

    networks = graphs(models, input_shape)
    if len(networks) < 2:
        raise InspectError("compare needs at least two networks")
    return overview(networks, batch=batch, dtype=dtype, convention=convention)


def diff(before: Model, after: Model, *, input_shape: Inputs | None = None) -> Table:
    """What was added, removed and changed from one network to another, layer by layer.

    The rows' parameters and MACs add up to the difference of the totals.
    """
    from resnet_inspect.tables import difference

    return difference.diff(graph(before, input_shape), graph(after, input_shape))


def reconcile(
    model: Model,
    *,
    input_shape: Inputs | None = None,
    batch: int = 1,
    measure: bool = True,
    progress: Progress = SILENT,
    **changes: Any,
) -> Sheet:
    """Why tools disagree about a network: every counter's total, taken apart into named terms.

    measure: run the counters that are installed, where torch is; for the rest apply their
    formulas. progress: told which counter runs. meta['discrepancies'] of the sheet says which
    measured totals their formulas do not give.
    """
    from resnet_inspect.tables import reconciliation

    network = graph(model, input_shape, **changes)
    measured: dict[str, Reported] = {}
    if isinstance(network.maker, Unmade):
        progress.note(f"by formula only: {network.maker.why}")
    elif measure:
        try:
            from resnet_inspect.pytorch import counters
        except InspectError as error:  # no torch
            progress.note(f"by formula only: {error}")
        else:
            measured = counters.measure(network, batch, lambda tool: progress.say(tool.title))
    return reconciliation.reconcile(network, batch=batch, measured=measured)


def find_total(
    model: Model, total: str, *, input_shape: Inputs | None = None, **changes: Any
) -> Table:
    """Which counters, of which variants of a network, give a total such as '4.12G' or '25.6M'.

    Variants are other inputs, v1 and v1.5, depths of the family, classes and other fields; the
    likeliest come first, and the nearest where none gives it. Raises InspectError for no number.
    """
    from resnet_inspect.tables import number_search

    return number_search.find_total(graph(model, input_shape, **changes), total)


def conventions(*models: Model | Sequence[Model], input_shape: Inputs | None = None) -> Sheet:
    """The conventions by which tools and papers count, and what each gives for some networks."""
    from resnet_inspect.tables import conventions as listing

    return listing.conventions(graphs(models, input_shape))
