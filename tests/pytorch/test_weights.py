"""State dicts from one network or library to another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from types import ModuleType
from typing import Any

import pytest
import torch
from randomised import Undrawn, randomise
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.zoo_variants import REGNET_X, REGNET_Y
from resnet_inspect.pytorch.assemble import assemble
from resnet_inspect.pytorch.weight_names import LAYOUTS, Module

V1 = "resnet50_v1[bias=stem,residual,shortcut]"
SMALL = "resnet50[blocks=1,2,1,1,stride_in=1x1]"


def _random(name: str) -> dict[str, Tensor]:
    """The state of a network, at random."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = ri.build(name, device="meta").to_empty(device="cpu").state_dict()
    for value in state.values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.zero_()
    return state


def _undrawn(name: str, **changes: Any) -> nn.Module:
    """A network in eval mode that is to be given its state."""
    with Undrawn():
        return ri.build(name, **changes).eval()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 7])
def test_a_stem_is_adapted_as_timm_does(timm: ModuleType, channels: int) -> None:
    state = _random("resnet18")
    converted = ri.weights.convert(state, "resnet18", in_channels=channels)
    from timm.models import adapt_input_conv

    expected = adapt_input_conv(channels, state["conv1.weight"].clone())
    torch.testing.assert_close(converted.state["conv1.weight"], expected)
    assert list(converted.changed) == ([] if channels == 3 else ["conv1.weight"])
    assert (converted.dropped, converted.new) == ((), ())
    _undrawn("resnet18", in_channels=channels).load_state_dict(converted.state)


def _of_mmseg(key: str) -> str:
    """What mmseg's ResNetV1c, whose stem is one Sequential, calls a tensor of ours."""
    return "backbone." + key.replace("conv1.", "stem.", key.startswith("conv1.")).replace(
        "bn1.", "stem.7.", key.startswith("bn1.")
    )


def test_a_backbone_takes_the_tensors_of_its_detector_or_segmenter() -> None:
    state = _random("resnet50_v1c_d8")
    theirs = {_of_mmseg(key): value for key, value in state.items()}
    assert {"backbone.stem.0.weight", "backbone.stem.7.bias"} <= theirs.keys()
    converted = ri.weights.convert(theirs, "resnet50_v1c_d8")
    assert (converted.changed, converted.dropped, converted.new) == ({}, (), ())
    assert all(torch.equal(converted.state[key], value) for key, value in state.items())

    learned = _random("resnet50[head=none]")
    theirs = {f"backbone.body.{key}": value for key, value in learned.items()}
    converted = ri.weights.convert(theirs, "resnet50_frozen")
    assert (converted.changed, converted.dropped, converted.new) == ({}, (), ())
    assert {"resnet50_frozen", "resnet50_caffe_dc5"} <= set(ri.weights.recognise(converted.state))


def test_grey_images_give_what_grey_colours_give() -> None:
    state = _random("resnet18")
    colour, grey = _undrawn("resnet18"), _undrawn("resnet18", in_channels=1)
    colour.load_state_dict(state)
    grey.load_state_dict(ri.weights.convert(state, "resnet18", in_channels=1).state)
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(grey(image), colour(image.repeat(1, 3, 1, 1)))


def test_what_does_not_fit_starts_anew_and_is_told() -> None:
    state = _random("resnet18")
    converted = ri.weights.convert(state, "resnet18[stem=3x3,classes=10]")
    assert converted.dropped == ("conv1.weight", "fc.weight", "fc.bias")
    assert converted.new == converted.dropped
    assert len(converted.kept) == len(state) - 3
    told = str(converted).splitlines()
    assert told[0] == f"kept: {len(state) - 3} tensors"
    assert "new: fc.weight" in told
    _undrawn("resnet18[stem=3x3,classes=10]").load_state_dict(converted.state)


@pytest.mark.parametrize("layout", ["keras", "caffe"])
@pytest.mark.parametrize("name", [V1, SMALL, "resnet101_v1"])
def test_there_and_back(layout: str, name: str) -> None:
    state = _random(name)
    theirs = ri.weights.convert(state, name, layout).state
    back = ri.weights.convert(theirs, name)
    assert (back.dropped, back.new) == ((), ())
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        torch.testing.assert_close(back.state[key], value, rtol=1e-6, atol=1e-7)


def test_keras_calls_and_lays_them_out_so() -> None:
    state = _random(V1)
    theirs = ri.weights.convert(state, V1, "keras").state
    assert theirs["conv1_conv/kernel"].shape == (7, 7, 3, 64)
    assert theirs["conv3_block1_0_conv/kernel"].shape == (1, 1, 256, 512)
    assert theirs["conv5_block3_3_bn/gamma"].shape == (2048,)
    assert theirs["predictions/kernel"].shape == (2048, 1000)
    assert len(theirs) == 320  # what keras.applications.ResNet50 has
    in_file = {f"{key.split('/')[0]}/{key}:0": value.numpy() for key, value in theirs.items()}
    assert torch.equal(
        ri.weights.convert(in_file, V1).state["fc.weight"], theirs["predictions/kernel"].t()
    )


def test_a_bias_before_a_norm_goes_into_its_mean() -> None:
    theirs = ri.weights.convert(_random(V1), V1, "keras").state
    biased, without = _undrawn(V1), _undrawn("resnet50_v1[bias=none]")
    biased.load_state_dict(ri.weights.convert(theirs, V1).state)
    converted = ri.weights.convert(theirs, "resnet50_v1[bias=none]")
    assert converted.changed["bn1.running_mean"] == "less the bias of conv1"
    without.load_state_dict(converted.state)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(without(image), biased(image), rtol=1e-3, atol=1e-3)


def test_caffe_calls_them_so() -> None:
    theirs = ri.weights.convert(_random("resnet101_v1"), "resnet101_v1", "caffe").state
    assert theirs["res4b22_branch2c/0"].shape == (1024, 256, 1, 1)
    assert theirs["res3a_branch1/0"].shape == (512, 256, 1, 1)
    assert theirs["scale5c_branch2b/1"].shape == (512,)
    of_50 = ri.weights.convert(_random("resnet50_v1"), "resnet50_v1", "caffe").state
    assert of_50["res4f_branch2a/0"].shape == (256, 1024, 1, 1)
    scaled = {
        key: value * 2 if key.startswith("bn") and key[-1] in "012" else value
        for key, value in of_50.items()
    }
    plain, factored = (ri.weights.convert(each, "resnet50_v1").state for each in (of_50, scaled))
    assert all(torch.equal(plain[key], value) for key, value in factored.items())


def test_channels_can_be_reversed() -> None:
    state = _random("resnet18")
    flipped = ri.weights.convert(state, "resnet18", flip_channels=True)
    assert torch.equal(flipped.state["conv1.weight"], state["conv1.weight"].flip(1))
    assert flipped.changed == {"conv1.weight": "channels reversed"}


@pytest.mark.parametrize("name", ["dm_nfnet_f0", "nfnet_f0", "iresnet18", "botnet26t_256"])
def test_all_that_a_network_learns_counts(name: str) -> None:
    """Gains, slopes and distances as well, and batch norm of vectors."""
    assert set(ri.weights.recognise(ri.build(name, device="meta").state_dict())) == {name}


def test_a_file_is_no_state() -> None:
    with pytest.raises(ri.InspectError, match=r"'x.pth' is no state dict; give torch.load"):
        ri.weights.convert("x.pth", "resnet18")  # type: ignore[arg-type]


def test_networks_are_recognised_as_far_as_they_can_be() -> None:
    found = ri.weights.recognise(ri.build("resnet101", device="meta").state_dict())
    assert set(found) == {"resnet101", "resnet101_v1"}
    assert all("same shapes" in doubt for doubt in found.values())
    small = ri.build("resnet18", classes=10, in_channels=1).state_dict()
    # A blur's filter is no parameter, and timm does not save it.
    assert ri.weights.recognise(small) == {"resnet18": "", "resnetblur18": ""}
    # Group norm has a weight as batch norm does, and no statistics.
    before = ri.weights.recognise(ri.build("resnetv2_50", device="meta").state_dict())
    assert set(before) == {"resnetv2_50"}
    caffe = ri.weights.convert(_random("resnet101_v1"), "resnet101_v1", "caffe").state
    recognised = ri.weights.recognise(caffe)
    assert set(recognised) == {"resnet101", "resnet101_v1"}  # and not the shallower that fit too
    assert all("v1" in doubt for doubt in recognised.values())
    with pytest.raises(ri.InspectError, match="no network of the zoo"):
        ri.weights.recognise({"weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("state", "model", "to", "words"),
    [
        ({}, "resnet18", "torch", "no tensor of the state fits resnet18"),
        ({"conv1_conv/kernel": torch.zeros(7, 7, 3, 64)}, "resnet50", "torch", "the state has no"),
        ({"conv1_conv/kernel": torch.zeros(7, 7, 3, 64)}, "resnet50d", "torch", "has names for"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "resnet18", "jax", "unknown layout 'jax'"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "seresnet50", "caffe", "has names for"),
    ],
)
def test_what_cannot_be_converted(
    state: dict[str, Tensor], model: str, to: str, words: str
) -> None:
    with pytest.raises(ri.InspectError, match=words):
        ri.weights.convert(state, model, to)


@pytest.mark.parametrize("name", ["resnet18_cifar10", "preact_resnet50_cifar10", "senet18_cifar10"])
def test_pytorch_cifar_s_names_are_read(name: str) -> None:
    state = _random(name)
    theirs = {
        key.replace("downsample", "shortcut").replace(".se.", ".").replace("fc.", "linear."): value
        for key, value in state.items()
    }
    converted = ri.weights.convert(theirs, name)
    assert (converted.dropped, converted.new, converted.changed) == ((), (), {})
    assert all(torch.equal(converted.state[key], value) for key, value in state.items())


def _regnet(name: str, torchvision: ModuleType, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """One of torchvision's RegNets, on the meta device but for the numbers that it follows from."""
    made = torchvision.models.regnet._regnet

    def on_meta(*arguments: Any, **settings: Any) -> nn.Module:
        with torch.device("meta"):
            model: nn.Module = made(*arguments, **settings)
        return model

    with monkeypatch.context() as patched:
        patched.setattr(torchvision.models.regnet, "_regnet", on_meta)
        model: nn.Module = torchvision.models.get_model(name).eval()
    return model


REGNETS = [f"regnet_x_{size}" for size in REGNET_X] + [f"regnet_y_{size}" for size in REGNET_Y]


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}


@pytest.mark.parametrize("name", REGNETS)
def test_torchvision_s_regnets_have_other_names(
    name: str, torchvision: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = zoo.spec(name)
    theirs = _regnet(name, torchvision, monkeypatch).state_dict()
    with torch.device("meta"):
        ours = assemble(layer_graph(spec)).state_dict()
    layout = LAYOUTS["torchvision-regnet"]
    assert layout.fits(spec)
    assert layout.read is not None
    read: dict[str, Tensor] = {}
    written: dict[str, Tensor] = {}
    for path, kept in groupby(ours, key=lambda key: key.rpartition(".")[0]):
        module = Module(path, "")
        held = {key.rpartition(".")[2]: ours[key] for key in kept}
        read |= {f"{path}.{key}": value for key, value in layout.read(theirs, module, spec).items()}
        written |= layout.write(held, module, spec)
    assert _shapes(read) == _shapes(ours)
    assert _shapes(written) == _shapes(theirs)


def test_there_are_no_other_regnets(torchvision: ModuleType) -> None:
    listed = [name for name in torchvision.models.list_models() if name.startswith("regnet")]
    assert sorted(REGNETS) == listed


@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_800mf"])
def test_a_regnet_s_weights_give_torchvision_s_outputs(name: str, torchvision: ModuleType) -> None:
    with Undrawn():
        theirs = torchvision.models.get_model(name).eval()
    randomise(theirs)
    state = theirs.state_dict()
    converted = ri.weights.convert(state, name)
    assert (converted.dropped, converted.new, converted.changed) == ((), (), {})
    ours = _undrawn(name)
    ours.load_state_dict(converted.state)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(x)
        assert expected.isfinite().all()
        assert torch.equal(ours(x), expected)
    back = ri.weights.convert(converted.state, name, "torchvision-regnet").state
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], value) for key, value in state.items())
    assert ri.weights.recognise(state) == {zoo.canonical(name): ""}
