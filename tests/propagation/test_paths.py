"""Paths through networks: against the binomial, brute force, and Veit et al. 2016."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
from graphs import GraphBuilder
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import specs

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import Add, Conv2d, ReLU
from resnet_inspect.networks.parallel import PARALLEL
from resnet_inspect.propagation.paths import MOST, RESIDUAL, _edges, paths


@st.composite
def wired_at_random(draw: st.DrawFn) -> LayerGraph:
    """A few convolutions, activations and additions, each fed by any layers before it."""
    net = GraphBuilder("random", (2, 4, 4))
    made = [net.input]
    for number in range(draw(st.integers(1, 10))):
        source = st.sampled_from(made)
        kind = draw(st.sampled_from(["conv", "relu", "add", "add"]))
        if kind == "add":
            made.append(net.add(Add(), draw(source), draw(source), name=f"add{number}"))
        else:
            op = Conv2d(2, 2, (1, 1)) if kind == "conv" else ReLU(inplace=False)
            made.append(net.add(op, draw(source), name=f"{kind}{number}"))
    net.end_block("all", "all", "Block")
    net.end_stage("all", "all")
    return net.graph()


def walked(graph: LayerGraph) -> list[tuple[int, int]]:
    """Every path, one by one, by the residuals and the layers with weights that it passes."""
    edges, _ = _edges(graph)
    found: list[tuple[int, int]] = []

    def back(name: str, blocks: int, layers: int) -> None:
        if name in graph.inputs:
            found.append((blocks, layers))
            return
        layers += isinstance(graph.layer(name).op, Conv2d)
        for edge in edges[name]:
            back(edge.source, blocks + (edge.kind == RESIDUAL), layers)

    back(graph.output.name, 0, 0)
    return found


def trimmed(lengths: Counter[int]) -> tuple[int, ...]:
    return tuple(lengths[k] for k in range(max(lengths) + 1))


@given(wired_at_random())
@settings(deadline=None)
def test_counts_are_those_of_a_walk_along_every_path(graph: LayerGraph) -> None:
    found, every = paths(graph), walked(graph)
    assert found.by_blocks == trimmed(Counter(blocks for blocks, _ in every))
    assert found.by_layers == trimmed(Counter(layers for _, layers in every))


@given(wired_at_random())
@settings(deadline=None)
def test_edges_are_the_layers_inputs_and_each_sum_has_a_residual(graph: LayerGraph) -> None:
    edges, cuts = _edges(graph)
    for layer in graph.layers:
        assert tuple(edge.source for edge in edges[layer.name]) == layer.inputs
    for additions, kinds in cuts:
        within = [edge.kind for name in additions for edge in edges[name]]
        assert RESIDUAL in within
        assert not set(kinds) - set(within)


@given(specs())
@settings(deadline=None, max_examples=40)
def test_blocks_in_a_row_give_the_binomial(spec: ri.ResNetSpec) -> None:
    # Other blocks branch inside, as does a head, and an identity does not lead around all.
    assume(spec.attention in ("none", "se", "eca", "gc") and spec.scales == 1)
    assume(spec.block not in PARALLEL and spec.head != "attention")
    assume(spec.shortcut != "identity")
    found = paths(ri.graph(spec))
    n = 0 if spec.shortcut == "none" else sum(spec.blocks)
    assert found.by_blocks == tuple(comb(n, k) for k in range(n + 1))
    assert found.total == sum(found.by_layers) == 2**n
    assert [each.left for each in found.deletions] == [2**n // 2] * n


def test_convolutions_side_by_side_are_residuals_of_one_block() -> None:
    found = paths(ri.graph("repvgg_a0"))
    assert found.blocks == 17  # 21 blocks, of which 4 keep no input
    assert found.total == 3**17 * 2**5  # and the stem
    assert found.by_blocks == tuple(2**5 * comb(17, k) * 2**k for k in range(18))
    assert [(each.shortcut, each.left) for each in found.deletions] == [
        ("identity", found.total // 3)
    ] * 17


def test_the_shares_of_veit() -> None:
    found = paths(ri.graph("resnet110_cifar"))
    assert found.blocks == 54
    assert f"{found.through(5, 17) / found.total:.4%}" == "0.4537%"
    assert f"{found.through(19, 35) / found.total:.2%}" == "98.02%"
    assert found.narrowest() == (20, 34)


def test_projections_and_padding_are_told_apart() -> None:
    for name, projecting, padding in (
        ("resnet50", 4, 0),
        ("resnet20_cifar", 0, 2),
        ("resnet18[shortcut=C]", 8, 0),
    ):
        found = paths(ri.graph(name))
        n = found.blocks
        assert sum(found.projected) == 2**n - 2 ** (n - projecting)
        assert sum(found.padded) == 2**n - 2 ** (n - padding)
        kinds = Counter(deletion.shortcut for deletion in found.deletions)
        assert (kinds["projection"], kinds["padding"]) == (projecting, padding)


def test_the_longest_path_is_as_deep_as_the_network() -> None:
    for name, depth in (("resnet18", 18), ("resnet50", 50), ("preact_resnet18", 18)):
        counts = paths(ri.graph(name)).by_layers
        assert len(counts) - 1 == depth
        assert counts[depth] == 1


def test_a_gate_is_no_path() -> None:
    plain = paths(ri.graph("resnet50")).by_layers
    for attention in ("se", "eca", "gc"):
        assert paths(ri.graph("resnet50", attention=attention)).by_layers == plain
    for model, gates in (("resnet50", False), ("seresnet50", True), ("gcresnet50t", True)):
        notes = " ".join(ri.paths(model)["blocks"].notes)
        assert ("What makes a gate" in notes) == gates


@pytest.mark.parametrize("name", ["botnet26t_256", "halonet26t"])
def test_the_weights_of_attention_are_no_paths(name: str) -> None:
    found = paths(ri.graph(name))
    assert found.total == 2**8
    assert [deleted.left for deleted in found.deletions] == [2**7] * 8


def test_a_plain_network_is_one_path() -> None:
    sheet = ri.paths("plain20_cifar")
    assert sheet.meta["paths"] == 1
    assert "it is one path" in sheet["blocks"].notes[0]
    assert "deletions" not in sheet.tables


def test_a_traced_network_has_the_paths_of_what_it_is_built_from() -> None:
    spec = ri.ResNetSpec(name="small", blocks=(2, 1), widths=(4, 8), shortcut="A", stem_width=4)
    traced, wired = (paths(ri.graph(x, (3, 16, 16))) for x in (ri.build(spec), spec))
    assert traced.by_blocks == wired.by_blocks
    assert traced.by_layers == wired.by_layers
    assert [each.left for each in traced.deletions] == [4, 4, 4]


def test_branches_that_no_shortcut_leads_around_are_no_blocks() -> None:
    net = GraphBuilder("wide", (2, 4, 4))
    left: Layer = net.add(Conv2d(2, 2, (1, 1)), net.input, name="left")
    right = net.add(Conv2d(2, 2, (1, 1)), net.input, name="right")
    net.add(Add(), left, right, name="add")
    net.end_block("b", "b", "Block")
    net.end_stage("s", "s")
    found = paths(net.graph())
    assert (found.by_blocks, found.blocks, found.by_layers) == ((2,), 0, (0, 2))


def test_a_range_and_its_share() -> None:
    table = ri.paths("resnet110_cifar", through=(19, 35))["blocks"]
    assert table.meta["through"] == [19, 35]
    assert any(note.startswith("98.0166%") for note in table.notes)
    with pytest.raises(InspectError, match="through is 5-1; give least-most"):
        ri.paths("resnet18", through=(5, 1))


def test_counts_beyond_floats_are_exact_and_shown_in_figures() -> None:
    sheet = ri.paths("resnet1001")
    assert sheet.meta["paths"] == 2**333
    assert sum(row["paths"] for row in sheet["blocks"].records()) == 2**333  # type: ignore[misc]
    assert "1.750e+100" in str(sheet["blocks"])


def test_too_many_sums_are_refused_in_a_line() -> None:
    deep = ri.ResNetSpec(name="deep", blocks=(MOST + 1,), widths=(4,))
    with pytest.raises(InspectError, match="deep has 1,001 residual additions"):
        ri.paths(deep)
