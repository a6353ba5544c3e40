"""Signal and gradient in closed form: against the formulas, Spitzer's identity, and torch."""

from __future__ import annotations

from dataclasses import replace
from math import acos, isfinite, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from graphs import GraphBuilder
from hypothesis import given, settings
from strategies import specs

import resnet_inspect as ri
from resnet_inspect.errors import InspectError, UnknownNameError
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.torch_ops import BatchNorm, Concat, Conv, Function, Pad, View
from resnet_inspect.propagation import growth
from resnet_inspect.propagation.laws import activated, gauss, highest
from resnet_inspect.propagation.signal import (
    MeasuredLayer,
    Signal,
    Spread,
    signal,
    without_norm,
)
from resnet_inspect.pytorch.signal import measure, run_layers

RELU = ops.ReLU()

A = growth.HALVED


def chain(*layers: ops.Op, width: int = 512, residual: bool = False) -> LayerGraph:
    """1x1 layers one after another; if residual, each pair of layers with a way around."""
    net = GraphBuilder("chain", (width, 1, 1))
    at = entering = net.input
    for number, op in enumerate(layers):
        at = net.add(op, at, name=f"layer{number}")
        if residual and isinstance(op, ops.Conv2d):
            at = entering = net.add(ops.Add(), at, entering, name=f"add{number}")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    return net.graph()


def conv(width: int = 512) -> ops.Conv2d:
    return ops.Conv2d(width, width, (1, 1))


def told(graph: LayerGraph, init: str = "published") -> Signal:
    found = signal(graph, init)
    assert found.stopped is None
    return found


@pytest.mark.parametrize(("init", "exact"), [("torch", 1 / 6), ("published", 1.0)])
def test_plain_without_norm(init: str, exact: float) -> None:
    graph = chain(*[conv(), RELU] * 6)
    theory = told(graph, init).by_name
    assert growth.plain_gradient(init) == pytest.approx(exact, rel=1e-12)
    assert theory["layer1"].gradient / theory["layer11"].gradient == pytest.approx(exact**5)
    found = measure(graph, init, seeds=20, batch=16)
    grown = (found["layer1"].gradient.mean / found["layer11"].gradient.mean) ** (1 / 5)
    assert grown == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("init", ["torch", "published"])
def test_plain_with_batch_norm_grows_towards_the_input(init: str) -> None:
    layers = [conv(), ops.BatchNorm2d(512), RELU] * 6
    graph = chain(*layers)
    theory = told(graph, init).by_name
    exact = pi / (pi - 1)
    assert exact == pytest.approx(growth.NORMED_GRADIENT)
    assert theory["layer2"].gradient / theory["layer17"].gradient == pytest.approx(
        exact**5, rel=3e-3
    )
    found = measure(graph, init, seeds=3, batch=256)
    grown = (found["layer2"].gradient.mean / found["layer17"].gradient.mean) ** (1 / 5)
    assert grown == pytest.approx(exact, rel=0.02)
    assert theory["layer17"].variance == pytest.approx(growth.NORMED_VARIANCE, rel=1e-3)
    assert found["layer17"].variance.mean == pytest.approx(A / 2, rel=0.01)


def test_preactivation_blocks_with_batch_norm() -> None:
    """20 blocks of two convolutions, on white noise of variance 1."""
    width = 256
    net = GraphBuilder("pre", (width, 1, 1))
    at = net.input
    for block in range(20):
        inside = at
        for half in "ab":
            inside = net.add(ops.BatchNorm2d(width), inside, name=f"{block}bn{half}")
            inside = net.add(RELU, inside, name=f"{block}relu{half}")
            inside = net.add(conv(width), inside, name=f"{block}conv{half}")
        at = net.add(ops.Add(), inside, at, name=f"{block}add")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    graph = net.graph()
    theory, found = told(graph).by_name, measure(graph, seeds=2, batch=256)
    variance, gradient = growth.residual_variance(1, 20), growth.residual_gradient(1, 20)
    assert variance == pytest.approx(14.63, abs=0.005)
    assert gradient == pytest.approx(181, abs=0.2)
    assert theory["19add"].variance == pytest.approx(variance, rel=2e-3)
    assert found["19add"].variance.mean == pytest.approx(variance, rel=0.02)
    # The input's gradient is what its first readers hand back: the block's sum and its norm.
    back = theory["0add"].gradient * growth.residual_gradient(1, 1)
    assert back / theory["19add"].gradient == pytest.approx(gradient, rel=2e-3)
    ratio = found["0add"].gradient.mean / found["19add"].gradient.mean
    assert ratio * growth.residual_gradient(1, 1) == pytest.approx(gradient, rel=0.05)


def test_residual_blocks_without_norm_double_the_variance() -> None:
    theory = told(chain(*[RELU, conv()] * 4, residual=True)).by_name
    # Behind white noise: a ReLU halves, He's weights double again.
    for blocks in range(1, 5):
        at = theory[f"add{2 * blocks - 1}"].mean_square
        assert at == pytest.approx(growth.unnormed_variance(blocks), rel=1e-6)


def arc_cosine(r: float) -> float:
    return (sqrt(1 - r * r) + r * (pi - acos(r))) / pi


def test_gradients_of_orthogonal_inputs() -> None:
    theory = told(chain(*[conv(), RELU] * 3)).by_name
    exact, r = [], 0.0
    for _ in range(3):
        exact.append((exact or [1.0])[-1] * (1 - acos(r) / pi))
        r = arc_cosine(r)
    assert exact == pytest.approx([0.5, 0.3015, 0.2003], abs=1e-4)
    assert theory["layer0"].alike == pytest.approx(exact[2], rel=1e-3)
    residual = told(chain(*[RELU, conv()] * 2, residual=True)).by_name
    assert growth.alike_residual(2) == 0.75**2
    one = told(chain(*[conv(), RELU, conv()], residual=True)).by_name["add0"].alike
    assert one == pytest.approx(growth.alike_residual(1), rel=1e-3)
    # Theorem 2 takes the inputs of every block as orthogonal; those of the second are not quite.
    both = residual["add1"].alike * growth.alike_residual(1)
    assert both == pytest.approx(0.5816, abs=1e-3)
    assert growth.alike_residual_normed(16) == pytest.approx(0.25)


def test_gradients_alike_as_autograd_finds_them() -> None:
    graph = chain(*[conv(), RELU] * 3)
    torch.manual_seed(0)
    found = []
    for _ in range(10):
        model = ri.build(graph)
        values = run_layers(graph, model, torch.randn(2, 512, 1, 1))
        out = values["layer5"]
        out.backward(torch.randn(1, *out.shape[1:]).expand_as(out))
        left, right = values["layer0"].grad.flatten(1)
        found.append(torch.cosine_similarity(left, right, dim=0).item())
    assert sum(found) / len(found) == pytest.approx(0.2003, abs=0.03)


def test_a_rectified_random_walk_is_spitzers() -> None:
    """E[max(0, S_1 .. S_n)] = sum E[S_k^+] / k (Spitzer 1956), and the same for its square."""
    law = gauss(0.0)
    for n in range(1, 12):
        law = activated(RELU, law.plus(gauss(1.0))).law
        mean = sum(k**-0.5 for k in range(1, n + 1)) / sqrt(2 * pi)
        square = n / 2 + sum(1 / sqrt(j * k) for j in range(1, n) for k in range(1, n - j + 1)) / (
            2 * pi
        )
        assert law.mean == pytest.approx(mean, rel=1e-3)
        assert law.mean_square == pytest.approx(square, rel=1e-3)


def test_the_greatest_of_two_gaussians() -> None:
    law = highest(gauss(1.0), 2)
    assert law.mean == pytest.approx(1 / sqrt(pi), rel=0.03)
    assert law.mean_square == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_every_activation_has_moments(name: str) -> None:
    op = ops.ACTIVATIONS[name]
    found = activated(op, gauss(1.0))
    draws = torch.randn(400_000, dtype=torch.float64, requires_grad=True)
    from resnet_inspect.pytorch.assemble import module

    made = module(op.replace(inplace=False))(draws) if op.inplace else module(op)(draws)
    made.sum().backward()
    assert found.law.mean == pytest.approx(made.mean().item(), rel=0.02)
    assert found.law.mean_square == pytest.approx(made.square().mean().item(), rel=0.02)
    assert found.gate == pytest.approx(draws.grad.square().mean().item(), rel=0.02)
    assert found.kernel(1.0) == pytest.approx(1.0)


SMALL = {"stem": "3x3", "stem_width": 32, "widths": (32, 64), "blocks": (2, 2), "classes": 10}

NETWORKS = {
    "plain": {"shortcut": "none"},
    "padding": {"shortcut": "A"},
    "projection": {"block": "bottleneck", "widths": (16, 32)},
    "pre-activation": {"order": "pre", "shortcut": "D"},
    "gates": {"se_reduction": 4},
    "pre-activation with gates": {"se_reduction": 4, "order": "pre"},
    "plain with gates": {"se_reduction": 4, "shortcut": "none"},
    "gelu": {"activation": "gelu"},
    "gelu in bottlenecks": {"activation": "gelu", "block": "bottleneck", "widths": (16, 32)},
    "small maps": {"input_size": (4, 4)},
    "small maps, plain": {"input_size": (4, 4), "shortcut": "none"},
    "leaky": {"activation": "leaky_relu"},
    "nothing at the start": {"zero_gamma": True, "shortcut": "A"},
    "nothing at the start, pre-activation": {"zero_gamma": True, "order": "pre"},
    "stochastic depth": {"drop_path_rate": 0.4},
    "dropout within": {"block_drop_rate": 0.4, "order": "pre"},
    "channel attention": {"attention": "eca", "shortcut": "A"},
    "channel attention, pre-activation": {"attention": "eca", "order": "pre"},
    "selective kernels": {"attention": "sk", "se_multiple": 16},
    "split attention": {"attention": "split", "radix": 2, "block": "bottleneck"},
    "scales": {"scales": 2, "block": "bottleneck"},
    "blur": {"antialias": "blur"},
    "prelu": {"activation": "prelu", "order": "inner"},
    "no padding": {"unpadded": (1, 1), "block": "bottleneck", "stem": "patch"},
    "group norm": {"norm": "group", "norm_size": 8},
    "group norm, pre-activation": {"norm": "group", "norm_size": 8, "order": "pre"},
    "evonorm": {"norm": "evo", "norm_size": 8, "order": "pre"},
    "max pool without norm": {"order": "pre", "stem": "deep", "input_size": (32, 32)},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_norm_against_torch(name: str) -> None:
    spec = ri.ResNetSpec(name=name, **{"input_size": (16, 16), **SMALL, **NETWORKS[name]})
    graph = ri.graph(spec)
    agrees(graph, signal(graph))


@pytest.mark.parametrize("order", ["post", "pre"])
def test_networks_without_norm_against_torch(order: str) -> None:
    spec = ri.ResNetSpec(name="bare", input_size=(16, 16), **{**SMALL, "order": order})
    graph = without_norm(ri.graph(spec, blocks=(1, 1)))
    agrees(graph, signal(graph), seeds=80, batch=8)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_what_a_gate_gets(order: str) -> None:
    """The same gradient comes to all positions, as far as the signal lets it pass."""
    changes = {"se_reduction": 4, "order": order, "shortcut": "none", "input_size": (16, 16)}
    graph = ri.graph(ri.ResNetSpec(name="gated", **{**SMALL, **changes}))
    theory, found = signal(graph), measure(graph, seeds=6, batch=32)
    last = graph.blocks[-2].name
    for name in (f"{last}.se.gate", f"{last}.se.squeeze"):
        gradient = found[name].gradient
        assert theory.by_name[name].gradient == pytest.approx(
            gradient.mean, rel=0.1 + 2 * gradient.share
        )


SCALED = {"order": "pre", "norm": "none", "convolution": "scaled", "shortcut": "D"}

UNNORMALIZED = {
    "scaled": {},
    "bottlenecks": {"block": "bottleneck", "extra_conv": True, "widths": (16, 32)},
    "gates": {"se_reduction": 4},
    "gelu": {"activation": "gelu"},
    "gamma in activations": {"gamma_in_act": True},
    "channel attention": {"attention": "eca", "shortcut": "B"},
    "padding as needed": {"padding": "same"},
}


@pytest.mark.parametrize("name", UNNORMALIZED)
def test_scaled_networks_against_torch(name: str) -> None:
    spec = ri.ResNetSpec(
        name=name, **{**SMALL, **SCALED, "input_size": (16, 16), **UNNORMALIZED[name]}
    )
    agrees(ri.graph(spec), signal(ri.graph(spec)))


def test_standardized_weights_do_not_see_a_mean() -> None:
    """Of a rectified Gaussian of variance 1 the variance is 1/2 - 1/2pi."""
    scaled = ops.ScaledConv2d(512, 512, (1, 1), gamma=1.0)
    graph = chain(scaled, RELU, scaled, ops.StandardizedConv2d(512, 512, (1, 1)))
    theory = told(graph).by_name
    assert theory["layer0"].mean_square == pytest.approx(1.0)
    assert theory["layer2"].mean_square == pytest.approx(1 / 2 - 1 / (2 * pi), rel=1e-3)
    assert theory["layer3"].mean_square == pytest.approx(256 - 256 / pi, rel=1e-3)


def test_skipinit_starts_from_the_shortcuts() -> None:
    spec = ri.ResNetSpec(name="skip", **{**SMALL, **SCALED, "skipinit": True, "strides": (1, 1)})
    theory = told(ri.graph(spec, blocks=(3, 1), input_size=(16, 16))).by_name
    assert theory["layer1.0.add"].mean_square == theory["layer1.2.add"].mean_square
    assert theory["layer1.1.conv2"].gradient == 0
    assert theory["layer1.0.add"].gradient == theory["layer1.2.add"].gradient


def agrees(
    graph: LayerGraph, theory: Signal, near: float = 0.05, seeds: int = 6, batch: int = 32
) -> None:
    """So near, or within three standard errors, at every block and between first and last."""
    found = measure(graph, seeds=seeds, batch=batch)
    first, last = theory.ends
    for name in (block.output.name for block in graph.blocks[1:-1]):
        for key in ("mean_square", "gradient"):
            exact, got = getattr(theory.by_name[name], key), getattr(found[name], key)
            assert exact == pytest.approx(got.mean, abs=near * got.mean + 3 * got.error), (
                name,
                key,
            )
    ratio = theory.by_name[first].gradient / theory.by_name[last].gradient
    errors = [found[end].gradient.error / found[end].gradient.mean for end in (first, last)]
    measured = found[first].gradient.mean / found[last].gradient.mean
    assert ratio == pytest.approx(measured, rel=near + 2 * sum(errors))


def test_borders_lose_variance() -> None:
    """Of a 3x3 window over n x n, 1 - 2 / (3 n) of each axis lies inside."""
    spec = ri.ResNetSpec(name="bare", **{**SMALL, "shortcut": "none"})
    for size in (8, 64):
        graph = without_norm(ri.graph(spec, (3, size, size)))
        inside = (1 - 2 / (3 * size)) ** 2
        expected = 27 * inside * 2 / (32 * 9)
        assert told(graph).by_name["conv1"].mean_square == pytest.approx(expected, rel=1e-9)


def test_depth_tells_plain_from_residual() -> None:
    """The squared norm at the first block's output, against that at the last one's."""
    found = {
        row["model"]: row
        for row in ri.signal("plain56_cifar", "resnet56_cifar", "resnet110_cifar")["summary"].rows
        if row["ratio"] == "‖gradient‖², first/last"
    }
    assert found["plain56_cifar"]["theory"] == pytest.approx(1.2e8, rel=0.05)
    assert found["resnet56_cifar"]["theory"] == pytest.approx(403, rel=0.05)
    assert found["resnet110_cifar"]["theory"] == pytest.approx(2536, rel=0.1)
    assert found["resnet56_cifar"]["first"] == "layer1.0.relu2"


def test_a_squared_norm_counts_values() -> None:
    rows = {row["ratio"]: row for row in ri.signal("resnet20_cifar")["summary"].rows}
    mean, norm = rows["gradient², first/last"], rows["‖gradient‖², first/last"]
    values = (16 * 32 * 32) / (64 * 8 * 8)
    assert norm["theory"] == pytest.approx(values * mean["theory"])  # type: ignore[operator]


@settings(max_examples=25, deadline=None)
@given(specs())
def test_theory_of_any_network_is_finite(spec: ri.ResNetSpec) -> None:
    theory = signal(ri.graph(spec))
    told = [value for layer in theory.layers for value in layer[1:] if value is not None]
    assert all(map(isfinite, told))
    assert theory.stopped or all(layer.gradient is not None for layer in theory.layers)


def test_where_theory_stops_holding() -> None:
    graph = ri.graph(ri.ResNetSpec(name="small", **{**SMALL, "blocks": (2, 2)}), (3, 8, 8))
    theory = signal(graph)
    blocks = theory.blocks
    assert [block.name for block in blocks] == ["layer1.0", "layer1.1", "layer2.0", "layer2.1"]

    def measured(off: str, factor: float, error: float) -> Signal:
        """Theory's own values, one of them off by a factor."""
        values = {}
        for block in blocks:
            told = theory.by_name[block.output.name]
            factors = factor if block.name == off else 1.0
            spreads = (
                Spread(factors * getattr(told, key), factors * error * getattr(told, key))
                for key in MeasuredLayer._fields
            )
            values[block.output.name] = MeasuredLayer(*spreads)
        return replace(theory, measured=values)

    assert measured("layer1.1", 1.05, 0.0).parts_at("variance") is None
    assert measured("layer1.1", 1.2, 0.0).parts_at("variance") == "layer1.1"
    assert measured("layer1.1", 1.2, 0.1).parts_at("variance") is None
    assert measured("layer2.0", 0.5, 0.01).parts_at("gradient") == "layer2.0"
    # Gradients are ratios to the last block's: where that is off, all others are.
    assert measured("layer2.1", 2.0, 0.0).parts_at("gradient") == "layer2.0"
    ratio = measured("layer1.0", 3.0, 0.1).ratio("gradient", *theory.ends)
    assert ratio[1].mean == pytest.approx(3 * ratio[0])  # type: ignore[union-attr,operator]
    assert ratio[1].share == pytest.approx(0.1 * sqrt(2))  # type: ignore[union-attr]


def rearranged(*middle: str) -> LayerGraph:
    """Two 3x3 convolutions, padded by themselves, or by layers of their own; or halved between."""
    net = GraphBuilder("rearranged", (16, 8, 8))
    at, border = net.input, (0, 0) if "pad" in middle else (1, 1)
    for number in range(2):
        if "pad" in middle:
            at = net.add(Pad((1, 1, 1, 1)), at, name=f"pad{number}")
        at = net.add(ops.Conv2d(16, 16, (3, 3), padding=border), at, name=f"conv{number}")
        at = net.add(RELU, at, name=f"relu{number}")
        if "halves" in middle:
            halves = [
                net.add(
                    View("narrow", (8, 8, 8), ((0, start, 1), (1, 0, 1), (2, 0, 1))),
                    at,
                    name=f"half{number}.{start}",
                )
                for start in (0, 8)
            ]
            at = net.add(Concat(), *halves, name=f"cat{number}")
    net.add(ops.GlobalAvgPool2d(), at, name="pool")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    return net.graph()


@pytest.mark.parametrize("middle", ["pad", "halves"])
def test_what_is_moved_is_as_it_was(middle: str) -> None:
    plain, moved = told(rearranged()).by_name, told(rearranged(middle)).by_name
    for name in ("conv0", "relu0", "conv1", "relu1", "pool"):
        assert moved[name][1:] == pytest.approx(plain[name][1:], rel=1e-9)


def test_convolutions_along_one_axis() -> None:
    net = GraphBuilder("sequence", (64, 48))
    at = net.input
    for number in range(4):
        conv1d = Conv(64, 64, (3,), (1,), (1,), dilation=(1,))
        at = net.add(conv1d, at, name=f"conv{number}")
        at = net.add(BatchNorm("BatchNorm1d", 64, 128, 129), at, name=f"bn{number}")
        at = net.add(RELU, at, name=f"relu{number}")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    theory, found = told(net.graph()).by_name, measure(net.graph(), seeds=6)
    for name in ("conv3", "relu3"):
        assert theory[name].variance == pytest.approx(found[name].variance.mean, rel=0.05)
    ratio = theory["relu0"].gradient / theory["relu3"].gradient
    measured = found["relu0"].gradient.over(found["relu3"].gradient)
    assert ratio == pytest.approx(measured.mean, rel=0.05 + 2 * measured.share)


def test_shares_of_two_are_sigmoids() -> None:
    """Softmax of two logits is the sigmoid of their difference."""
    net = GraphBuilder("shares", (64, 1, 1))
    at = net.add(ops.Conv2d(64, 64, (1, 1)), net.input, name="logits")
    at = net.add(View("reshape", (2, 32, 1, 1)), at, name="rows")
    at = net.add(Function("Softmax", over=(0,)), at, name="shares")
    net.add(View("reshape", (64, 1, 1)), at, name="gates")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    theory, found = told(net.graph(), "torch").by_name, measure(net.graph(), "torch", seeds=20)
    assert theory["shares"].mean_square == pytest.approx(found["shares"].mean_square.mean, rel=0.01)
    assert theory["logits"].gradient == pytest.approx(found["logits"].gradient.mean, rel=0.05)
    assert signal(chain(conv(), Function("LogSoftmax", over=(0,)))).stopped == "layer1"


def test_theory_stops_where_it_has_no_rule() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.LocalResponseNorm(2), torch.nn.ReLU()
    )
    found = signal(ri.trace(model, (3, 8, 8)))
    assert found.stopped == "1"
    assert found.layers[1].variance is None
    assert found.layers[0].variance is not None


@pytest.mark.parametrize(
    ("model", "size", "layer", "says"),
    [
        ("resnet18d", 64, "layer2.0.downsample.0", "averages neighbours"),
        ("legacy_seresnet18", 64, "layer1.0.add", "adds two rectified terms"),
        ("resnet18", 32, "layer4.0.conv1", "leaves one position"),
        ("repvgg_a0", 64, "layer1.1.identity", "normalizes"),
        ("resnetv2_18", 64, None, None),
        ("resnet18", 64, None, None),
    ],
)
def test_where_theory_is_known_to_be_off(
    model: str, size: int, layer: str | None, says: str | None
) -> None:
    sheet = ri.signal(model, input_shape=(3, size, size))
    told = [note for note in sheet["summary"].notes if "theory is off" in note]
    expected = [note for note in told if layer and f"at {layer}, which {says}" in note]
    assert told == expected
    assert bool(told) == bool(layer)


def test_max_pools_without_norm_have_no_rule() -> None:
    """Their inputs have a mean in common that differs between channels."""
    found = ri.signal("vgg11", input_shape=(3, 32, 32), measure=True, seeds=1, batch=2)["summary"]
    assert any("vgg11: theory stops at features.5" in note for note in found.notes)
    assert all(row["theory"] is None and row.get("holds") is None for row in found.rows)


def test_measured_beside_theory_in_a_table_and_a_picture(tmp_path) -> None:  # type: ignore[no-untyped-def]
    picture = tmp_path / "signal.svg"
    sheet = ri.signal(
        ri.ResNetSpec(name="tiny", **SMALL),
        input_shape=(3, 8, 8),
        measure=True,
        seeds=2,
        batch=4,
        plot=picture,
    )
    rows = sheet["layers"].records()
    assert all(row["gradient_measured"] > 0 for row in rows)  # type: ignore[operator]
    assert "gradient_measured" in sheet["layers"].shown
    assert {"measured", "error", "holds"} <= set(sheet["summary"].shown)
    assert all(row["measured"] for row in sheet["summary"].rows)
    assert "tiny, measured" in picture.read_text()


TINY = ri.ResNetSpec(name="tiny", **{**SMALL, "input_size": (8, 8)})


def test_given_inputs_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ri.graph(TINY)
    found = measure(graph, seeds=1, inputs=torch.zeros(2, 3, 8, 8))
    assert found["conv1"].mean_square.mean == 0
    images = np.random.default_rng(0).integers(0, 255, (6, 3, 8, 8)).astype(np.uint8)
    path = str(tmp_path / "images.npy")
    np.save(path, images)
    by_file = measure(graph, seeds=1, batch=4, inputs=path)
    assert by_file == measure(graph, seeds=1, inputs=images[:4].astype(float))
    assert by_file["bn1"].variance.mean == pytest.approx(1, rel=1e-3)
    (tmp_path / "own_images.py").write_text(
        f"import numpy\n\ndef batch():\n    return numpy.load({path!r}).tolist()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert measure(graph, seeds=1, batch=4, inputs="own_images:batch") == by_file


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (exit, ())


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 3, 9, 9)), "is 4x3x9x9; tiny takes at least 2 inputs of 3x8x8"),
        (np.zeros((1, 3, 8, 8)), "is 1x3x8x8; tiny takes at least 2"),
        (np.zeros(()), "no array of numbers"),
        (np.full((2, 3, 8, 8), np.nan), "not finite"),
        (np.array(["a", "b"]), "no array of numbers"),
        (np.array([Harmful()]), "cannot read"),
    ],
)
def test_inputs_that_are_refused(tmp_path: Path, array: np.ndarray, says: str) -> None:  # type: ignore[type-arg]
    path = str(tmp_path / "given.npy")
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InspectError, match=says):
        ri.signal(TINY, measure=True, inputs=path)


def test_files_of_inputs_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.npy"
    np.save(path, np.zeros((4, 3, 8, 8)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InspectError, match="cannot read"):
        ri.signal(TINY, measure=True, inputs=str(path))
    with pytest.raises(InspectError, match="no such file"):
        ri.signal(TINY, measure=True, inputs="none.npy")
    with pytest.raises(InspectError, match=r"name a \.npy file or package\.module:callable"):
        ri.signal(TINY, measure=True, inputs="images.png")
    with pytest.raises(InspectError, match="add --measure"):
        ri.signal(TINY, inputs=str(path))


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown initialisation 'kaiming'"):
        ri.signal("resnet18", init="kaiming")
    with pytest.raises(InspectError, match="is traced, and its norms are its own"):
        ri.signal(torch.nn.Sequential(torch.nn.Flatten()), input_shape=(3, 8, 8), norm=False)
    with pytest.raises(InspectError, match="0 seeds of a batch of 32"):
        ri.signal("resnet20_cifar", measure=True, seeds=0)
    with pytest.raises(InspectError, match="0 networks"):
        ri.signal()
