"""What other libraries call the weights of a residual network, and how they lay them out.

Each layout says for a module of ours, by its path, under which names its tensors lie and how they
are turned into ours and back:

| layout | modules | tensors |
|---|---|---|
| Keras (applications.resnet) | conv2_block1_0_conv, conv2_block1_1_bn, .., predictions | kernels \
height x width x in x out; batch norm adds 1.001e-5 to its variance, torch 1e-5 |
| Caffe (He et al. 2015) | res2a_branch1, bn2a_branch2a with scale2a_branch2a, .., fc1000 | \
blobs by number; mean and variance are multiplied by a factor |
| timm, pre-activation | stem.conv, stages.0.blocks.0.norm1, .., head.fc | \
the classifier is a 1x1 convolution |
| torchvision, RegNet | stem.0, trunk_output.block1.block1-0.f.a.0, .proj.0, .. | as ours |

timm's other families, and backbones of mmseg, mmdet and torchvision's detectors, are read by
`from_timm`; most have our names. pytorch-cifar's are, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from resnet_inspect.networks.spec import ResNetSpec

State = Mapping[str, Tensor]

KERAS_EPS, TORCH_EPS = 1.001e-5, 1e-5
"""What batch norm adds to the variance: keras.applications.resnet sets its own."""

_BLOCK = re.compile(r"layer(\d+)\.(\d+)\.(conv|bn|downsample\.)(\d)")


@dataclass(frozen=True, slots=True)
class Module:
    """A module of ours that holds tensors: its path, and what kind of layer it is."""

    path: str
    kind: str  # conv, norm or linear


@dataclass(frozen=True, slots=True)
class Layout:
    """A library's names and shapes. fits: for which specs.

    mark: what one of its keys looks like. read: a module's tensors by our names, from a state of
    theirs; both None for timm, which `from_timm` reads. write: the other way. habit: what is known
    of its releases and not seen in the weights.
    """

    name: str
    mark: re.Pattern[str] | None
    fits: Callable[[ResNetSpec], bool]
    read: Callable[[State, Module, ResNetSpec], dict[str, Tensor]] | None
    write: Callable[[State, Module, ResNetSpec], dict[str, Tensor]]
    habit: str = ""


def _plain_bottlenecks(spec: ResNetSpec) -> bool:
    """Whether a spec is laid out as the networks of 2015, which Keras and Caffe have."""
    return (
        (spec.order, spec.stem, spec.norm, spec.groups) == ("post", "7x7", "batch", 1)
        and (spec.attention, spec.antialias, spec.scales) == ("none", "none", 1)
        and (spec.reduce_first, spec.head, spec.head_width) == (1, "pool", 0)
        and spec.shortcut in ("B", "C")
        and spec.shortcut_norm
    )


def _preactivated(spec: ResNetSpec) -> bool:
    """Whether a spec is one of timm's resnetv2 with batch norm."""
    return (spec.order, spec.norm, spec.convolution) == ("pre", "batch", "plain")


# Keras


def _keras_name(path: str) -> str:
    if found := _BLOCK.fullmatch(path):
        stage, block, kind, number = found.groups()
        part = "0" if kind == "downsample." else number
        what = {"conv": "conv", "bn": "bn"}.get(kind) or ("conv", "bn")[int(number)]
        return f"conv{int(stage) + 1}_block{int(block) + 1}_{part}_{what}"
    return {"conv1": "conv1_conv", "bn1": "conv1_bn", "fc": "predictions"}[path]


_KERAS_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _read_keras(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name = _keras_name(module.path)
    if module.kind == "norm":
        tensors = {ours: state[f"{name}/{theirs}"] for ours, theirs in _KERAS_NORM.items()}
        tensors["running_var"] = tensors["running_var"] + (KERAS_EPS - TORCH_EPS)
        return tensors
    kernel = state[f"{name}/kernel"]
    weight = kernel.permute(3, 2, 0, 1) if module.kind == "conv" else kernel.t()
    bias = state.get(f"{name}/bias")
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _write_keras(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name = _keras_name(module.path)
    if module.kind == "norm":
        tensors = {f"{name}/{theirs}": state[ours] for ours, theirs in _KERAS_NORM.items()}
        tensors[f"{name}/moving_variance"] = state["running_var"] - (KERAS_EPS - TORCH_EPS)
        return tensors
    weight = state["weight"]
    kernel = weight.permute(2, 3, 1, 0) if module.kind == "conv" else weight.t()
    # Keras's convolutions all have a bias.
    bias = state["bias"] if "bias" in state else torch.zeros(len(weight), dtype=weight.dtype)
    return {f"{name}/kernel": kernel, f"{name}/bias": bias}


def flat_keras(state: State) -> dict[str, Tensor]:
    """Keras's tensors by layer/tensor, whether an .h5 file's names or a model's are given."""
    flat = {}
    for key, value in state.items():
        parts = key.removesuffix(":0").split("/")
        flat["/".join(parts[-2:])] = value
    # Releases before 2.0 of the applications call the classifier otherwise.
    return {re.sub(r"^(probs|fc1000)/", "predictions/", key): value for key, value in flat.items()}


# Caffe


def _caffe_name(path: str, spec: ResNetSpec) -> str:
    """The middle of a name: 2a_branch2b; numbers after b where a stage outgrows the letters."""
    found = _BLOCK.fullmatch(path)
    if found is None:
        return ""
    stage, block, kind, number = int(found[1]), int(found[2]), found[3], int(found[4])
    numbered = max(spec.blocks) > 6 and stage in (2, 3)
    letter = f"b{block}" if numbered and block else "abcdef"[block]
    branch = "1" if kind == "downsample." else "2" + "abc"[number - 1]
    return f"{stage + 1}{letter}_branch{branch}"


def _caffe_layers(module: Module, spec: ResNetSpec) -> tuple[str, str]:
    """The layer with a module's blobs, and for a norm the one with its scale."""
    if module.path == "fc":
        return "fc1000", ""
    middle = _caffe_name(module.path, spec)
    if module.kind == "conv":
        return (f"res{middle}" if middle else "conv1"), ""
    return (f"bn{middle}", f"scale{middle}") if middle else ("bn_conv1", "scale_conv1")


def _read_caffe(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name, scale = _caffe_layers(module, spec)
    if module.kind == "norm":
        factor = state[f"{name}/2"].flatten()[0]
        by = 1 / factor if factor else factor
        return {
            "weight": state[f"{scale}/0"].flatten(),
            "bias": state[f"{scale}/1"].flatten(),
            "running_mean": state[f"{name}/0"].flatten() * by,
            "running_var": state[f"{name}/1"].flatten() * by,
        }
    bias = state.get(f"{name}/1")
    tensors = {"weight": state[f"{name}/0"]}
    return tensors if bias is None else {**tensors, "bias": bias.flatten()}


def _write_caffe(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name, scale = _caffe_layers(module, spec)
    if module.kind == "norm":
        return {
            f"{name}/0": state["running_mean"],
            f"{name}/1": state["running_var"],
            f"{name}/2": torch.ones(1, dtype=state["running_mean"].dtype),
            f"{scale}/0": state["weight"],
            f"{scale}/1": state["bias"],
        }
    return {f"{name}/{at}": state[key] for at, key in enumerate(("weight", "bias")) if key in state}


# timm


_STAGES = (
    r"^stages\.(\d+)\.(?:blocks\.)?(\d+)\.",  # resnetv2, nf_resnet, resnet33ts, ..: from 0
    r"^s(\d+)\.b(\d+)\.",  # regnet: from 1
)

_PARTS: tuple[tuple[str, str], ...] = (
    (r"^backbone\.(?:body\.)?", ""),  # a detector's or a segmenter's
    (r"^stem\.7\.", "bn1."),  # mmseg's deep stem
    (r"^stem\.(\d)\.", r"conv1.\1."),
    (r"^layer0\.", "stem."),  # legacy_
    (r"\b(se_module|attn_last|attn(?=\.(fc[12]|conv|conv_attn|mlp_add)\.))\.", "se."),
    (r"^(last_linear|linear|head\.fc)\.", "fc."),
    (r"^(layer\d+\.\d+)\.fc", r"\1.se.fc"),  # kuangliu/pytorch-cifar, as 'linear' and 'shortcut'
    (r"^head\.(norm|pre_logits)\.", r"\1."),  # resnet50_mlp
    (r"\.norm(\d)\.", r".bn\1."),  # resnetv2
    (r"\.skipinit_gain$", ".skipinit.gain"),  # dm_nfnet
    (r"^final_conv\.(?=weight|bias|gain)", "final_conv.conv."),  # nfnet
    (r"\.(conv|bn)s\.(\d)\.", r".\g<1>2_\2."),  # res2net
    (r"\.paths\.(\d)\.", r".path\1."),  # skresnet
    (r"\.conv(\d|2b)_(?:1x1|kxk)\.", r".conv\1."),  # resnet33ts, resnet50_clip
    (r"\.downsample\.(?=weight|bias)", ".downsample.0."),  # regnetv
    (r"^(head\.pos_embed)$", r"\1.weight"),  # resnet50_clip
    (r"\.post_attn\.", ".bn2."),  # botnet26t
    (r"\.(height|width)_rel$", r".\1_rel.weight"),
    (r"\.conv_kxk\.0\.", ".conv_kxk."),  # mobileone
    (r"\.conv_kxk\.(\d)\.", r".conv_kxk_\1."),
    (r"\.conv_scale\.", ".conv_1x1."),
    (r"\.reparam_conv\.", ".conv_kxk.conv."),  # the same, folded
    (r"\.shortcut\.(?:conv\.(?=conv|bn))?", ".downsample."),
)


Rules = tuple[tuple[str, str], ...]
"""What a key has and what it has here, one after another."""


def timm_rules(spec: ResNetSpec) -> Rules:
    """How timm's keys of a network become ours."""
    return (*_PARTS, *_own_rules(spec))


def _own_rules(spec: ResNetSpec) -> Iterator[tuple[str, str]]:
    place = 1 if spec.shortcut == "D" else 0  # behind a pool
    yield r"\.downsample\.conv\.", f".downsample.{place}."
    yield r"\.downsample\.bn\.", f".downsample.{place + 1}."
    if spec.attention != "split":  # a module holds a convolution and its norm
        yield r"^(layer\d+\.\d+)\.conv(\d|2b)\.(conv|bn)\.", r"\1.\3\2."
    convolutions = len(spec.stem_strides)
    if convolutions == 1:
        yield r"^stem\.(?:conv1\.)?bn1?\.", "bn1."
        yield r"^stem\.(?:conv1?\.(?:conv\.)?|(?=weight|bias))", "conv1."
    for number in range(1, convolutions + 1):
        norm = "bn1." if number == convolutions else f"conv1.{3 * number - 2}."
        yield rf"^stem\.(?:bn{number}|conv{number}\.bn)\.", norm
        yield rf"^stem\.conv{number}\.(?:conv\.)?", f"conv1.{3 * number - 3}."


def from_timm(state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """timm's state dict of a network, keyed and shaped as ours; rules: `timm_rules` of its spec.

    timm's resnetv2 has a 1x1 convolution for a classifier; ours is linear.
    """
    renamed = {}
    for key, value in state.items():
        name = key
        for first, pattern in zip((1, 0), _STAGES, strict=True):
            if found := re.match(pattern, key):
                stage, block = int(found[1]) + first, int(found[2]) + first - 1
                name = f"layer{stage}.{block}.{key[found.end() :]}"
        for theirs, ours in rules:
            name = re.sub(theirs, ours, name)
        renamed[name] = value.flatten(1) if name == "fc.weight" else value
    return renamed


def _timm_name(path: str) -> str:
    if path in _TIMM_STEM:
        return _TIMM_STEM[path]
    found = _BLOCK.fullmatch(path)
    if found is None:
        return {"fc": "head.fc", "norm": "norm", "bn1": "stem.norm"}[path]
    stage, block, kind, number = found.groups()
    place = f"stages.{int(stage) - 1}.blocks.{block}"
    part = {"conv": f"conv{number}", "bn": f"norm{number}", "downsample.": "downsample.conv"}[kind]
    return f"{place}.{part}"


_TIMM_STEM = {
    "conv1": "stem.conv",
    "conv1.0": "stem.conv1",
    "conv1.1": "stem.norm1",
    "conv1.3": "stem.conv2",
    "conv1.4": "stem.norm2",
    "conv1.6": "stem.conv3",
}


def _write_timm(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name = _timm_name(module.path)
    tensors = {f"{name}.{key}": value for key, value in state.items()}
    if module.kind == "linear":
        tensors[f"{name}.weight"] = state["weight"][:, :, None, None]
    return tensors


# torchvision's RegNets

_STATE = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _regnet(spec: ResNetSpec) -> bool:
    """Whether a spec is laid out as torchvision's RegNets."""
    ends = (spec.order, spec.norm, spec.stem, spec.shortcut, spec.head, spec.head_width)
    gated = (spec.attention, spec.attention_at)
    return ends == ("post", "batch", "3x3", "B", "pool", 0) and (
        bool(spec.group_size) and spec.scales == 1 and (gated == ("se", "inner") or "none" in gated)
    )


def _regnet_name(path: str) -> str:
    found = re.fullmatch(r"layer(\d+)\.(\d+)\.(.+)", path)
    if found is None:
        return {"conv1": "stem.0", "bn1": "stem.1", "fc": "fc"}[path]
    stage, block, rest = found.groups()
    if part := re.fullmatch(r"(conv|bn)(\d)", rest):
        rest = f"f.{'abc'[int(part[2]) - 1]}.{('conv', 'bn').index(part[1])}"
    else:
        rest = rest.replace("downsample.", "proj.").replace("se.", "f.se.")
    return f"trunk_output.block{stage}.block{stage}-{block}.{rest}"


def _read_regnet(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    name = _regnet_name(module.path)
    held = {key: state[f"{name}.{key}"] for key in _STATE if f"{name}.{key}" in state}
    return held or {"weight": state[f"{name}.weight"]}  # which tells what is missing


def _write_regnet(state: State, module: Module, spec: ResNetSpec) -> dict[str, Tensor]:
    return {f"{_regnet_name(module.path)}.{key}": value for key, value in state.items()}


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            "keras",
            re.compile(r"conv\d_block\d+_\d_conv/kernel|conv1_conv/kernel"),
            _plain_bottlenecks,
            _read_keras,
            _write_keras,
            "keras's releases stride in the 1x1 (v1)",
        ),
        Layout(
            "caffe",
            re.compile(r"res\d[a-f]\d*_branch2a/0"),
            _plain_bottlenecks,
            _read_caffe,
            _write_caffe,
            "caffe's releases stride in the 1x1 (v1)",
        ),
        Layout("timm", None, _preactivated, None, _write_timm),
        Layout(
            "torchvision-regnet",
            re.compile(r"^trunk_output\.block1\.block1-0\."),
            _regnet,
            _read_regnet,
            _write_regnet,
        ),
    )
}
"""The layouts that differ from ours, which is torchvision's and that of timm's other networks."""
