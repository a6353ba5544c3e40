"""The choices of a residual network, each a field described where it is declared.

To add one, declare it here and wire it: checks, TOML files, inline names, the command line's
options and the tables of the documentation loop over the declarations.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.networks.ops import ACTIVATIONS
from resnet_inspect.networks.spec_field import spec_field

BLOCKS = {"basic": 2, "bottleneck": 3, "conv": 1, "repvgg": 1, "mobileone": 1, "edge": 2}
"""Kinds of block, with the convolutions on their path (He et al. 2015, Figure 5; VGG's)."""

PRELU = "prelu"
"""An activation that learns a slope for each channel."""

DEEPEST = 10_000
"""Blocks in a stage: some fifty times the deepest published, and still counted in seconds."""

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
    """

    name: str = spec_field("custom", "word", "TEXT", "What to call the network.")
    block: str = spec_field(
        "basic",
        "word",
        "KIND",
        "Residual block.",
        {
            "basic": "two 3x3",
            "bottleneck": "1x1, 3x3, 1x1",
            "conv": "one 3x3, as VGG",
            "repvgg": "a 3x3, a 1x1 and the input, summed",
            "mobileone": "the same depthwise, and in turn a 1x1 and the input, summed",
        },
    )
    first_blocks: tuple[str, ...] = spec_field(
        (),
        "words",
        "KIND,..",
        "Blocks of the first stages, where they are not bottlenecks as all others.",
        {"basic": "two 3x3", "edge": "3x3, 1x1"},
        example="basic,basic",
    )
    blocks: tuple[int, ...] = spec_field(
        (2, 2, 2, 2), "numbers", "N,N,..", "Blocks in each stage.", most=DEEPEST, example="3,4,6,3"
    )
    widths: tuple[int, ...] = spec_field(
        (64, 128, 256, 512),
        "numbers",
        "N,N,..",
        "Channels of each stage's 3x3 convolutions.",
        example="64,128,256,512",
    )
    strides: tuple[int, ...] = spec_field(
        (), "numbers", "N,N,..", "Stride of each stage's first block.", example="1,2,2,2"
    )
    output_stride: int = spec_field(
        0,
        "number",
        "N",
        "Stride from which on stages dilate instead of striding, as for segmentation; 0 for none.",
        least=0,
    )
    dilations: tuple[int, ...] = spec_field(
        (), "numbers", "N,N,..", "Dilation of each stage's 3x3 convolutions.", example="1,1,2,4"
    )
    multi_grid: tuple[int, ...] = spec_field(
        (),
        "numbers",
        "N,N,..",
        "Factors of the dilation of the last stage's blocks, in turn.",
        example="1,2,4",
    )
    padding: str = spec_field(
        "torch",
        "word",
        "KIND",
        "Padding of what strides.",
        {
            "torch": "the same on both sides",
            "same": "TensorFlow's: what the input needs, less before",
        },
        of_block=True,
    )
    stem: str = spec_field(
        "7x7",
        "word",
        "KIND",
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
    stem_width: int = spec_field(64, "number", "N", "Channels that leave the stem.")
    stem_pool: bool | None = spec_field(
        None, "flag", "", "Max pooling after the stem (by default all but the 3x3 stem)."
    )
    stem_strides: tuple[int, ...] = spec_field(
        (), "numbers", "N,N,..", "Stride of each convolution of the stem.", example="2,1,1"
    )
    pool: str = spec_field(
        "max",
        "word",
        "KIND",
        "Pool after the stem.",
        {
            "max": "3x3 with padding",
            "ceil": "3x3 without padding, rounded up",
            "padded": "3x3 over zeros",
            "average": "2x2",
            "conv": "a 3x3 convolution in its place, as ResNet-RS",
        },
    )
    shortcut: str = spec_field(
        "B",
        "word",
        "OPTION",
        "Shortcut.",
        {
            "A": "zero padding",
            "B": "projection where the shape changes",
            "C": "projection everywhere",
            "D": "average pool and projection",
            "identity": "none where the shape changes, as RegNet-Z",
            "none": "a plain network",
        },
        of_block=True,
    )
    shortcut_norm: bool = spec_field(
        True, "flag", "", "Normalization after a projection.", of_block=True
    )
    shortcut_kernel: int = spec_field(
        1, "number", "N", "Side of a projection's kernel.", most=15, of_block=True
    )
    stride_in: str = spec_field(
        "3x3",
        "word",
        "CONV",
        "Convolution in which a bottleneck strides.",
        {"1x1": "2015", "3x3": "v1.5"},
        of_block=True,
    )
    order: str = spec_field(
        "post",
        "word",
        "ORDER",
        "Activation after or before the convolutions.",
        {
            "post": "2015",
            "pre": "2016",
            "ahead": "before the shortcut as well, as RegNetV",
            "inner": "inside a block alone, as iResNet and EDSR",
        },
        of_block=True,
    )
    outer_norm: str = spec_field(
        "head",
        "word",
        "PLACE",
        "Where a pre-activation network normalizes and activates outside its blocks.",
        {"head": "before the head", "stem": "behind the stem", "none": "nowhere"},
    )
    norm: str = spec_field(
        "batch",
        "word",
        "NORM",
        "Normalization.",
        {
            "batch": "batch norm",
            "frozen": "batch norm that does not learn, as in detection",
            "group": "32 groups of channels",
            "none": "none",
            "evo": "EvoNorm-S0, which activates as well",
            "frn": "filter response, which has a learned threshold for an activation",
        },
        of_block=True,
    )
    norm_size: int = spec_field(
        0, "number", "N", "Channels of a group of norms; 0 for 32 groups.", least=0, of_block=True
    )
    convolution: str = spec_field(
        "plain",
        "word",
        "KIND",
        "What is done to the weights of convolutions.",
        {
            "plain": "nothing",
            "standardized": "mean 0 and variance 1 for each output, as BiT",
            "scaled": "that, with a learned gain and scaled branches, as NF-ResNets",
        },
        of_block=True,
    )
    gamma_in_act: bool = spec_field(
        False, "flag", "", "Scale activations, and not weights, by their gamma.", of_block=True
    )
    skipinit: bool = spec_field(
        False, "flag", "", "A learned gain of each residual, which starts at 0.", of_block=True
    )
    extra_conv: bool = spec_field(
        False, "flag", "", "A second 3x3 in a bottleneck, as NFNets.", of_block=True
    )
    expansion: int | None = spec_field(
        None,
        "number",
        "N",
        "Channels of a block's output for each of its width (by default 4 of a bottleneck).",
        most=64,
        of_block=True,
    )
    bottle_ratio: tuple[float, ...] = spec_field(
        (),
        "decimals",
        "R,..",
        "Channels inside a bottleneck for each that leaves it, for all stages or each.",
        least=0.01,
        most=64,
        example="0.25",
    )
    bottle_of: str = spec_field(
        "leaving",
        "word",
        "CHANNELS",
        "Channels that bottle_ratio multiplies.",
        {
            "leaving": "those that leave a block",
            "entering": "those that enter it",
            "later": "the same, but for the first block, which has as many inside as enter",
        },
    )
    reduce_first: int = spec_field(
        1, "number", "N", "How many times narrower a bottleneck's first 1x1 is.", of_block=True
    )
    unpadded: tuple[int, ...] = spec_field(
        (),
        "numbers",
        "N,N,..",
        "Stages whose first block has a 3x3, of no padding (1), or a 1x1 as all others (0).",
        least=0,
        most=1,
        example="1,1,1,0",
    )
    groups: int = spec_field(
        1,
        "number",
        "N",
        "Groups of a bottleneck's 3x3, or of every other RepVGG block's.",
        of_block=True,
    )
    group_width: int = spec_field(
        64, "number", "N", "Width of each group where the stage is 64 wide.", of_block=True
    )
    group_size: tuple[int, ...] = spec_field(
        (), "numbers", "N,..", "Channels of a group, for all stages or each.", example="16"
    )
    scales: int = spec_field(
        1,
        "number",
        "N",
        "Parts of a 3x3, each fed by the last, as Res2Net.",
        most=64,
        of_block=True,
    )
    self_attention: tuple[str, ...] = spec_field(
        (),
        "words",
        "KIND,..",
        "Self-attention for each stage's 3x3: bot, lambda, halo; bot/2: in every second block.",
        SELF_ATTENTION,
        example="none,none,bot/2,bot",
    )
    query_width: int = spec_field(
        0, "number", "N", "Channels of a query of self-attention; 0 for those of a value.", least=0
    )
    radix: int = spec_field(1, "number", "N", "Splits of split attention.", most=64, of_block=True)
    branches: int = spec_field(
        1, "number", "N", "Convolutions side by side of MobileOne's kernels.", most=64
    )
    antialias: str = spec_field(
        "none",
        "word",
        "KIND",
        "Pool that strides in place of a convolution.",
        {
            "none": "none",
            "average": "2x2 average",
            "blur": "3x3 binomial filter",
            "wide": "3x3 average, as ResNeSt",
            "before": "the same, before the 3x3",
        },
        of_block=True,
    )
    attention: str | None = spec_field(
        None,
        "word",
        "KIND",
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
        of_block=True,
    )
    attention_at: str = spec_field(
        "last",
        "word",
        "PLACE",
        "What attention gates.",
        {
            "last": "the residual",
            "inner": "what leaves the 3x3",
            "activated": "the residual after one more activation",
        },
        of_block=True,
    )
    attention_blocks: tuple[int, ...] = spec_field(
        (),
        "numbers",
        "N,N,..",
        "How many of each stage's last MobileOne blocks have attention, if not all.",
        least=0,
        example="0,0,10,2",
    )
    se_reduction: int = spec_field(
        0,
        "number",
        "N",
        "Channels for each hidden unit of attention; 0 for no squeeze-and-excitation.",
        least=0,
        of_block=True,
    )
    se_multiple: int | None = spec_field(
        None,
        "number",
        "N",
        "Hidden units are the nearest multiple of N (by default 8; 1 of cbam).",
        of_block=True,
    )
    se_entering: bool = spec_field(
        False, "flag", "", "Hidden units and activation of the block, as RegNet.", of_block=True
    )
    activation: str = spec_field(
        "relu", "word", "NAME", "Activation.", (*ACTIVATIONS, PRELU), of_block=True
    )
    linear_out: bool = spec_field(
        False, "flag", "", "No activation after a block's sum, as RegNet-Z.", of_block=True
    )
    bias: tuple[str, ...] = spec_field(
        (),
        "words",
        "PART,..",
        "Convolutions with a bias, or 'none'.",
        ("stem", "residual", "shortcut", "head"),
        example="stem,residual,shortcut",
    )
