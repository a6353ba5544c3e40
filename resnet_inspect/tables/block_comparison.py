"""The basic block against the bottleneck, with the arithmetic written out.

He et al. 2015, Figure 5, draws two blocks: two 3x3 convolutions, and 1x1 - 3x3 - 1x1 around a
quarter of the channels. At equal channels the first has 288/17 = 16.94 times the weights; the paper
pairs 64 channels with 256 instead, which cost about the same. Blocks are wired by resnet.py, as
the one block of a network of one stage, so nothing here knows what is inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from resnet_inspect.counting.costs import cost, total
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Layer
from resnet_inspect.networks.ops import Conv2d, Pair, show_shape
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.wiring import shortcut
from resnet_inspect.tables.block_sample import Sample, sample
from resnet_inspect.tables.columns import Column, Value
from resnet_inspect.tables.comparison import against_first, ratio
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Sheet, Table
from resnet_inspect.tables.variants import options

KINDS = ("bottleneck", "basic")

GROWTH_CHANNELS = (64, 128, 256, 512, 1024, 2048)


GROWTH_SIZES = (7, 14, 28, 56, 112)

TABLES = ("blocks", "layers", "formulas", "growth", "projections", "options")
"""The tables of a comparison of blocks."""


def compare_blocks(channels: int = 256, size: int | Pair = 14) -> Sheet:
    """The two residual blocks of He et al. 2015 side by side, at `channels` and height x width.

    Tables: 'blocks' (the two at equal channels, and the paper's pairing), 'layers' (what each
    convolution does), 'formulas' (in C, H and W), 'growth' (how both grow with channels and with
    size), 'projections' (what a shortcut's 1x1 costs), and 'options' (the shortcuts A, B, C and D
    in whole networks). Raises InspectError for channels that are not a multiple of 4, or sizes
    below 1.
    """
    pair = (size, size) if isinstance(size, int) else size
    for what, value in (("channels", channels), ("size", pair[0]), ("size", pair[1])):
        if not 1 <= value <= LARGEST // 2:
            raise InspectError(f"{what} is {value}; allowed are 1 to {LARGEST // 2}")
    meta = {"channels": channels, "size": list(pair), "convention": "macs"}
    tables = {
        "blocks": _blocks(channels, pair),
        "layers": _layers(channels, pair),
        "formulas": _formulas(channels, pair),
        "growth": _growth(channels, pair),
        "projections": _projections(channels, pair),
        "options": options(),
    }
    return Sheet(f"Basic block against bottleneck at {channels} channels", tables, meta)


def _at(size: Pair) -> str:
    return f"at {show_shape(size)}, one sample"


def _blocks(channels: int, size: Pair) -> Table:
    """At equal channels, and the paper's pairing: a basic block of a quarter of the channels."""
    pairing = channels // 4
    rows: list[dict[str, Value]] = [
        _described("bottleneck", sample("bottleneck", channels, size)),
        _described("basic, as many channels", sample("basic", channels, size)),
        _described("basic, the paper's pairing", sample("basic", pairing, size)),
    ]
    return Table(
        f"Basic block against bottleneck {_at(size)} ({MACS})",
        (
            Column("block", "Block"),
            Column("channels", "Channels", "count", 3),
            Column("inside", "In 3x3", "count", 4),
            Column("weights", "Weights", "count"),
            Column("weights_ratio", "ratio", "ratio"),
            Column("params", "With BN", "count", 2),
            Column("macs", "MACs", "count"),
            Column("macs_ratio", "ratio", "ratio"),
            Column("flops", "FLOPs", "count", 6),
            Column("activations", "Activations", "count"),
            Column("activations_ratio", "ratio", "ratio", 1),
        ),
        against_first(rows, "weights", "macs", "activations"),
        notes=(
            "Ratios are to the bottleneck. Weights are those of the convolutions only.",
            "Activations are the elements that all layers write.",
            "The paper's pairing (He et al. 2015, Figure 5) holds cost equal rather than channels.",
        ),
    )


def _described(name: str, block: Sample) -> dict[str, Value]:
    return {
        "block": name,
        "channels": block.channels,
        "inside": block.inside,
        "weights": block.weights,
        "params": block.cost.params,
        "macs": block.cost.macs,
        "flops": block.cost.flops,
        "activations": block.cost.written,
    }


def _layers(channels: int, size: Pair) -> Table:
    rows: list[dict[str, Value]] = []
    for kind in KINDS:
        block = sample(kind, channels, size)
        for layer, conv in block.convs:
            spent = cost(layer)
            rows.append(
                {
                    "block": kind,
                    "layer": layer.name.rpartition(".")[2],
                    "does": _purpose(conv),
                    "numbers": " × ".join(
                        map(str, (*conv.kernel, conv.in_channels, conv.out_channels))
                    ),
                    "weights": conv.weights,
                    "macs_numbers": f"{conv.weights:,} × {size[0]} × {size[1]}",
                    "macs": spent.macs,
                    "share": spent.macs / block.cost.macs,
                }
            )
    return Table(
        f"What each convolution does at {channels} channels {_at(size)} ({MACS})",
        (
            Column("block", "Block"),
            Column("layer", "Layer", rank=5),
            Column("does", "Does"),
            Column("numbers", "k × k × in × out"),
            Column("weights", "Weights", "count"),
            Column("macs_numbers", "weights × H × W", rank=4),
            Column("macs", "MACs", "count"),
            Column("share", "of MACs", "share", 3),
        ),
        tuple(rows),
        group="block",
        notes=(
            "The first 1x1 reduces the channels so that the 3x3 is cheap.",
            "The last 1x1 restores them for the addition.",
        ),
    )


def _purpose(conv: Conv2d) -> str:
    kernel = show_shape(conv.kernel)
    if conv.in_channels == conv.out_channels:
        return f"{kernel} at {conv.in_channels}"
    verb = "reduces" if conv.out_channels < conv.in_channels else "restores"
    return f"{kernel} {verb} {conv.in_channels} to {conv.out_channels}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A count of a block that grows as a power of its channels, times H x W or not.

    written: its terms as arithmetic in C, H and W, or '' where they are as the coefficient says.
    """

    name: str
    power: int
    spatial: bool
    count: Callable[[Sample], int]
    written: Callable[[Sample], str] = lambda block: ""

    def closed(self, block: Sample) -> str:
        """The count in closed form: 17/16 C², derived from the block's own count."""
        positions = block.size[0] * block.size[1] if self.spatial else 1
        factor = Fraction(self.count(block), block.channels**self.power * positions)
        symbol = {1: "C", 2: "C²"}[self.power] + (" H W" if self.spatial else "")
        return f"{factor} {symbol}"


def _weights_in_c(block: Sample) -> str:
    """1×1×C×C/4 + 3×3×C/4×C/4 + 1×1×C/4×C"""
    return " + ".join(
        "×".join((*map(str, conv.kernel), *(_in_c(n, block) for n in _sides(conv))))
        for _, conv in block.convs
    )


def _sides(conv: Conv2d) -> Pair:
    return conv.in_channels, conv.out_channels


def _in_c(channels: int, block: Sample) -> str:
    part = Fraction(channels, block.channels)
    top = "C" if part.numerator == 1 else f"{part.numerator}C"
    return top if part.denominator == 1 else f"{top}/{part.denominator}"


QUANTITIES = (
    Quantity("weights", 2, False, lambda block: block.weights, _weights_in_c),
    Quantity("batch norm", 1, False, lambda block: block.cost.params - block.weights),
    Quantity("MACs", 2, True, lambda block: block.cost.macs),
    Quantity("activations", 1, True, lambda block: block.cost.written),
)


def _formulas(channels: int, size: Pair) -> Table:
    rows: list[dict[str, Value]] = []
    blocks = {kind: sample(kind, channels, size) for kind in KINDS}
    for quantity in QUANTITIES:
        counts = {kind: quantity.count(block) for kind, block in blocks.items()}
        for kind, block in blocks.items():
            rows.append(
                {
                    "quantity": quantity.name,
                    "block": kind,
                    "written": quantity.written(block),
                    "closed": quantity.closed(block),
                    "value": counts[kind],
                    "ratio": ratio(counts[kind], counts[KINDS[0]]),
                }
            )
    return Table(
        f"Formulas, with C = {channels}, H x W = {show_shape(size)}, one sample ({MACS})",
        (
            Column("quantity", "Quantity"),
            Column("block", "Block"),
            Column("written", "Formula", rank=1),
            Column("closed", "Closed form"),
            Column("value", "=", "count"),
            Column("ratio", "ratio", "ratio"),
        ),
        tuple(rows),
        group="quantity",
        notes=(
            "Twice the channels: four times the weights and MACs, twice the activations.",
            "Twice the size: the same weights, four times the MACs and activations.",
        ),
    )


def _both(channels: int, size: Pair) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for kind in KINDS:
        block = sample(kind, channels, size)
        row |= {
            f"{kind}_weights": block.weights,
            f"{kind}_macs": block.cost.macs,
            f"{kind}_activations": block.cost.written,
        }
    return row


def _growth(channels: int, size: Pair) -> Table:
    """Both blocks at several channels and one size, then at one of channels and several sizes."""
    squares = {(side, side) for side in GROWTH_SIZES}
    sizes = sorted(squares | {size}, key=lambda pair: (pair[0] * pair[1], pair))
    points = [("channels", count, size) for count in sorted({*GROWTH_CHANNELS, channels})]
    points += [("size", channels, pair) for pair in sizes]
    return Table(
        f"Growth with channels and with size, one sample ({MACS})",
        (
            Column("with", "With", rank=2),
            Column("channels", "Channels", "count"),
            Column("size", "Size", "shape"),
            Column("basic_weights", "Basic weights", "count"),
            Column("bottleneck_weights", "Bottleneck", "count"),
            Column("basic_macs", "Basic MACs", "count"),
            Column("bottleneck_macs", "Bottleneck", "count"),
            Column("basic_activations", "Basic act.", "count", 1),
            Column("bottleneck_activations", "Bottleneck", "count", 1),
        ),
        tuple(
            {"with": what, "channels": count, "size": pair, **_both(count, pair)}
            for what, count, pair in points
        ),
        group="with",
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """A shortcut whose cost is shown: its option, in words, and where it stands."""

    option: str
    words: str
    starts_stage: bool


_CASES = (
    _Case("B", "identity", False),
    _Case("C", "option C, 1x1 in every block", False),
    _Case("A", "option A, zeros", True),
    _Case("B", "option B, 1x1 with stride 2", True),
    _Case("D", "option D, average and 1x1", True),
)


def _projections(channels: int, size: Pair) -> Table:
    return Table(
        f"What a shortcut costs at {channels} channels {_at(size)} ({MACS})",
        (
            Column("block", "Block"),
            Column("shortcut", "Shortcut"),
            Column("entering", "Entering", "shape", 3),
            Column("weights", "Weights", "count"),
            Column("params", "With BN", "count", 2),
            Column("macs", "MACs", "count"),
            Column("share", "of MACs", "share"),
            Column("activations", "Activations", "count", 1),
        ),
        tuple(_projection_rows(channels, size)),
        group="block",
        notes=(
            "A, B and D: a stage's first block, which halves the size and doubles the channels.",
            "The share is of the block with its shortcut.",
        ),
    )


def _projection_rows(channels: int, size: Pair) -> Iterator[dict[str, Value]]:
    for kind in KINDS:
        for case in _CASES:
            entering, stride = (channels // 2, 2) if case.starts_stage else (channels, 1)
            block = sample(
                kind, channels, size, entering=entering, stride=stride, option=case.option
            )
            layers = shortcut(block.block) or ()
            spent = total(layers)
            yield {
                "block": kind,
                "shortcut": case.words,
                "entering": block.block.layers[0].input_shapes[0],
                "weights": _kernel_entries(layers),
                "params": spent.params,
                "macs": spent.macs,
                "share": spent.macs / block.cost.macs,
                "activations": spent.written,
            }


def _kernel_entries(layers: Sequence[Layer]) -> int:
    return sum(layer.op.weights for layer in layers if isinstance(layer.op, Conv2d))
