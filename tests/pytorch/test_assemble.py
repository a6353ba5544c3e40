"""The assembled model: weights, values, containers, and what people do with modules."""

from __future__ import annotations

import copy
import io
import json
import math
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from families import one_of_each_family
from hypothesis import given, settings
from randomised import randomise
from strategies import networks
from torch import Tensor, fx, nn

import resnet_inspect as ri
from resnet_inspect.errors import SpecError
from resnet_inspect.networks import ops, zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.pytorch.assemble import Assembled, assemble, build
from resnet_inspect.pytorch.weights import convert

PUBLISHED = json.loads((Path(__file__).parents[1] / "facts" / "published.json").read_text())
TORCHVISION = [
    *PUBLISHED["torchvision"]["num_params"],
    *(name for name, entry in zoo.ZOO.items() if entry.family == "vgg"),
]
PREACT = [name for name, entry in zoo.ZOO.items() if entry.family == "preact"]
TIMM = [
    name
    for name, entry in zoo.ZOO.items()
    if entry.family in ("resnext", "tweaks", "se") and name not in TORCHVISION
]
OURS_ALONE = [
    name
    for name, entry in zoo.ZOO.items()
    if name not in {*TORCHVISION, *TIMM, *PREACT} and "timm" not in entry.source
]

TINY = ResNetSpec(
    block="bottleneck", blocks=(1, 2), widths=(8, 16), stem_width=8, se_reduction=2, classes=5
)
"""Every kind of container: stages, blocks, projections and gates."""

VARIANTS = {
    "bottleneck with gate": TINY,
    "basic, option A": ResNetSpec(
        blocks=(1, 1), widths=(8, 16), stem="3x3", stem_width=8, shortcut="A", classes=5
    ),
    "pre-activation, option D": ResNetSpec(
        blocks=(1, 2), widths=(8, 16), stem="deep", stem_width=8, shortcut="D", order="pre"
    ),
    "plain": ResNetSpec(blocks=(1, 1), widths=(8, 16), stem_width=8, shortcut="none", classes=5),
    "grouped, tiered, GELU": ResNetSpec(
        block="bottleneck",
        blocks=(1, 1),
        widths=(16, 16),
        groups=4,
        group_width=16,
        stem="tiered",
        stem_width=8,
        activation="gelu",
    ),
}

variants = pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS)


def graph_of(spec: ResNetSpec, side: int = 32) -> LayerGraph:
    return layer_graph(spec, (spec.in_channels, side, side))


def images(graph: LayerGraph, batch: int = 2) -> Tensor:
    return torch.randn(batch, *graph.input_shape, generator=torch.Generator().manual_seed(0))


def randomised(spec: ResNetSpec) -> tuple[nn.Module, Tensor]:
    """A model in eval mode whose every parameter and statistic matters, and images for it."""
    graph = graph_of(spec)
    model = build(graph).eval()
    randomise(model)
    return model, images(graph)


def reference(name: str, torchvision: ModuleType, timm: ModuleType) -> nn.Module:
    """The other library's model of this name, on meta."""
    with torch.device("meta"):
        if name in TORCHVISION:
            return torchvision.models.get_model(name, weights=None).eval()
        return timm.create_model(name, pretrained=False).eval()


def on_meta(name: str, shape: Shape | None = None) -> nn.Module:
    with torch.device("meta"):
        return assemble(layer_graph(zoo.spec(name), shape)).eval()


# --- other libraries' weights ------------------------------------------------------------------

LARGEST = 150_000_000
"""Parameters of the largest model whose outputs are compared; keys are compared of all."""


@pytest.mark.parametrize("name", one_of_each_family([*TORCHVISION, *TIMM]))
def test_state_dict_and_outputs_are_the_other_library_s(
    name: str, torchvision: ModuleType, timm: ModuleType
) -> None:
    theirs, ours = reference(name, torchvision, timm), on_meta(name)
    shapes = [(key, value.shape) for key, value in theirs.state_dict().items()]
    assert [(key, value.shape) for key, value in ours.state_dict().items()] == shapes
    if sum(parameter.numel() for parameter in ours.parameters()) > LARGEST:
        assert name in ("resnext101_32x16d", "resnext101_32x32d")
        assert ours(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 1000)
        return
    theirs.to_empty(device="cpu")
    randomise(theirs)
    ours.load_state_dict(theirs.state_dict(), assign=True)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(x)
        assert expected.isfinite().all()
        assert torch.equal(ours(x), expected)


def test_frozen_batch_norm_is_torchvision_s(torchvision: ModuleType) -> None:
    norm = torchvision.ops.FrozenBatchNorm2d
    theirs = torchvision.models.resnet50(norm_layer=norm).eval()
    for name, value in theirs.named_buffers():
        value.uniform_(0.5, 1.5) if name.endswith("running_var") else value.uniform_(-1, 1)
    spec = zoo.spec("resnet50_frozen").with_changes({"head": "pool"})
    ours = build(layer_graph(spec, (3, 64, 64))).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert not any(name.startswith("layer1.0.bn") for name, _ in ours.named_parameters())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))
    ours.load_state_dict(torchvision.models.resnet50().state_dict())  # batch norm that learned
    for part in (ours.bfloat16(), ours.float()):
        with torch.autocast("cpu", torch.bfloat16):
            half = part(x.to(part.conv1.weight.dtype))
        assert half.dtype == torch.bfloat16


@pytest.mark.parametrize("name", one_of_each_family(PREACT))
def test_timm_s_pre_activation_weights_give_its_features(name: str, timm: ModuleType) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(name, pretrained=False).eval()
    ours = on_meta(name)
    theirs.to_empty(device="cpu")
    randomise(theirs)
    converted = convert(theirs.state_dict(), zoo.spec(name))
    assert (converted.changed, converted.dropped, converted.new) == ({}, (), ())
    ours.load_state_dict(converted.state, assign=True)
    back = convert(converted.state, zoo.spec(name), "timm").state
    assert all(torch.equal(back[key], value) for key, value in theirs.state_dict().items())
    features: list[Tensor] = []
    ours.fc.register_forward_pre_hook(lambda module, args: features.append(args[0]))
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features(x), pre_logits=True).flatten(1)
        logits = ours(x)
        assert expected.isfinite().all()
        assert torch.equal(features[0], expected)
        # timm's classifier is a 1x1 convolution, which may add in another order than a product
        # of matrices, so the last bits may differ.
        torch.testing.assert_close(logits, theirs(x))


@pytest.mark.parametrize("name", one_of_each_family(OURS_ALONE))
def test_what_no_other_library_has_builds_and_runs(name: str) -> None:
    spec = zoo.spec(name)
    output = on_meta(name)(torch.empty(2, *spec.input_shape, device="meta"))
    assert output.shape == (2, *layer_graph(spec).output.output_shape)


# --- containers --------------------------------------------------------------------------------


def test_blocks_are_modules_that_say_what_they_are() -> None:
    model = build(graph_of(zoo.spec("resnet50")), device="meta")
    block = model.layer4[-1]
    assert type(block).__name__ == "Bottleneck"
    assert type(model).__name__ == "ResNet"
    assert repr(block).splitlines()[0] == "Bottleneck("
    assert str(block) == repr(block)
    assert isinstance(model.layer4, nn.Sequential)
    assert isinstance(model.layer4[0].downsample, nn.Sequential)
    assert [type(block).__name__ for block in model.layer3] == ["Bottleneck"] * 6
    assert list(dict(model.named_children())) == [
        *("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"),
        *("avgpool", "fc"),
    ]


def test_block_code_reads_as_written_by_hand() -> None:
    model = build(graph_of(zoo.spec("resnet18")), device="meta")
    lines = [line.split(";")[0].strip() for line in model.layer2[0].code.strip().splitlines()]
    assert lines == [
        "def forward(self, x):",
        "conv1 = self.conv1(x)",
        "bn1 = self.bn1(conv1)",
        "relu1 = self.relu(bn1)",
        "conv2 = self.conv2(relu1)",
        "bn2 = self.bn2(conv2)",
        "downsample = self.downsample(x)",
        "bn2 += downsample",
        "relu2 = self.relu(add)",
        "return relu2",
    ]


def test_a_gate_is_a_module_of_its_own() -> None:
    model = build(graph_of(TINY))
    assert type(model.layer1[0]).__name__ == "SEBottleneck"
    assert type(model.layer1[0].se).__name__ == "SqueezeExcitation"
    x = torch.randn(2, 32, 4, 4)
    gate = model.layer1[0].se.fc2(model.layer1[0].se.fc1(x.mean((2, 3), keepdim=True)).relu())
    # The same sums in the same order, so the same bits.
    assert torch.equal(model.layer1[0].se(x), x * gate.sigmoid())


@variants
def test_blocks_can_be_called_alone(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    graph = graph_of(spec)
    taken: list[Tensor] = []
    given: list[Tensor] = []
    block = model.get_submodule(graph.blocks[2].path)
    block.register_forward_pre_hook(lambda module, args: taken.append(args[0].clone()))
    handle = block.register_forward_hook(lambda module, args, out: given.append(out.clone()))
    with torch.no_grad():
        model(x)
        handle.remove()
        assert torch.equal(block(taken[0]), given[0])
    assert given[0].shape[1:] == graph.blocks[2].output.output_shape


@variants
def test_hooks_see_activations_and_gradients(spec: ResNetSpec) -> None:
    """What Grad-CAM does: the last block's output, and the gradient that comes back to it."""
    model, x = randomised(spec)
    activations: list[Tensor] = []
    gradients: list[Tensor] = []
    last = model.get_submodule(graph_of(spec).blocks[-2].path)
    last.register_forward_hook(lambda module, args, out: activations.append(out))
    last.register_full_backward_hook(lambda module, into, out: gradients.append(out[0]))
    model(x)[:, 0].sum().backward()
    assert activations[0].shape == gradients[0].shape
    assert gradients[0].abs().sum() > 0
    if not last.training and spec.order == "post":
        # A global average and a linear layer: each position's gradient is weight / positions.
        _, _, height, width = activations[0].shape
        expected = (model.fc.weight[0] / (height * width))[None, :, None, None]
        # One product against a product and a sum: the last bits may differ.
        torch.testing.assert_close(gradients[0], expected.expand_as(gradients[0]))


@variants
def test_a_replaced_block_is_used(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    stage = model.layer2

    class Zero(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(len(x), *graph_of(spec).stages[2].output.output_shape)

    with torch.no_grad():
        before = model(x)
        stage[-1] = Zero()
        after = model(x)
    assert not torch.equal(before, after)
    if spec.order == "post":  # nothing but the classifier's bias is left
        assert torch.equal(after, model.fc.bias.expand_as(after))


def test_layers_can_be_replaced_as_for_another_task() -> None:
    model, x = randomised(TINY)
    model.fc = nn.Linear(model.fc.in_features, 3)
    assert model(x).shape == (2, 3)
    model.fc = nn.Identity()
    assert model(x).shape == (2, 64)


# --- modes, devices, formats -------------------------------------------------------------------


@variants
def test_train_and_eval_modes(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    assert not any(part.training for part in model.modules())
    statistics = {k: v.clone() for k, v in model.named_buffers()}
    with torch.no_grad():
        assert torch.equal(model(x), model(x))
    assert all(torch.equal(v, statistics[k]) for k, v in model.named_buffers())
    model.train()
    assert all(part.training for part in model.modules())
    model(x).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(int(v) == 1 for k, v in model.named_buffers() if k.endswith("num_batches_tracked"))


@variants
def test_what_comes_in_is_left_as_it_was(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    before = x.clone()
    with torch.no_grad():
        model(x)
        taken = torch.rand(2, *graph_of(spec).blocks[1].layers[0].input_shapes[0])
        kept = taken.clone()
        model.layer1[0](taken)
    assert torch.equal(x, before)
    assert torch.equal(taken, kept)


@variants
def test_autocast(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(x)
    assert output.dtype == torch.bfloat16
    assert output.isfinite().all()


@variants
def test_channels_last(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    seen: list[bool] = []
    model.layer1.register_forward_hook(
        lambda module, args, out: seen.append(out.is_contiguous(memory_format=torch.channels_last))
    )
    with torch.no_grad():
        expected = model(x)
        model.to(memory_format=torch.channels_last)
        output = model(x.to(memory_format=torch.channels_last))
    assert seen == [False, True]
    # Kernels for this format add in another order, so the last bits may differ.
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_device_and_dtype_are_those_asked_for(dtype: torch.dtype) -> None:
    model = build(graph_of(TINY), device="meta", dtype=dtype)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    with torch.device("meta"):
        assert build(graph_of(TINY)).fc.weight.is_meta
    assert build(graph_of(TINY)).training


@pytest.mark.gpu
@variants
def test_cuda(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    model, x = model.double(), x.double()
    with torch.no_grad():
        expected = model(x)
        model.cuda()
        # The GPU adds in another order than the CPU; in float64 little is lost.
        torch.testing.assert_close(model(x.cuda()).cpu(), expected)
    on_gpu = build(graph_of(spec), device="cuda")
    assert {parameter.device.type for parameter in on_gpu.parameters()} == {"cuda"}
    on_gpu.to(memory_format=torch.channels_last)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        output = on_gpu(images(graph_of(spec)).cuda().to(memory_format=torch.channels_last))
    output.float().sum().backward()
    assert all(parameter.grad is not None for parameter in on_gpu.parameters())


# --- compiling, exporting, copying, pickling ---------------------------------------------------


@variants
def test_compile_finds_no_break(spec: ResNetSpec) -> None:
    torch._dynamo.reset()
    model, x = randomised(spec)
    with torch.no_grad():
        expected = model(x)
        assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(x), expected)


def test_compile_traces_training() -> None:
    torch._dynamo.reset()
    model, x = randomised(VARIANTS["basic, option A"])
    twin = copy.deepcopy(model).train()
    model.train()
    torch.compile(model, backend="aot_eager", fullgraph=True)(x).sum().backward()
    twin(x).sum().backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        # The traced backward may add gradients in another order.
        torch.testing.assert_close(ours.grad, theirs.grad)


@variants
def test_export(spec: ResNetSpec) -> None:
    model, x = randomised(spec)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},))
    wider = torch.cat([x, x + 1])
    with torch.no_grad():
        assert torch.equal(exported.module()(wider), model(wider))
    assert set(exported.state_dict) == set(model.state_dict())


def in_place_additions(model: nn.Module) -> int:
    return sum(
        "+=" in line
        for part in model.modules()
        if isinstance(part, fx.GraphModule)
        for line in part.code.splitlines()
    )


def _count(module: nn.Module, args: Any, out: Tensor) -> None:
    """A hook that can be pickled: it marks the module that it ran on."""
    module.calls = getattr(module, "calls", 0) + 1


def _through_torch_save(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch.save": _through_torch_save,
    "a copy of a copy": lambda model: copy.deepcopy(pickle.loads(pickle.dumps(model))),
}


@variants
@pytest.mark.parametrize("through", COPIES.values(), ids=COPIES)
def test_copies_are_the_same_model(spec: ResNetSpec, through: Any) -> None:
    model, x = randomised(spec)
    model.layer2[-1].register_forward_hook(_count)
    model.remark = "kept"
    twin = through(model)
    assert repr(twin) == repr(model)
    assert [type(part).__name__ for part in twin.modules()] == [
        type(part).__name__ for part in model.modules()
    ]
    assert in_place_additions(twin) == in_place_additions(model)
    assert (in_place_additions(model) > 0) == (spec.shortcut != "none")
    assert twin.remark == "kept"
    assert not twin.training
    with torch.no_grad():
        assert torch.equal(twin(x), model(x))
    assert twin.layer2[-1].calls >= 1


def test_a_deep_copy_shares_nothing() -> None:
    model, x = randomised(TINY)
    twin = copy.deepcopy(model)
    theirs = {parameter.data_ptr() for parameter in model.parameters()}
    assert not theirs & {parameter.data_ptr() for parameter in twin.parameters()}
    expected = model(x)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    twin.layer1[0] = nn.Identity()
    twin.layer2[0].conv1 = nn.Identity()
    twin.layer2[0].register_forward_hook(_count)
    assert torch.equal(model(x), expected)
    assert not hasattr(model.layer2[0], "calls")
    # A module that stands in several places of a larger one is copied once.
    pair = nn.ModuleList([model, model])
    copied = copy.deepcopy(pair)
    assert copied[0] is copied[1]


def test_a_copy_shares_parameters_but_not_places() -> None:
    model, x = randomised(TINY)
    expected = model(x)
    twin = copy.copy(model)
    assert twin.fc is model.fc
    twin.fc = nn.Identity()
    assert torch.equal(model(x), expected)
    assert twin(x).shape == (2, 64)


def test_a_state_dict_travels() -> None:
    model, x = randomised(TINY)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    twin = build(graph_of(TINY)).eval()
    twin.load_state_dict(torch.load(file))
    with torch.no_grad():
        assert torch.equal(twin(x), model(x))


# --- initialisation ----------------------------------------------------------------------------


def test_convolutions_start_as_he_et_al_say() -> None:
    torch.manual_seed(0)
    model = build(layer_graph(zoo.spec("resnet50_v1")))
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            height, width = part.kernel_size
            fan_out = part.out_channels * height * width
            count = part.weight.numel()
            scaled = part.weight / math.sqrt(2 / fan_out)
            # A standard normal sample: mean and variance within six standard errors.
            assert abs(scaled.mean()) < 6 / math.sqrt(count)
            assert abs(scaled.var() - 1) < 6 * math.sqrt(2 / count)
            # and not a uniform one: some values lie beyond what its variance allows
            assert scaled.abs().max() > math.sqrt(3) * 1.05
            assert part.bias is None or not part.bias.any()
        if isinstance(part, nn.BatchNorm2d):
            assert part.weight.eq(1).all()
            assert part.bias.eq(0).all()
            assert part.running_mean.eq(0).all()
            assert part.running_var.eq(1).all()
    # torch's default for the classifier: uniform within 1 / sqrt(features)
    bound = 1 / math.sqrt(2048)
    assert bound * 0.99 < model.fc.weight.abs().max() <= bound


def test_leaky_relu_has_a_gain_of_its_own() -> None:
    torch.manual_seed(0)
    spec = ResNetSpec(blocks=(1,), widths=(256,), stem_width=256, activation="leaky_relu")
    weight = build(graph_of(spec)).layer1[0].conv1.weight
    expected = 2 / (1 + 0.01**2) / (256 * 9)
    assert abs(weight.var() / expected - 1) < 6 * math.sqrt(2 / weight.numel())


@variants
def test_zero_gamma_starts_every_block_as_its_shortcut(spec: ResNetSpec) -> None:
    if spec.shortcut == "none":  # no shortcut, nothing to start as
        with pytest.raises(SpecError, match="zero_gamma is True and shortcut 'none'"):
            spec.with_changes({"zero_gamma": True})
        return
    graph = graph_of(spec.with_changes({"zero_gamma": True}))
    model = build(graph).eval()
    zeros = [name for name, value in model.named_parameters() if value.dim() and not value.any()]
    weights = [name for name in zeros if name.endswith(".weight")]
    convs = 2 if spec.block == "basic" else 3
    last = f"bn{convs}" if spec.order == "post" else f"conv{convs}"
    blocks = [block.path for stage in graph.stages[1:-1] for block in stage.blocks]
    assert weights == [f"{path}.{last}.weight" for path in blocks]
    for block in graph.blocks[1:-1]:
        part = model.get_submodule(block.path)
        x = torch.rand(2, *block.layers[0].input_shapes[0])
        if not hasattr(part, "downsample"):
            with torch.no_grad():
                # x is positive, so an activation of the ReLU kind leaves it as it is
                expected = x if spec.order == "pre" else _activation(part)(x.clone())
                assert torch.equal(part(x), expected)


def _activation(block: nn.Module) -> nn.Module:
    return block.relu if hasattr(block, "relu") else block.act


@settings(max_examples=15)
@given(networks(largest=40))
def test_random_networks_run_and_survive_pickling(network: tuple[ResNetSpec, Shape]) -> None:
    graph = layer_graph(*network)
    model = build(graph).eval()
    randomise(model)
    x = images(graph)
    twin = pickle.loads(pickle.dumps(model))
    with torch.no_grad():
        output = model(x)
        assert output.isfinite().all()
        assert torch.equal(twin(x), output)


def test_an_op_without_a_module_is_named() -> None:
    class Strange(ops.Op):
        pass

    from resnet_inspect.pytorch.assemble import module

    with pytest.raises(TypeError, match="no torch module for Strange"):
        module(Strange())


def test_assembled_modules_are_what_fx_makes() -> None:
    model = build(graph_of(TINY), device="meta")
    assert isinstance(model, Assembled)
    assert isinstance(model.layer1[0], fx.GraphModule)


def test_build_takes_a_name_and_changes() -> None:
    model = ri.build("resnet50", device="meta", blocks=(1, 1, 1, 1), classes=7)
    assert [len(stage) for stage in (model.layer1, model.layer4)] == [1, 1]
    assert model(torch.empty(2, 3, 64, 96, device="meta")).shape == (2, 7)
    twin = ri.build(TINY, zero_gamma=True, dtype=torch.float64)
    assert not twin.layer1[0].bn3.weight.any()
    assert twin.fc.weight.dtype == torch.float64
    graph = ri.graph("resnet18", input_shape=(3, 40, 50), stem_width=8)
    assert ri.build(graph, device="meta").conv1.out_channels == 8


def test_the_code_of_a_block_is_what_one_would_write() -> None:
    lines = ri.build("resnet50").layer4[-1].code.splitlines()
    assert lines[0] == "def forward(self, x):"
    assert lines[1:3] == ["    conv1 = self.conv1(x)", "    bn1 = self.bn1(conv1)"]
    assert lines[-1] == "    return relu3"
    assert not any("None" in line or line != line.rstrip() for line in lines)
