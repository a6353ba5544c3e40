"""The zoo: every name that is promised, what else it is called, and what a depth means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet_inspect.errors import SpecError, UnknownNameError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import FIELDS

FACTS = json.loads((Path(__file__).parents[1] / "facts" / "published.json").read_text("utf-8"))


def test_holds_all_of_torchvision_and_no_network_twice() -> None:
    assert set(FACTS["torchvision"]["num_params"]) <= set(zoo.ZOO)
    specs = [zoo.spec(name).with_changes({"name": "same"}) for name in zoo.ZOO]
    assert len(set(specs)) == len(specs)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_line_has_family_source_and_differences(name: str) -> None:
    spec, entry = zoo.spec(name), zoo.entry(name)
    assert spec.name == name
    assert entry.family in zoo.FAMILIES
    assert entry.source.strip()
    # A line says what differs from the defaults, and its blocks.
    for field, value in entry.own.items():
        assert field == "blocks" or value != FIELDS[field].default
    features = spec.classes if spec.head not in ("average", "none") else spec.stage_channels(-1)
    assert layer_graph(spec).output.output_shape[0] == features


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ResNet-50", "resnet50"),
        (" resnet50 ", "resnet50"),
        ("ResNet 152", "resnet152"),
        ("resnet50-D", "resnet50d"),
        ("ResNet-50-B", "resnet50"),
        ("resnet50_v1.5", "resnet50"),
        ("SE-ResNet-50", "seresnet50"),
        ("se_resnext50_32x4d", "seresnext50_32x4d"),
        ("ResNeXt-50", "resnext50_32x4d"),
        ("Wide_ResNet101", "wide_resnet101_2"),
        ("preact_resnet18", "resnetv2_18"),
        ("ResNet56_CIFAR", "resnet56_cifar"),
    ],
)
def test_names_in_use(name: str, meant: str) -> None:
    assert zoo.canonical(name) == meant
    assert zoo.spec(name) == zoo.spec(meant)


def test_aliases_lead_to_the_zoo() -> None:
    assert set(zoo.ALIASES.values()) <= set(zoo.ZOO)
    assert not set(zoo.ALIASES) & set(zoo.ZOO)
    assert all(zoo.canonical(alias) == name for alias, name in zoo.ALIASES.items())
    assert zoo.canonical("ResNet-56") == "resnet56_cifar"
    assert zoo.canonical("plain110") == "plain110_cifar"
    assert zoo.canonical("resnet50") == "resnet50"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("resnet51", "resnet50"),
        ("resnet50e", "resnet50"),
        ("resnt18", "resnet18"),
        ("wide_resnet50_3", "wide_resnet50_2"),
        ("resnet21_cifar", "resnet20_cifar"),
        ("resnet2_cifar", "resnet20_cifar"),  # no block at all
        ("", "resnet-inspect models"),
        ("vgg", "vgg11"),
        ("inception", "resnet-inspect models"),
    ],
)
def test_unknown_names_answer_with_the_nearest(wrong: str, hint: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        zoo.spec(wrong)
    assert repr(wrong) in str(caught.value)
    assert hint in str(caught.value)


@given(st.integers(1, 400))
def test_cifar_networks_of_any_6n_plus_2_layers(n: int) -> None:
    depth = 6 * n + 2
    spec, plain = zoo.spec(f"resnet{depth}_cifar"), zoo.spec(f"plain{depth}_cifar")
    assert (spec.depth, spec.blocks) == (depth, (n, n, n))
    assert plain == spec.with_changes({"name": plain.name, "shortcut": "none"})
    assert zoo.by_depth(depth)[0].depth == depth


def test_depths_beyond_reason_say_so() -> None:
    with pytest.raises(SpecError, match="blocks has 100000; allowed are 1 to 10000"):
        zoo.spec("resnet600002_cifar")
    with pytest.raises(UnknownNameError):
        zoo.spec(f"resnet{6 * 10**6 + 2}_cifar")


@pytest.mark.parametrize(
    ("depth", "name", "rule"),
    [
        (18, "resnet18", "basic blocks 2,2,2,2"),
        (34, "resnet34", "basic blocks 3,4,6,3"),
        (50, "resnet50", "bottleneck blocks 3,4,6,3"),
        (101, "resnet101", "bottleneck blocks 3,4,23,3"),
        (152, "resnet152", "bottleneck blocks 3,8,36,3"),
        (200, "resnet200", "bottleneck blocks 3,24,36,3"),
        (269, "seresnet269d", "bottleneck blocks 3,30,48,8"),
        (20, "resnet20_cifar", "6n+2 with n=3"),
        (110, "resnet110_cifar", "6n+2 with n=18"),
        (1202, "resnet1202_cifar", "6n+2 with n=200"),
        (74, "resnet74_cifar", "6n+2 with n=12"),
        (164, "resnet164", "9n+2 with n=18"),
        (1001, "resnet1001", "9n+2 with n=111"),
    ],
)
def test_a_depth_names_its_network_and_rule(depth: int, name: str, rule: str) -> None:
    spec, words = zoo.by_depth(depth)
    assert (spec.name, spec.depth) == (name, depth)
    assert words.startswith(f"depth {depth} is {name}: {rule}")
    assert words.endswith(zoo.entry(name).source)


@pytest.mark.parametrize(
    ("depth", "nearest"),
    [
        (51, "44, 50, 56"),
        (35, "32, 34, 38"),
        (0, "8, 10, 14"),
        (-3, "8, 10, 14"),
        (10**9, "1190, 1196, 1202"),
    ],
)
def test_an_unknown_depth_answers_with_the_nearest(depth: int, nearest: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        zoo.by_depth(depth)
    assert str(caught.value) == (
        f"no published ResNet has depth {depth}; the nearest have {nearest} "
        "(give --blocks, such as --blocks 3,4,6,3 --block bottleneck, for a layout of your own)"
    )
    for near in map(int, nearest.split(", ")):
        assert zoo.by_depth(near)[0].depth == near
