"""The basic block against the bottleneck, with the arithmetic written out.

He et al. 2015, Figure 5, draws two blocks: two 3x3 convolutions, and 1x1 - 3x3 - 1x1 around a
quarter of the channels. At equal channels the first has 288/17 = 16.94 times the weights; the paper
pairs 64 channels with 256 instead, which cost about the same. Blocks are wired by resnet.py, as
the one block of a network of one stage, so nothing here knows what is inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from resnet_inspect.counting.costs import Cost, cost, total
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Block, Layer
from resnet_inspect.networks.ops import Conv2d
from resnet_inspect.networks.shapes import Pair, show_shape
from resnet_inspect.networks.single_block import block_graph
from resnet_inspect.networks.spec_field import LARGEST
from resnet_inspect.networks.wiring import shortcut
from resnet_inspect.tables.columns import Column, Value, against_first, columns, ratio, with_ratio
from resnet_inspect.tables.network import MACS
from resnet_inspect.tables.table import Sheet, Table
from resnet_inspect.tables.variants import options

KINDS = ("bottleneck", "basic")

GROWTH_CHANNELS = (64, 128, 256, 512, 1024, 2048)
GROWTH_SIZES = (7, 14, 28, 56, 112)

TABLES = ("blocks", "layers", "formulas", "growth", "projections", "options")
"""The tables of a comparison of blocks."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A residual block by itself. channels: of its output; cost: of all its layers, one sample."""

    kind: str
    channels: int
    block: Block
    cost: Cost

    @property
    def convs(self) -> tuple[tuple[Layer, Conv2d], ...]:
        """The convolutions on the residual path."""
        bypass = {layer.name for layer in shortcut(self.block) or ()}
        return tuple(
            (layer, layer.op)
            for layer in self.block.layers
            if isinstance(layer.op, Conv2d) and layer.name not in bypass
        )

    @property
    def weights(self) -> int:
        """Entries of its convolutions' kernels on the residual path."""
        return sum(conv.weights for _, conv in self.convs)

    @property
    def inside(self) -> int:
        """Channels of its 3x3 convolutions."""
        return max((conv for _, conv in self.convs), key=lambda conv: conv.kernel).in_channels

    @property
    def size(self) -> Pair:
        """Height and width of what leaves it."""
        return self.block.output.output_shape[1], self.block.output.output_shape[2]


def sample(kind: str, channels: int, size: Pair, *, stride: int = 1, option: str = "B") -> Sample:
    """A block of `kind` that gives `channels` at height and width `size`.

    With stride 2 its input has twice the size and half the channels. option: its shortcut
    where the shape changes (with 'C' everywhere). Raises SpecError for channels that the block
    cannot have.
    """
    sides = size[0] * stride, size[1] * stride
    (block,) = block_graph(kind, channels, sides, stride=stride, shortcut=option).blocks
    return Sample(kind, channels, block, total(block.layers))


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
    blocks = {
        "bottleneck": sample("bottleneck", channels, size),
        "basic, as many channels": sample("basic", channels, size),
        "basic, the paper's pairing": sample("basic", channels // 4, size),
    }
    rows: list[dict[str, Value]] = [
        {
            "block": name,
            "channels": block.channels,
            "inside": block.inside,
            "weights": block.weights,
            "params": block.cost.params,
            "macs": block.cost.macs,
            "flops": block.cost.flops,
            "activations": block.cost.written,
        }
        for name, block in blocks.items()
    ]
    return Table(
        f"Basic block against bottleneck {_at(size)} ({MACS})",
        (
            Column("block", "Block", "prose"),
            Column("channels", "Channels", "count", 3),
            Column("inside", "3x3 channels", "count", 4),
            *with_ratio(Column("weights", "Weights", "count")),
            Column("params", "With BN", "count", 2),
            *with_ratio(Column("macs", "MACs", "count")),
            Column("flops", "FLOPs", "count", 6),
            *with_ratio(Column("activations", "Activations", "count", 1), 2),
        ),
        against_first(rows, "weights", "macs", "activations"),
        notes=(
            "Ratios are to the bottleneck. Weights are those of the convolutions only.",
            "Activations are the elements that all layers write.",
            "The paper's pairing (He et al. 2015, Figure 5) holds cost equal rather than channels.",
        ),
    )


def _layers(channels: int, size: Pair) -> Table:
    rows: list[dict[str, Value]] = []
    for kind in KINDS:
        block = sample(kind, channels, size)
        for layer, conv in block.convs:
            macs, sides = cost(layer).macs, (conv.in_channels, conv.out_channels)
            rows.append(
                {
                    "block": kind,
                    "layer": layer.name.rpartition(".")[2],
                    "does": _purpose(conv),
                    "numbers": " × ".join(map(str, (*conv.kernel, *sides))),
                    "weights": conv.weights,
                    "macs_numbers": f"{conv.weights:,} × {size[0]} × {size[1]}",
                    "macs": macs,
                    "share": macs / block.cost.macs,
                }
            )
    return Table(
        f"What each convolution does at {channels} channels {_at(size)} ({MACS})",
        (
            Column("block", "Block"),
            Column("layer", "Layer", rank=5),
            *columns("prose", does="Does", numbers="k × k × in × out"),
            Column("weights", "Weights", "count"),
            Column("macs_numbers", "weights × H × W", "prose", 4),
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


class Quantity(NamedTuple):
    """A count of a block that grows as a power of its channels, times H x W or not."""

    name: str
    power: int
    spatial: bool
    value: Callable[[Sample], int]

    def closed(self, block: Sample) -> str:
        """The count in closed form: 17/16 C², derived from the block's own count."""
        positions = block.size[0] * block.size[1] if self.spatial else 1
        factor = Fraction(self.value(block), block.channels**self.power * positions)
        symbol = {1: "C", 2: "C²"}[self.power] + (" H W" if self.spatial else "")
        return f"{factor} {symbol}"


def _weights_in_c(block: Sample) -> str:
    """1×1×C×C/4 + 3×3×C/4×C/4 + 1×1×C/4×C"""

    def in_c(channels: int) -> str:
        part = Fraction(channels, block.channels)
        top = "C" if part.numerator == 1 else f"{part.numerator}C"
        return top if part.denominator == 1 else f"{top}/{part.denominator}"

    return " + ".join(
        "×".join((*map(str, conv.kernel), in_c(conv.in_channels), in_c(conv.out_channels)))
        for _, conv in block.convs
    )


QUANTITIES = (
    Quantity("weights", 2, False, lambda block: block.weights),
    Quantity("batch norm", 1, False, lambda block: block.cost.params - block.weights),
    Quantity("MACs", 2, True, lambda block: block.cost.macs),
    Quantity("activations", 1, True, lambda block: block.cost.written),
)


def _formulas(channels: int, size: Pair) -> Table:
    rows: list[dict[str, Value]] = []
    blocks = {kind: sample(kind, channels, size) for kind in KINDS}
    for quantity in QUANTITIES:
        base = quantity.value(blocks[KINDS[0]])
        rows.extend(
            {
                "quantity": quantity.name,
                "block": kind,
                "written": _weights_in_c(block) if quantity.name == "weights" else "",
                "closed": quantity.closed(block),
                "value": quantity.value(block),
                "ratio": ratio(quantity.value(block), base),
            }
            for kind, block in blocks.items()
        )
    return Table(
        f"Formulas, with C = {channels}, H x W = {show_shape(size)}, one sample ({MACS})",
        (
            *columns("text", quantity="Quantity", block="Block"),
            Column("written", "Formula", "prose", 1),
            Column("closed", "Closed form", "prose"),
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
            *columns("count", basic_weights="Basic weights", bottleneck_weights="Bottleneck"),
            *columns("count", basic_macs="Basic MACs", bottleneck_macs="Bottleneck"),
            *columns("count", 1, basic_activations="Basic act."),
            *columns("count", 1, bottleneck_activations="Bottleneck"),
        ),
        tuple(
            {"with": what, "channels": count, "size": pair, **_both(count, pair)}
            for what, count, pair in points
        ),
        group="with",
    )


_SHORTCUTS = (
    ("B", 1, "identity"),
    ("C", 1, "option C, 1x1 in every block"),
    ("A", 2, "option A, zeros"),
    ("B", 2, "option B, 1x1 with stride 2"),
    ("D", 2, "option D, average and 1x1"),
)
"""Shortcuts whose cost is shown: option, stride (2 starts a stage), and the same in words."""


def _projections(channels: int, size: Pair) -> Table:
    return Table(
        f"What a shortcut costs at {channels} channels {_at(size)} ({MACS})",
        (
            Column("block", "Block"),
            Column("shortcut", "Shortcut", "prose"),
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
    for kind, (option, stride, words) in product(KINDS, _SHORTCUTS):
        part = sample(kind, channels, size, stride=stride, option=option)
        layers = shortcut(part.block) or ()
        extra = total(layers)
        yield {
            "block": kind,
            "shortcut": words,
            "entering": part.block.layers[0].input_shapes[0],
            "weights": sum(layer.op.weights for layer in layers if isinstance(layer.op, Conv2d)),
            "params": extra.params,
            "macs": extra.macs,
            "share": extra.macs / part.cost.macs,
            "activations": extra.written,
        }
