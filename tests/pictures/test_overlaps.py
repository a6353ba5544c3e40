"""Nothing in a picture overlaps: boxes, words, lines and frames are read off the SVG."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from families import one_of_each_family
from hypothesis import Phase, given, settings
from overlaps import collisions, things
from traced_networks import BUILD, traced
from wirings import branching, two_of_all

from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.pictures.diagrams.diagram import block_diagram, diagram
from resnet_inspect.pictures.diagrams.style import DIRECTIONS, LEVELS


def check(*graphs: LayerGraph, **look: object) -> None:
    for level in LEVELS:
        for direction in DIRECTIONS:
            drawn = diagram(*graphs, level=level, direction=direction, **look).render("svg")
            assert collisions(drawn) == [], (level, direction)


@pytest.mark.parametrize("name", one_of_each_family())
def test_the_zoo(name: str) -> None:
    check(layer_graph(zoo.spec(name)))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "densenet" else ()) for name in BUILD],
)
def test_networks_with_branches(torchvision: ModuleType, timm: ModuleType, name: str) -> None:
    check(traced(name))


@settings(phases=[Phase.explicit, Phase.generate])  # what is found is small
@given(branching())
def test_layers_that_branch_anyhow(graph: LayerGraph) -> None:
    check(graph)


@pytest.mark.parametrize(
    "names",
    [("vgg19", "plain34", "resnet34"), ("resnet20_cifar", "resnet18"), ("seresnet50", "resnet50d")],
)
def test_networks_side_by_side(names: tuple[str, ...]) -> None:
    check(*(layer_graph(zoo.spec(name)) for name in names))


def test_several_inputs_and_outputs() -> None:
    check(two_of_all())
    check(two_of_all(), two_of_all())


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_columns(columns: int) -> None:
    check(layer_graph(zoo.spec("resnet50")), columns=columns)
    check(traced("unet"), columns=columns)


@pytest.mark.parametrize("labels", ["numbers", "paper"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("shortcut", ["A", "B", "C", "D"])
def test_blocks(shortcut: str, direction: str, labels: str) -> None:
    drawn = block_diagram(
        "basic", "bottleneck", stride=2, shortcut=shortcut, direction=direction, labels=labels
    )
    assert collisions(drawn.render("svg")) == []


def test_what_overlaps_is_found() -> None:
    """A shape that is set onto a line, and a box that is there twice."""
    drawn = diagram(layer_graph(zoo.spec("resnet18"))).render("svg").decode()
    assert {thing.kind for thing in things(drawn.encode())} == {"box", "frame", "words", "line"}
    shape = re.search(r'<text[^>]* x="([^"]*)"[^>]*>64×56×56<', drawn)
    assert shape
    moved = drawn.replace(f'x="{shape[1]}"', f'x="{float(shape[1]) + 40:.2f}"')
    assert any("line through words" in found for found in collisions(moved.encode()))
    node = re.search(r'(<g id="[^"]*" class="node block">.*?</g>\s*</g>)', drawn, re.DOTALL)
    assert node
    twice = drawn.replace(node[1], node[1] + node[1].replace("<title>", "<title>other "))
    assert any("box on box" in found for found in collisions(twice.encode()))
