"""A field of a network is described once: one that is added shows up in checks, files and names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import resnet_inspect as ri
from resnet_inspect.errors import FormatError, SpecError, UnknownNameError
from resnet_inspect.networks import naming, zoo
from resnet_inspect.networks.spec import FIELDS, ResNetSpec, field_named
from resnet_inspect.networks.spec_field import SpecField, described, of_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider(ResNetSpec):
    """A spec with one field more."""

    drop: int = of_network(0, "Blocks to drop.", most=9, alias="dropped")


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpecField]:
    monkeypatch.setitem(FIELDS, "drop", described(Wider)["drop"])
    for module in (zoo, naming):
        monkeypatch.setattr(module, "ResNetSpec", Wider)
    zoo.spec.cache_clear()
    yield FIELDS["drop"]
    zoo.spec.cache_clear()


def test_an_added_field_is_everywhere(added: SpecField, tmp_path: Path) -> None:
    assert added.option == "--drop"
    assert Wider(drop=3).with_changes({"dropped": 4}) == Wider(drop=4)
    with pytest.raises(SpecError, match="drop has 10; allowed are 0 to 9"):
        Wider(drop=10)
    with pytest.raises(SpecError, match="drop is True; give a whole number"):
        Wider(drop=True)
    with pytest.raises(UnknownNameError, match="'dropp'; did you mean drop"):
        naming.named("resnet18[dropp=1]")

    inline = naming.named("resnet18[drop=2,stem=deep]")
    assert inline == zoo.spec("resnet18").with_changes(
        {"name": "resnet18[drop=2,stem=deep]", "drop": 2, "stem": "deep"}
    )

    path = tmp_path / "mine.toml"
    path.write_text('base = "resnet18"\ndropped = 5\n')
    assert naming.named(path) == zoo.spec("resnet18").with_changes({"name": "mine", "drop": 5})
    path.write_text('base = "resnet18"\ndropped = 50\n')
    with pytest.raises(FormatError, match="line 2: drop has 50"):
        naming.named(path)


@pytest.mark.parametrize("name", FIELDS)
def test_descriptions_are_complete(name: str) -> None:
    about = FIELDS[name]
    assert about.help.endswith(".")
    assert about.metavar or about.kind == "flag"
    assert set(about.meanings) <= set(about.choices)
    assert field_named(about.alias or name) is about
    if about.default is not None:
        default = getattr(ResNetSpec(), name)
        assert about.parse(about.show(default)) == default == about.checked(default)
    if about.plural:
        assert about.checked(about.parse(about.example)) == about.parse(about.example)


def test_false_is_none_where_none_is_a_choice() -> None:
    assert ri.spec("resnet50", head=False) == ri.spec("resnet50", head="none")
    with pytest.raises(ri.InspectError, match="head is True; give a word in quotes"):
        ri.spec("resnet50", head=True)
    with pytest.raises(ri.InspectError, match="block is False"):
        ri.spec("resnet50", block=False)


def test_a_decimal_is_any_number_within_its_bounds() -> None:
    about = SpecField("rate", "decimal", "P", "A rate.", 0.0, least=0, most=0.9)
    assert [about.parse(text) for text in ("0.25", "0", "1e-3")] == [0.25, 0.0, 0.001]
    assert [about.show(value) for value in (0.25, 0.0, 2.0)] == ["0.25", "0", "2"]
    whole = about.checked(0)  # of TOML and Python
    assert (whole, type(whole)) == (0.0, float)
    for value in (-0.1, 0.91, float("nan"), float("inf")):
        with pytest.raises(SpecError, match=r"rate has \S+; allowed are 0 to 0.9"):
            about.checked(value)
    for value in ("0.1", True, None):
        with pytest.raises(SpecError, match=r"rate is .*; give a number"):
            about.checked(value)
    with pytest.raises(SpecError, match="rate is 'half'; give a number"):
        about.parse("half")
