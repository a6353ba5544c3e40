"""The choices of a residual network, each a field described where it is declared.

To add one, declare it here and wire it: checks, TOML files, inline names, the command line's
options and the tables of the documentation loop over the declarations.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.networks.ops import ACTIVATIONS
from resnet_inspect.networks.spec_field import of_block, of_network

BLOCKS = {"basic": 2, "bottleneck": 3, "conv": 1, "repvgg": 1, "mobileone": 1, "edge": 2}
"""Kinds of block, with the convolutions on their path (He et al. 2015, Figure 5; VGG's)."""

PRELU = "prelu"
"""An activation that learns a slope for each channel."""

DEEPEST = 10_000
"""Blocks in a stage: some fifty times the deepest published, and still counted in seconds."""

MOST_DROPPED = 0.99
"""More would leave nothing to train."""

_KINDS = ("bot", "lambda", "lambda13", "halo", "halo2", "halo-4")
SELF_ATTENTION = ("none", *(kind + nth for kind in _KINDS for nth in ("", "/2", "/3", "/4")))
"""In all blocks of a stage, or in every second, third or fourth."""


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)
class Choices:
    """The fields of a residual network, and where they were published:

    block: He et al. 2015 (arXiv 1512.03385), Figure 5. widths are before a bottleneck's expansion
        by 4; strides are of each stage's first block (if empty: 1, and 2 for later stages).
    stem: deep is He et al. 2018 (arXiv 1812.01187), Figure 2b; tiered is timm's t.
    shortcut: A, B and C are He et al. 2015, section 3.3, and none their plain networks; D is He et
        al. 2018, Figure 2c. shortcut_norm applies to post-activation networks only.
    stride_in: 1x1 as published in 2015; 3x3 is v1.5. order: pre is He et al. 2016 (arXiv
        1603.05027); inner is Han et al. 2016 (arXiv 1610.02915), Figure 6d.
    unpadded: Brendel & Bethge 2019 (arXiv 1904.00760).
    bottle_ratio: widths are then those of blocks' outputs, and the channels inside the nearest
        multiple of 8, as timm has them.
    groups, group_width: a bottleneck's 3x3 has floor(width * group_width / 64) * groups channels
        in `groups` groups (ResNeXt; wide ResNets have one group of width 128).
    gamma_in_act, skipinit, extra_conv: Brock et al. 2021 (arXiv 2102.06171), section 4.1 and their
        code; skipinit is De & Smith 2020 (arXiv 2002.10444).
    self_attention: bot is Srinivas et al. 2021 (arXiv 2101.11605); lambda Bello 2021 (arXiv
        2102.08602), over 9x9 or 13x13 positions; halo Vaswani et al. 2021 (arXiv 2103.12731), with
        3 or 2 positions around blocks of 8x8, or 3 and 4 heads in place of 8.
    se_reduction: squeeze-and-excitation (arXiv 1709.01507) with channels / se_reduction hidden
        units, rounded to a multiple of 8 as timm does.
    block_drop_rate: Zagoruyko & Komodakis 2016 (arXiv 1605.07146), section 2.4. drop_path_rate:
        Huang et al. 2016 (arXiv 1603.09382), section 4. zero_gamma: Goyal et al. 2017 (arXiv
        1706.02677), section 5.1.
    """

    name: str = of_network("custom", "What to call the network.", metavar="TEXT")
    block: str = of_network(
        "basic",
        "Residual block.",
        {
            "basic": "two 3x3",
            "bottleneck": "1x1, 3x3, 1x1",
            "conv": "one 3x3, as VGG",
            "repvgg": "a 3x3, a 1x1 and the input, summed",
            "mobileone": "the same depthwise, and in turn a 1x1 and the input, summed",
        },
    )
    first_blocks: tuple[str, ...] = of_network(
        (),
        "Blocks of the first stages, where they are not bottlenecks as all others.",
        {"basic": "two 3x3", "edge": "3x3, 1x1"},
        example="basic,basic",
    )
    blocks: tuple[int, ...] = of_network(
        (2, 2, 2, 2), "Blocks in each stage.", most=DEEPEST, example="3,4,6,3"
    )
    widths: tuple[int, ...] = of_network(
        (64, 128, 256, 512), "Channels of each stage's 3x3 convolutions.", example="64,128,256,512"
    )
    strides: tuple[int, ...] = of_network(
        (), "Stride of each stage's first block.", example="1,2,2,2"
    )
    output_stride: int = of_network(
        0,
        "Stride from which on stages dilate instead of striding, as for segmentation; 0 for none.",
    )
    dilations: tuple[int, ...] = of_network(
        (), "Dilation of each stage's 3x3 convolutions.", example="1,1,2,4"
    )
    multi_grid: tuple[int, ...] = of_network(
        (), "Factors of the dilation of the last stage's blocks, in turn.", example="1,2,4"
    )
    padding: str = of_block(
        "torch",
        "Padding of what strides.",
        {
            "torch": "the same on both sides",
            "same": "TensorFlow's: what the input needs, less before",
        },
    )
    stem: str = of_network(
        "7x7",
        "Stem.",
        {
            "7x7": "stride 2",
            "3x3": "stride 1, for small images",
            "deep": "three 3x3",
            "tiered": "three 3x3, narrower first",
            "even": "three 3x3, all as wide",
            "quad": "four 3x3, each twice as wide as the last",
            "quad2": "the same, the first two linear",
            "patch": "1x1 and 3x3 without padding, as BagNet",
            "repvgg": "a RepVGG block of stride 2",
            "none": "the first stage takes the image, as VGG's does",
        },
    )
    stem_width: int = of_network(64, "Channels that leave the stem.")
    stem_pool: bool | None = of_network(
        None, "Max pooling after the stem (by default all but the 3x3 stem)."
    )
    stem_strides: tuple[int, ...] = of_network(
        (), "Stride of each convolution of the stem.", example="2,1,1"
    )
    pool: str = of_network(
        "max",
        "Pool after the stem.",
        {
            "max": "3x3 with padding",
            "ceil": "3x3 without padding, rounded up",
            "padded": "3x3 over zeros",
            "average": "2x2",
            "conv": "a 3x3 convolution in its place, as ResNet-RS",
        },
    )
    shortcut: str = of_block(
        "B",
        "Shortcut.",
        {
            "A": "zero padding",
            "B": "projection where the shape changes",
            "C": "projection everywhere",
            "D": "average pool and projection",
            "identity": "none where the shape changes, as RegNet-Z",
            "none": "a plain network",
        },
        metavar="OPTION",
    )
    shortcut_norm: bool = of_block(True, "Normalization after a projection.")
    shortcut_kernel: int = of_block(1, "Side of a projection's kernel.", most=15)
    stride_in: str = of_block(
        "3x3",
        "Convolution in which a bottleneck strides.",
        {"1x1": "2015", "3x3": "v1.5"},
        metavar="CONV",
    )
    order: str = of_block(
        "post",
        "Activation after or before the convolutions.",
        {
            "post": "2015",
            "pre": "2016",
            "ahead": "before the shortcut as well, as RegNetV",
            "inner": "inside a block alone, as iResNet and EDSR",
        },
        metavar="ORDER",
    )
    outer_norm: str = of_network(
        "head",
        "Where a pre-activation network normalizes and activates outside its blocks.",
        {"head": "before the head", "stem": "behind the stem", "none": "nowhere"},
        metavar="PLACE",
    )
    norm: str = of_block(
        "batch",
        "Normalization.",
        {
            "batch": "batch norm",
            "frozen": "batch norm that does not learn, as in detection",
            "group": "32 groups of channels",
            "none": "none",
            "evo": "EvoNorm-S0, which activates as well",
            "frn": "filter response, which has a learned threshold for an activation",
        },
        metavar="NORM",
    )
    norm_size: int = of_block(0, "Channels of a group of norms; 0 for 32 groups.")
    convolution: str = of_block(
        "plain",
        "What is done to the weights of convolutions.",
        {
            "plain": "nothing",
            "standardized": "mean 0 and variance 1 for each output, as BiT",
            "scaled": "that, with a learned gain and scaled branches, as NF-ResNets",
        },
    )
    gamma_in_act: bool = of_block(False, "Scale activations, and not weights, by their gamma.")
    skipinit: bool = of_block(False, "A learned gain of each residual, which starts at 0.")
    extra_conv: bool = of_block(False, "A second 3x3 in a bottleneck, as NFNets.")
    expansion: int | None = of_block(
        None,
        "Channels of a block's output for each of its width (by default 4 of a bottleneck).",
        most=64,
    )
    bottle_ratio: tuple[float, ...] = of_network(
        (),
        "Channels inside a bottleneck for each that leaves it, for all stages or each.",
        least=0.01,
        most=64,
        example="0.25",
    )
    bottle_of: str = of_network(
        "leaving",
        "Channels that bottle_ratio multiplies.",
        {
            "leaving": "those that leave a block",
            "entering": "those that enter it",
            "later": "the same, but for the first block, which has as many inside as enter",
        },
        metavar="CHANNELS",
    )
    reduce_first: int = of_block(1, "How many times narrower a bottleneck's first 1x1 is.")
    unpadded: tuple[int, ...] = of_network(
        (),
        "Stages whose first block has a 3x3, of no padding (1), or a 1x1 as all others (0).",
        least=0,
        most=1,
        example="1,1,1,0",
    )
    groups: int = of_block(1, "Groups of a bottleneck's 3x3, or of every other RepVGG block's.")
    group_width: int = of_block(64, "Width of each group where the stage is 64 wide.")
    group_size: tuple[int, ...] = of_network(
        (), "Channels of a group, for all stages or each.", metavar="N,..", example="16"
    )
    scales: int = of_block(1, "Parts of a 3x3, each fed by the last, as Res2Net.", most=64)
    self_attention: tuple[str, ...] = of_network(
        (),
        "Self-attention for each stage's 3x3: bot, lambda, halo; bot/2: in every second block.",
        SELF_ATTENTION,
        example="none,none,bot/2,bot",
    )
    query_width: int = of_network(
        0, "Channels of a query of self-attention; 0 for those of a value."
    )
    radix: int = of_block(1, "Splits of split attention.", most=64)
    branches: int = of_network(1, "Convolutions side by side of MobileOne's kernels.", most=64)
    antialias: str = of_block(
        "none",
        "Pool that strides in place of a convolution.",
        {
            "none": "none",
            "average": "2x2 average",
            "blur": "3x3 binomial filter",
            "wide": "3x3 average, as ResNeSt",
            "before": "the same, before the 3x3",
        },
    )
    attention: str | None = of_block(
        None,
        "Attention (by default se where se_reduction is given).",
        {
            "none": "none",
            "se": "squeeze-and-excitation",
            "eca": "a 1-D convolution over channels",
            "gc": "global context",
            "sk": "selective kernels, each on half of the channels",
            "sk-full": "the same on all channels",
            "split": "split attention, as ResNeSt",
            "cbam": "channels by two pools, then positions by a 7x7",
        },
    )
    attention_at: str = of_block(
        "last",
        "What attention gates.",
        {
            "last": "the residual",
            "inner": "what leaves the 3x3",
            "activated": "the residual after one more activation",
        },
        metavar="PLACE",
    )
    attention_blocks: tuple[int, ...] = of_network(
        (),
        "How many of each stage's last MobileOne blocks have attention, if not all.",
        least=0,
        example="0,0,10,2",
    )
    se_reduction: int = of_block(
        0, "Channels for each hidden unit of attention; 0 for no squeeze-and-excitation."
    )
    se_multiple: int | None = of_block(
        None, "Hidden units are the nearest multiple of N (by default 8; 1 of cbam)."
    )
    se_entering: bool = of_block(False, "Hidden units and activation of the block, as RegNet.")
    activation: str = of_block("relu", "Activation.", (*ACTIVATIONS, PRELU), metavar="NAME")
    linear_out: bool = of_block(False, "No activation after a block's sum, as RegNet-Z.")
    bias: tuple[str, ...] = of_network(
        (),
        "Convolutions with a bias, or 'none'.",
        ("stem", "residual", "shortcut", "head"),
        metavar="PART,..",
        example="stem,residual,shortcut",
    )
    head: str = of_network(
        "pool",
        "Head.",
        {
            "pool": "global average, linear",
            "mlp": "7x7 average, three linear, as VGG",
            "hidden": "global average, norm, a hidden layer of head_width, linear",
            "average": "global average",
            "attention": "attention over positions, linear, as CLIP",
            "embedding": "linear, normalization, as ArcFace",
            "none": "none",
        },
    )
    head_width: int = of_network(0, "Channels of a 1x1 convolution before the head; 0 for none.")
    in_channels: int = of_block(3, "Channels of the input.")
    classes: int = of_network(1000, "Classes.", alias="num_classes")
    input_size: tuple[int, int] = of_network(
        (224, 224),
        "Height and width that the network is published for.",
        metavar="H,W",
        example="224,224",
    )
    # what training alone does, and what it starts from: no count depends on these
    block_drop_rate: float = of_block(
        0.0, "Dropout between a block's two 3x3, as wide ResNets.", most=MOST_DROPPED
    )
    drop_path_rate: float = of_network(
        0.0,
        "Stochastic depth: how often training leaves out the last residual; earlier ones less.",
        most=MOST_DROPPED,
    )
    zero_gamma: bool = of_network(
        False, "Start every residual at 0, by its last norm or convolution."
    )
    drop_rate: float | None = of_network(
        None,
        "Dropout before the classifier (by default 0.5 between the three linear of VGG).",
        least=0,
        most=MOST_DROPPED,
    )
