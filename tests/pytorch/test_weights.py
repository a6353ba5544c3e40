"""State dicts from one network or library to another."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import resnet_inspect as ri

V1 = "resnet50_v1[bias=stem,residual,shortcut]"
SMALL = "resnet50[blocks=1,2,1,1,stride_in=1x1]"


def _random(model: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    state = model.state_dict()
    for value in state.values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return state


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 7])
def test_a_stem_is_adapted_as_timm_does(timm: ModuleType, channels: int) -> None:
    state = _random(ri.build("resnet18"))
    converted = ri.weights.convert(state, "resnet18", in_channels=channels)
    from timm.models import adapt_input_conv

    expected = adapt_input_conv(channels, state["conv1.weight"].clone())
    torch.testing.assert_close(converted.state["conv1.weight"], expected)
    assert list(converted.changed) == ([] if channels == 3 else ["conv1.weight"])
    assert (converted.dropped, converted.new) == ((), ())
    ri.build("resnet18", in_channels=channels).load_state_dict(converted.state)


def test_grey_images_give_what_grey_colours_give() -> None:
    state = _random(ri.build("resnet18"))
    colour, grey = ri.build("resnet18").eval(), ri.build("resnet18", in_channels=1).eval()
    colour.load_state_dict(state)
    grey.load_state_dict(ri.weights.convert(state, "resnet18", in_channels=1).state)
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(grey(image), colour(image.repeat(1, 3, 1, 1)))


def test_what_does_not_fit_starts_anew_and_is_told() -> None:
    state = _random(ri.build("resnet18"))
    converted = ri.weights.convert(state, "resnet18[stem=3x3,classes=10]")
    assert converted.dropped == ("conv1.weight", "fc.weight", "fc.bias")
    assert converted.new == converted.dropped
    assert len(converted.kept) == len(state) - 3
    told = str(converted).splitlines()
    assert told[0] == f"kept: {len(state) - 3} tensors"
    assert "new: fc.weight" in told
    ri.build("resnet18[stem=3x3,classes=10]").load_state_dict(converted.state)


@pytest.mark.parametrize("layout", ["keras", "caffe"])
@pytest.mark.parametrize("name", [V1, SMALL, "resnet101_v1"])
def test_there_and_back(layout: str, name: str) -> None:
    state = _random(ri.build(name))
    theirs = ri.weights.convert(state, name, layout).state
    back = ri.weights.convert(theirs, name)
    assert (back.dropped, back.new) == ((), ())
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        torch.testing.assert_close(back.state[key], value, rtol=1e-6, atol=1e-7)


def test_keras_calls_and_lays_them_out_so() -> None:
    state = _random(ri.build(V1))
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
    theirs = ri.weights.convert(_random(ri.build(V1)), V1, "keras").state
    biased, without = ri.build(V1).eval(), ri.build("resnet50_v1[bias=none]").eval()
    biased.load_state_dict(ri.weights.convert(theirs, V1).state)
    converted = ri.weights.convert(theirs, "resnet50_v1[bias=none]")
    assert converted.changed["bn1.running_mean"] == "less the bias of conv1"
    without.load_state_dict(converted.state)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(without(image), biased(image), rtol=1e-3, atol=1e-3)


def test_caffe_calls_them_so() -> None:
    theirs = ri.weights.convert(_random(ri.build("resnet101_v1")), "resnet101_v1", "caffe").state
    assert theirs["res4b22_branch2c/0"].shape == (1024, 256, 1, 1)
    assert theirs["res3a_branch1/0"].shape == (512, 256, 1, 1)
    assert theirs["scale5c_branch2b/1"].shape == (512,)
    of_50 = ri.weights.convert(_random(ri.build("resnet50_v1")), "resnet50_v1", "caffe").state
    assert of_50["res4f_branch2a/0"].shape == (256, 1024, 1, 1)
    scaled = {
        key: value * 2 if key.startswith("bn") and key[-1] in "012" else value
        for key, value in of_50.items()
    }
    plain, factored = (ri.weights.convert(each, "resnet50_v1").state for each in (of_50, scaled))
    assert all(torch.equal(plain[key], value) for key, value in factored.items())


def test_channels_can_be_reversed() -> None:
    state = _random(ri.build("resnet18"))
    flipped = ri.weights.convert(state, "resnet18", flip_channels=True)
    assert torch.equal(flipped.state["conv1.weight"], state["conv1.weight"].flip(1))
    assert flipped.changed == {"conv1.weight": "channels reversed"}


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
    caffe = ri.weights.convert(ri.build("resnet101_v1").state_dict(), "resnet101_v1", "caffe").state
    assert "v1" in ri.weights.recognise(caffe)["resnet101_v1"]
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
