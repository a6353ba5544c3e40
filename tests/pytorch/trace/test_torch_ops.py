"""Tracing other people's networks: whole, with torch's own counts, shapes and saved tensors."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
import torch
from saved import measured_saved
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from resnet_inspect.counting.costs import cost, operations, total
from resnet_inspect.counting.kept import saved_tensors
from resnet_inspect.counting.memory import saved_for_backward
from resnet_inspect.counting.receptive_field import receptive_fields
from resnet_inspect.counting.receptive_field import rule as field_rule
from resnet_inspect.networks import torch_ops as foreign
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import elements
from resnet_inspect.networks.torch_ops import Opaque
from resnet_inspect.pytorch.trace.trace import trace

SHAPE = (3, 64, 64)
SMALL = (3, 32, 32)

TORCHVISION = (
    *("alexnet", "vgg11", "densenet121", "squeezenet1_0", "googlenet"),
    *("mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "efficientnet_b0", "regnet_y_400mf"),
    *("convnext_tiny", "shufflenet_v2_x0_5", "swin_t"),
)
MORE_OF_TORCHVISION = ("vgg16_bn", "mobilenet_v3_large", "efficientnet_v2_s", "regnet_x_400mf")

TIMM = (
    *("resnet50", "seresnet50t", "senet154", "test_resnet", "ecaresnet26t", "ecaresnet50d_pruned"),
    *("resnetaa34d", "resnetblur18", "resnetv2_18d", "resnetv2_50d_gn", "resnetv2_50d_evos"),
    *("resnetv2_50d_frn", "resnetv2_50x1_bit"),
)
MORE_OF_TIMM = (
    *("resnet50_gn", "resnetrs50", "ecaresnet50d", "ecaresnetlight", "ecaresnext26t_32x4d"),
    *("resnetaa50d", "resnetblur50d", "seresnextaa101d_32x8d", "resnext50d_32x4d"),
    *("wide_resnet50_2", "resnetv2_50", "resnetv2_50t"),
)


def with_slow(names: Iterable[str], more: Iterable[str]) -> list[Any]:
    """Names as parameters; more: those that are made of the same layers."""
    return [*names, *(pytest.param(name, marks=pytest.mark.slow) for name in more)]


UNUSED = {"googlenet": 6_379_984}
"""Parameters of heads that an inference pass does not run."""


def torchvision_model(torchvision: ModuleType, name: str) -> nn.Module:
    settings = {"init_weights": False} if name == "googlenet" else {}
    # RegNet computes with its weights while it is made, which needs their values.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model: nn.Module = torchvision.models.get_model(name, **settings)
    return model.to("meta").eval()


def timm_model(timm: ModuleType, name: str) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = timm.create_model(name)
    return model.eval()


def check(model: nn.Module, unused: int = 0) -> LayerGraph:
    """Traced whole, every parameter held, MACs half of what torch counts, shapes as they are."""
    graph = trace(model, SHAPE)
    whole = total(graph.layers)
    assert whole.uncounted == 0
    assert whole.params == sum(tensor.numel() for tensor in model.parameters()) - unused
    given: dict[str, list[tuple[int, ...]]] = {}
    for path, part in model.named_modules():
        part.register_forward_hook(
            lambda part, args, result, path=path: given.setdefault(path, []).append(
                tuple(result.shape[1:]) if isinstance(result, Tensor) else ()
            )
        )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, *SHAPE, device="meta"))
    assert counter.get_total_flops() == 2 * whole.macs
    compared = 0
    for layer in graph.layers:
        inside = [other for other in graph.layers if f"{other.path}.".startswith(f"{layer.path}.")]
        if inside == [layer] and len(given.get(layer.path, ())) == 1:
            (shape,) = given[layer.path]
            if len(shape) == len(layer.output_shape):  # a batch folded into it is no sample's
                assert layer.output_shape == shape, layer
                compared += 1
    assert compared >= 15
    return graph


@pytest.mark.parametrize("name", with_slow(TORCHVISION, MORE_OF_TORCHVISION))
def test_torchvisions_other_networks_are_traced_whole(name: str, torchvision: ModuleType) -> None:
    check(torchvision_model(torchvision, name), UNUSED.get(name, 0))


@pytest.mark.parametrize("name", with_slow(TIMM, MORE_OF_TIMM))
def test_timms_relatives_of_resnets_are_traced_whole(name: str, timm: ModuleType) -> None:
    check(timm_model(timm, name))


# --- structure -----------------------------------------------------------------------------------

FEATURES = " ".join(f"features.{number}" for number in range(9))

STAGES = {
    "vgg16_bn": ("stage1 stage2 stage3 stage4 stage5 head", (2, 2, 3, 3, 3, 1)),
    "densenet121": ("stem features.denseblock1 stage1 stage2 stage3 head", (1, 1, 2, 2, 2, 1)),
    "mobilenet_v2": ("stage1 stage2 stage3 stage4 stage5 head", (2, 2, 3, 7, 5, 1)),
    "efficientnet_b0": (f"{FEATURES} head", (1, 1, 2, 2, 3, 3, 4, 1, 1, 1)),
    "regnet_y_400mf": (
        "stem trunk_output.block1 trunk_output.block2 trunk_output.block3 trunk_output.block4 head",
        (1, 1, 3, 6, 6, 1),
    ),
    "convnext_tiny": (f"{FEATURES} head".replace("features.8 ", ""), (1, 3, 1, 3, 1, 9, 1, 3, 1)),
    "googlenet": ("conv1 stage1 stage2 stage3 stage4 head", (1, 3, 3, 6, 3, 1)),
}


@pytest.mark.parametrize("name", STAGES)
def test_blocks_and_stages_are_those_that_people_name(name: str, torchvision: ModuleType) -> None:
    graph = trace(torchvision_model(torchvision, name), (3, 224, 224))
    names, counts = STAGES[name]
    assert [stage.name for stage in graph.stages] == names.split()
    assert tuple(len(stage.blocks) for stage in graph.stages) == counts
    assert [layer for block in graph.blocks for layer in block.layers] == list(graph.layers)
    every = [block.name for block in graph.blocks]
    assert len(set(every)) == len(every)


def test_blocks_are_called_by_their_class(torchvision: ModuleType) -> None:
    graph = trace(torchvision_model(torchvision, "mobilenet_v2"), SHAPE)
    kinds = {block.name: block.kind for block in graph.blocks}
    assert kinds["features.0"] == "Conv2dNormActivation"
    assert kinds["features.1"] == kinds["features.17"] == "InvertedResidual"
    assert kinds["head"] == "Head"


# --- memory and receptive fields -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1"]
)
@pytest.mark.parametrize("training", [True, False])
def test_what_training_keeps_is_what_torch_saves(
    name: str, training: bool, torchvision: ModuleType
) -> None:
    model = torchvision.models.get_model(name).train(training)
    graph = trace(model, SMALL)
    kept = saved_for_backward(graph, batch=2, training=training)
    # The mask of Dropout: a byte an element on GPUs, whose count ours is; four on the CPU.
    dropped = sum(
        elements(layer.output_shape) for layer in graph.layers if layer.op.kind == "Dropout"
    )
    torch.manual_seed(0)
    assert measured_saved(model, torch.randn(2, *SMALL)) == kept + 2 * 3 * dropped * training


@pytest.mark.parametrize("name", ["resnetblur18", "ecaresnet26t", "resnetv2_18d"])
def test_timms_layers_keep_what_torch_saves(name: str, timm: ModuleType) -> None:
    model = timm.create_model(name).eval()
    kept = saved_for_backward(trace(model, SMALL), 2, training=False)
    assert measured_saved(model, torch.randn(2, *SMALL)) == kept


def test_a_blur_moves_the_field_as_its_padding_and_kernel_do(timm: ModuleType) -> None:
    graph = trace(timm_model(timm, "resnetblur18"), (3, 224, 224))
    fields = receptive_fields(graph)
    pad, blur = (layer for layer in graph.layers if layer.name.startswith("maxpool.1"))
    assert (pad.op.kind, blur.op.kind) == ("Pad", "FixedConv2d")
    before, after = fields[pad.inputs[0]], fields[blur.name]
    assert before is not None
    assert after is not None
    step = before.height.stride
    assert (after.height.size, after.height.stride) == (before.height.size + 2 * step, 2 * step)
    assert after.height.start == before.height.start - step


def test_a_norm_over_all_positions_sees_all_of_them(timm: ModuleType) -> None:
    graph = trace(timm_model(timm, "resnet50_gn"), (3, 224, 224))
    field = receptive_fields(graph)["bn1"]
    assert field is not None
    assert field.stride == (0, 0)
    assert field.size == (7 + 2 * 111, 7 + 2 * 111)


# --- single layers -------------------------------------------------------------------------------

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "Conv1d": (nn.Conv1d(4, 6, 5, 2, 1, dilation=2, groups=2), (4, 31)),
    "Conv3d": (nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1), bias=False), (2, 5, 9, 7)),
    "same": (nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)), (3, 9, 8)),
    "valid": (nn.Conv2d(3, 4, 3, padding="valid"), (3, 9, 8)),
    "depthwise": (nn.Conv2d(8, 16, 3, 2, 1, groups=8), (8, 9, 9)),
    "dilated": (nn.Conv2d(3, 4, 3, dilation=3, padding=3), (3, 9, 8)),
    "reflect": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 9, 8)),
    "ConvTranspose1d": (nn.ConvTranspose1d(3, 4, 4, 2, 1), (3, 9)),
    "ConvTranspose2d": (
        nn.ConvTranspose2d(4, 6, 3, (2, 3), 1, (1, 2), groups=2, bias=False, dilation=2),
        (4, 5, 7),
    ),
    "ConvTranspose3d": (nn.ConvTranspose3d(2, 4, 2, 2), (2, 3, 4, 5)),
    "Linear": (nn.Linear(7, 5), (4, 7)),
    "BatchNorm1d": (nn.BatchNorm1d(4), (4, 9)),
    "BatchNorm2d": (nn.BatchNorm2d(4, affine=False, track_running_stats=False), (4, 9, 3)),
    "BatchNorm3d": (nn.BatchNorm3d(4), (4, 2, 3, 4)),
    "GroupNorm": (nn.GroupNorm(2, 4), (4, 5, 6)),
    "LayerNorm": (nn.LayerNorm((5, 6)), (4, 5, 6)),
    "RMSNorm": (nn.RMSNorm(6), (4, 6)),
    "InstanceNorm2d": (nn.InstanceNorm2d(4, affine=True), (4, 5, 6)),
    "PReLU": (nn.PReLU(4), (4, 5, 6)),
    **{
        kind.__name__: (kind(), (4, 5, 6))
        for kind in (
            *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
            *(nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.SELU, nn.CELU, nn.Softplus),
            *(nn.LogSigmoid, nn.Softsign, nn.Tanhshrink, nn.Hardshrink, nn.Softshrink, nn.GLU),
            *(nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Softmax2d),
        )
    },
    "Softmax": (nn.Softmax(1), (4, 5)),
    "MaxPool1d": (nn.MaxPool1d(3, 2, 1), (4, 9)),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1, dilation=2), (4, 9, 8)),
    "MaxPool3d": (nn.MaxPool3d(2, ceil_mode=True), (4, 5, 7, 9)),
    "AvgPool1d": (nn.AvgPool1d(2), (4, 9)),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1), (4, 9, 8)),
    "AvgPool3d": (nn.AvgPool3d((1, 2, 2), ceil_mode=True), (4, 3, 5, 5)),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(3), (4, 10)),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((None, 3)), (4, 5, 10)),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(2), (4, 5, 10)),
    "Flatten": (nn.Flatten(2), (4, 5, 6)),
    "ZeroPad2d": (nn.ZeroPad2d((1, 2, 3, 4)), (4, 5, 6)),
    "ReflectionPad2d": (nn.ReflectionPad2d(2), (4, 5, 6)),
    "ConstantPad1d": (nn.ConstantPad1d((1, -1), 2.0), (4, 5)),
    "Upsample": (nn.Upsample(scale_factor=2, mode="bilinear"), (4, 5, 6)),
    "nearest": (nn.Upsample((7, 9)), (4, 5, 6)),
    "PixelShuffle": (nn.PixelShuffle(2), (8, 5, 6)),
    "PixelUnshuffle": (nn.PixelUnshuffle(2), (2, 4, 6)),
    "ChannelShuffle": (nn.ChannelShuffle(2), (4, 4, 6)),
    "Embedding": (nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), (2, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_alone_is_counted_and_gives_torchs_shape(name: str) -> None:
    layer, shape = LAYERS[name]
    # Behind another layer, since a module that is the network is entered.
    model = nn.Sequential(nn.Sigmoid(), layer).eval()
    graph = trace(model, shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        result = model(torch.rand(1, *shape))
    whole = total(graph.layers)
    assert graph.output.output_shape == tuple(result.shape[1:])
    assert counter.get_total_flops() == 2 * whole.macs
    assert whole.params == sum(tensor.numel() for tensor in model.parameters())
    assert whole.buffers == sum(tensor.numel() for tensor in model.buffers())
    assert whole.uncounted == 0


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_called_as_a_function(name: str) -> None:
    """What its forward method calls is lowered to the same numbers as the module."""
    layer, shape = LAYERS[name]

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return type(layer).forward(self.layer, x)  # not a call of the module

    one = total(trace(nn.Sequential(nn.Sigmoid(), layer), shape).layers)
    two = total(trace(nn.Sequential(nn.Sigmoid(), Around()), shape).layers)
    assert (one.macs, one.flops, one.params) == (two.macs, two.flops, two.params)
    assert two.uncounted == 0


def test_weights_made_of_other_parameters_are_counted_by_those() -> None:
    norm = torch.nn.utils.parametrizations.weight_norm
    model = nn.Sequential(norm(nn.Conv2d(3, 4, 3)), norm(nn.Linear(6, 2))).eval()
    graph = trace(model, (3, 8, 8))
    whole = total(graph.layers)
    assert whole.params == sum(tensor.numel() for tensor in model.parameters())
    assert whole.macs == 3 * 4 * 9 * 36 + 4 * 6 * 6 * 2
    assert whole.uncounted == 0
    assert receptive_fields(graph)["0"] is not None


# --- every op has every rule ---------------------------------------------------------------------

KINDS = [
    value
    for value in vars(foreign).values()
    if isinstance(value, type)
    and value.__module__ == foreign.__name__
    and not value.__subclasses__()  # not just a base of others
]


def test_there_are_foreign_ops() -> None:
    assert {foreign.Conv, foreign.Concat, foreign.Opaque} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_foreign_op_has_every_rule(kind: type[Op]) -> None:
    for rule in (operations, field_rule, saved_tensors):
        assert rule.dispatch(kind) is not rule.dispatch(Op)


def test_opaque_numbers_given_are_counted() -> None:
    op = Opaque("Mine", (4, 2, 2), params=3, buffers=2, macs=50)
    known = cost(Layer("mine", "mine", op, (INPUT,), ((3, 2, 2),), (4, 2, 2)))
    assert (known.params, known.buffers, known.macs, known.uncounted) == (3, 2, 50, 0)
    assert (known.read, known.written) == (12, 16)
    op = Opaque("Mine", (4, 2, 2), params=3)
    unknown = cost(Layer("mine", "mine", op, (INPUT,), ((3, 2, 2),), (4, 2, 2)))
    assert (unknown.params, unknown.macs, unknown.uncounted) == (3, 0, 1)
