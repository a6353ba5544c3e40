"""What people write for a network: names, files, and either with fields in brackets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from strategies import specs

from resnet_inspect.errors import FormatError, InspectError, SpecError, UnknownNameError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.naming import divide, named, paper_names, parse_fields, show_fields
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.spec import FIELDS, ResNetSpec

# as written, canonical, the network, and what is changed
VARIANTS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "resnet50[shortcut=C,stem=deep]",
        "resnet50[shortcut=C,stem=deep]",
        "resnet50",
        {"shortcut": "C", "stem": "deep"},
    ),
    (
        "ResNet-18[ blocks = 1,2, 3,4 , shortcut=D ]",
        "resnet18[blocks=1,2,3,4,shortcut=D]",
        "resnet18",
        {"blocks": (1, 2, 3, 4), "shortcut": "D"},
    ),
    ("resnet18[num_classes=10]", "resnet18[classes=10]", "resnet18", {"classes": 10}),
    (
        "resnet18[input_size=32,48]",
        "resnet18[input_size=32,48]",
        "resnet18",
        {"input_size": (32, 48)},
    ),
    ("resnet18[stem_pool=no]", "resnet18[stem_pool=false]", "resnet18", {"stem_pool": False}),
    ("resnet18_d2l[bias=none]", "resnet18_d2l[bias=none]", "resnet18_d2l", {"bias": ()}),
    (
        "resnet18[bias=stem,residual,classes=2]",
        "resnet18[bias=stem,residual,classes=2]",
        "resnet18",
        {"bias": ("stem", "residual"), "classes": 2},
    ),
    ("resnet18[name=tiny,classes=2]", "tiny", "resnet18", {"classes": 2}),
]


@pytest.mark.parametrize(("text", "canonical", "base", "changes"), VARIANTS)
def test_variants(text: str, canonical: str, base: str, changes: dict[str, Any]) -> None:
    assert named(text) == zoo.spec(base).with_changes({"name": canonical, **changes})
    if canonical != "tiny":
        assert named(canonical) == named(text)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        (
            "resnet51[stem=deep]",
            UnknownNameError,
            "unknown network 'resnet51'; did you mean resnet50",
        ),
        ("resnet50[shorcut=C]", UnknownNameError, "'shorcut'; did you mean shortcut"),
        ("resnet50[shortcut=E]", UnknownNameError, "unknown shortcut 'E'; choose from A, B, C, D"),
        ("resnet50[bias=stm]", UnknownNameError, "unknown bias part 'stm'; did you mean stem?"),
        ("resnet50[classes=ten]", SpecError, "classes is 'ten'; give a whole number"),
        ("resnet50[blocks=3;4]", SpecError, "blocks is '3;4'; give whole numbers and commas"),
        ("resnet50[stem_pool=maybe]", SpecError, "stem_pool is 'maybe'; give true or false"),
        ("resnet50[blocks=1,2]", SpecError, "widths has 4 entries for 2 stages"),
        ("resnet50[classes=1,num_classes=2]", SpecError, "classes is given twice"),
        ("resnet50[input_size=64]", SpecError, "give height and width"),
        ("resnet50[name=]", SpecError, "name is empty"),
        ("resnet50[C]", FormatError, "'C' is not field=value, such as shortcut=C"),
        ("resnet50[]", FormatError, "is not field=value"),
        ("resnet50[stem=deep", FormatError, "lacks the closing bracket"),
        ("resnet50[stem=deep]d", UnknownNameError, "unknown network 'resnet50[stem=deep]d'"),
        ("weights.pth[stem=deep]", FormatError, "would be unpickled"),
        ("missing.toml[stem=deep]", FormatError, "cannot read 'missing.toml'"),
    ],
)
def test_refusals(text: str, kind: type[InspectError], says: str) -> None:
    with pytest.raises(kind) as caught:
        named(text)
    assert type(caught.value) is kind
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(specs())
def test_fields_survive_as_text(spec: ResNetSpec) -> None:
    changes = {name: getattr(spec, name) for name in FIELDS}
    assert parse_fields(show_fields(changes)) == changes


def test_brackets_of_a_path_are_not_fields(tmp_path: Path) -> None:
    folder = tmp_path / "run[1]"
    folder.mkdir()
    path = folder / "net.toml"
    path.write_text('base = "resnet18[shortcut=C]"\nnum_classes = 7\n')
    assert divide(str(path)) == (str(path), None)
    assert named(path) == zoo.spec("resnet18").with_changes(
        {"name": "net", "shortcut": "C", "classes": 7}
    )
    variant = named(f"{path}[stem=deep]")
    assert variant.name == "net[stem=deep]"
    assert variant == named(path).with_changes({"name": variant.name, "stem": "deep"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('base = "resnet18"\nnum_classes = 0\n', "line 2: classes has 0"),
        ('base = "resnet18"\nclasses = 1\nnum_classes = 1\n', "line 2: classes is given twice"),
        ("name = 'n'\nblocks = [1, 1]\n", "line 2: widths has 4 entries for 2 stages"),
        ("blocks = [1, 1]\nwidths = [8]\n", "line 2: widths has 1 entries for 2 stages"),
        (
            'base = "resnet18[stem=depe]"\n',
            "line 1: base: resnet18[stem=depe]: unknown stem 'depe'",
        ),
        ('base = "other.toml"\n', "line 1: base: unknown network 'other.toml'"),
        ("shortcut = 3\n", "line 1: shortcut is 3; give a word in quotes"),
        ("shortcut_norm = 'no'\n", "line 1: shortcut_norm is 'no'; give true or false"),
    ],
)
def test_files_name_the_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        named(path)
    assert f"bad.toml, {says}" in str(caught.value)


def test_paper_names() -> None:
    names = paper_names(layer_graph(zoo.spec("resnet50")))
    stages = {"stem": "conv1", "layer1": "conv2_x", "layer4": "conv5_x"}
    blocks = {"layer1.0": "conv2_1", "layer4.2": "conv5_3"}
    layers = {"layer3.0.conv2": "conv4_1.conv2", "layer2.3.relu3": "conv3_4.relu3"}
    assert (stages | blocks | layers).items() <= names.items()
    assert not {"head", "fc"} & names.keys()
    assert set(paper_names(layer_graph(zoo.spec("resnet20"))).values()) >= {"conv1", "conv4_3"}


@pytest.mark.parametrize("name", zoo.ZOO)
def test_paper_names_tell_parts_apart(name: str) -> None:
    names = paper_names(layer_graph(zoo.spec(name)))
    assert len(set(names.values())) == len(names)
