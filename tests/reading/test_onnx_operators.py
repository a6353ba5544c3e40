"""Operators of ONNX, one by one: shapes, parameters and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import Dims, model, node, saved

import resnet_inspect as ri
from resnet_inspect.errors import ShapeError
from resnet_inspect.networks.graph import INPUT, LayerGraph
from resnet_inspect.networks.shapes import Shape

Read = Callable[..., LayerGraph]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The graph of some nodes from x to y."""

    def graph_of(
        nodes: Sequence[Any],
        dims: Dims = (1, 3, 8, 8),
        weights: Mapping[str, Any] | None = None,
        shape: Shape | None = None,
        **more: Any,
    ) -> LayerGraph:
        made = model(nodes, {"x": dims}, more.pop("outputs", "y"), weights, **more)
        return ri.graph(saved(made, tmp_path), shape)

    return graph_of


ARRAY = {"axes": np.array([2, 3])}

CASES: dict[str, tuple[Any, Dims, Mapping[str, Any], str, Shape, int, int]] = {
    "convolution": (
        node("Conv", "x w b", "y", strides=[2, 2], pads=[1, 1, 1, 1]),
        *((1, 3, 8, 8), {"w": (4, 3, 3, 3), "b": (4,)}, "Conv2d"),
        *((4, 4, 4), 112, 108 * 16),
    ),
    "groups": (
        node("Conv", "x w", "y", group=2),
        *((1, 4, 8, 8), {"w": (6, 2, 3, 3)}, "Conv2d", (6, 6, 6), 108, 108 * 36),
    ),
    "one axis": (
        node("Conv", "x w", "y", dilations=[2]),
        *((1, 4, 10), {"w": (6, 4, 3)}, "Conv1d", (6, 6), 72, 72 * 6),
    ),
    "transposed": (
        node("ConvTranspose", "x w", "y", strides=[2, 2], output_shape=[15, 15]),
        *((1, 3, 8, 8), {"w": (3, 4, 3, 3)}, "ConvTranspose2d", (4, 15, 15), 108, 108 * 64),
    ),
    "matrix": (
        node("Gemm", "x w b", "y", transB=1),
        *((1, 8), {"w": (5, 8), "b": (5,)}, "Linear", (5,), 45, 40),
    ),
    "matrix at every step": (
        node("MatMul", "x w", "y"),
        *((1, 7, 8), {"w": (8, 5)}, "Linear", (7, 5), 40, 280),
    ),
    "recurrent, last state alone": (
        node("LSTM", "x w r b", "- y", hidden_size=6),
        *((9, 1, 4), {"w": (1, 24, 4), "r": (1, 24, 6), "b": (1, 48)}, "LSTM"),
        *((1, 6), 24 * 10 + 48, 9 * 24 * 10),
    ),
    "einsum": (
        node("Einsum", "x w", "y", equation="bld,dk->blk"),
        *((1, 7, 8), {"w": (8, 5)}, "Einsum", (7, 5), 40, 280),
    ),
    "batch norm": (
        node("BatchNormalization", "x s b m v", "y"),
        *((1, 3, 8, 8), dict.fromkeys("sbmv", (3,)), "BatchNorm2d", (3, 8, 8), 6, 0),
    ),
    "layer norm": (
        node("LayerNormalization", "x s b", "y"),
        *((1, 7, 8), {"s": (8,), "b": (8,)}, "LayerNorm", (7, 8), 16, 0),
    ),
    "relu6": (
        node("Clip", "x low high", "y"),
        *((1, 3, 8, 8), {"low": np.float32(0), "high": np.float32(6)}, "ReLU6"),
        *((3, 8, 8), 0, 0),
    ),
    "max pool": (
        node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        *((1, 3, 8, 8), {}, "MaxPool2d", (3, 4, 4), 0, 0),
    ),
    "mean over the map": (
        node("ReduceMean", "x axes", "y", keepdims=0),
        *((1, 3, 8, 8), ARRAY, "GlobalAvgPool2d", (3,), 0, 0),
    ),
    "resize": (
        node("Resize", "x - scales", "y", mode="linear"),
        *((1, 3, 8, 8), {"scales": np.array([1, 1, 2, 2], np.float32)}, "Interpolate"),
        *((3, 16, 16), 0, 0),
    ),
    "embedding": (
        node("Gather", "w x", "y"),
        *((1, 7), {"w": (100, 16)}, "Embedding", (7, 16), 1600, 0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_operator(case: str, read: Read) -> None:
    one, dims, weights, kind, shape, params, macs = CASES[case]
    graph = read([one], dims, weights, kinds={"x": TensorProto.INT64} if "bedd" in case else None)
    (layer,) = graph.layers
    whole = ri.total(graph.layers)
    assert (layer.op.kind, layer.output_shape) == (kind, shape)
    assert (whole.params, whole.macs, whole.uncounted) == (params, macs, 0)


def test_sides_that_differ_are_a_pad_ahead(read: Read) -> None:
    nodes = [node("Conv", "x w", "y", strides=[2, 2], auto_pad="SAME_UPPER")]
    graph = read(nodes, weights={"w": (4, 3, 3, 3)})
    assert [layer.op.kind for layer in graph.layers] == ["Pad", "Conv2d"]
    assert graph.output.output_shape == (4, 4, 4)
    assert ri.total(graph.layers).macs == 108 * 16


def test_an_addition_behind_a_product_is_its_bias(read: Read) -> None:
    nodes = [node("MatMul", "x w", "a"), node("Add", "a b", "y")]
    graph = read(nodes, (1, 7, 8), {"w": (8, 5), "b": (5,)})
    (layer,) = graph.layers
    assert layer.op.params == 45
    assert graph.run is not None
    assert graph.run.uses == {layer.name: ("w", "b")}


def test_shape_arithmetic_makes_no_layer(read: Read) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Unsqueeze", "n zeros", "n1"),
        node("Div", "n1 n1", "one"),
        node("Concat", "one rest", "shape", axis=0),
        node("Reshape", "x shape", "y"),
    ]
    constants = {"zero": np.array(0), "zeros": np.array([0]), "rest": np.array([-1])}
    graph = read(nodes, ("n", 3, 8, 8), constants)
    (layer,) = graph.layers
    assert (layer.op.kind, layer.output_shape) == ("Flatten", (192,))


def test_weights_that_are_shared_count_once(read: Read) -> None:
    nodes = [node("Conv", "x w", "a"), node("Relu", "a", "r"), node("Conv", "r w", "y")]
    graph = read(nodes, (1, 3, 8, 8), {"w": (3, 3, 1, 1)})
    whole = ri.total(graph.layers)
    assert (whole.params, whole.macs) == (9, 2 * 9 * 64)


def test_a_constant_node_may_hold_weights(read: Read) -> None:
    from onnx import helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32))
    graph = read([helper.make_node("Constant", [], ["w"], value=weights), node("Conv", "x w", "y")])
    assert ri.total(graph.layers).params == 12


def test_scalars_and_shapes_are_no_parameters(read: Read) -> None:
    nodes = [node("Mul", "x half", "a"), node("Reshape", "a shape", "y")]
    graph = read(nodes, weights={"half": np.float32(0.5), "shape": np.array([1, -1])})
    assert ri.total(graph.layers).params == 0
    assert graph.run is not None
    assert not graph.run.tensors


def test_parameters_that_nothing_reads_are_unused(read: Read) -> None:
    graph = read([node("Relu", "x", "y")], weights={"w": (4, 4)})
    assert graph.run is not None
    assert list(graph.run.unused) == ["w"]


def test_quantized_layers_count_as_what_they_stand_for(read: Read) -> None:
    eight = np.zeros((4, 3, 3, 3), np.int8)
    scale, zero = np.float32(0.1), np.uint8(0)
    weights = {
        "w": eight,
        "b": np.zeros(4, np.int32),
        "s": scale,
        "z": zero,
        "ws": np.ones(4, np.float32),
        "wz": np.zeros(4, np.int8),
    }
    whole = [
        node("QuantizeLinear", "x s z", "q"),
        node("QLinearConv", "q s z w ws wz s z b", "c"),
        node("DequantizeLinear", "c s z", "y"),
    ]
    graph = read(whole, weights=weights)
    cost = ri.total(graph.layers)
    assert (cost.params, cost.macs, cost.uncounted) == (112, 108 * 36, 0)
    stored = [node("DequantizeLinear", "w ws wz", "f", axis=0), node("Conv", "x f", "y")]
    cost = ri.total(read(stored, weights=weights).layers)
    assert (cost.params, cost.macs, cost.uncounted) == (108, 108 * 36, 0)


def test_unknown_operators_are_named(read: Read) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Fancy", "a v", "b", domain="com.example"),
        node("Conv", "b w2", "y"),
    ]
    graph = read(nodes, weights={"w": (4, 3, 1, 1), "v": (10, 2), "w2": (5, 4, 1, 1)})
    whole = ri.total(graph.layers)
    assert whole.params == 12 + 20 + 20
    assert whole.macs == 12 * 64  # of what follows the shapes are not known
    shown = ri.table(graph, "layer").to_text("markdown")
    assert "at least" in shown
    assert "fancy" in shown


def test_shapes_that_the_file_notes_down_lead_on_behind_unknown_operators(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [node("Fancy", "x", "a", domain="com.example"), node("Conv", "a w", "y")]
    made = model(nodes, {"x": ("n", 3, 8, 8)}, "y", {"w": (4, 3, 1, 1)})
    made.graph.value_info.append(
        helper.make_tensor_value_info("a", TensorProto.FLOAT, ("n", 3, 4, 4))
    )
    path = saved(made, tmp_path)
    whole = ri.total(ri.graph(path).layers)
    assert (whole.macs, whole.uncounted) == (12 * 16, 1)
    whole = ri.total(ri.graph(path, (3, 16, 16)).layers)  # for which nobody noted any
    assert (whole.macs, whole.uncounted) == (0, 2)


def test_a_loop_is_one_uncounted_layer(read: Read) -> None:
    from onnx import helper

    body = helper.make_graph(
        [node("Identity", "more", "again"), node("MatMul", "state w", "next")],
        "body",
        [
            helper.make_tensor_value_info("at", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["times", "on", "x"], ["y"], body=body)
    weights = {"w": (8, 8), "times": np.array(4), "on": np.array(True)}
    whole = ri.total(read([loop], (1, 8), weights).layers)
    assert (whole.params, whole.uncounted) == (64, 1)


def test_the_known_branch_of_a_condition_is_read(read: Read) -> None:
    from onnx import helper

    branches = [
        helper.make_graph(
            [node(kind, "x", out)], kind, [], [helper.make_tensor_value_info(out, 1, None)]
        )
        for kind, out in (("Relu", "yes"), ("Tanh", "no"))
    ]
    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    graph = read([chosen], weights={"c": np.array(True)})
    assert [layer.op.kind for layer in graph.layers] == ["ReLU"]


def test_functions_are_put_in_place(read: Read) -> None:
    from onnx import helper

    twice = helper.make_function(
        *("com.example", "Twice", ["a", "w"], ["c"]),
        [node("Conv", "a w", "b"), node("Conv", "b w", "c")],
        [helper.make_opsetid("", 18)],
    )
    nodes = [node("Twice", "x w", "y", domain="com.example")]
    graph = read(nodes, weights={"w": (3, 3, 1, 1)}, functions=[twice])
    whole = ri.total(graph.layers)
    assert (whole.params, whole.macs) == (9, 2 * 9 * 64)


# --- inputs and layouts --------------------------------------------------------------------------


def keras() -> list[Any]:
    """A residual block of TensorFlow: channels last, transposed to and fro."""
    return [
        node("Sub", "x mean", "centred", called="model/normalise/sub"),
        node("Transpose", "centred", "t", perm=[0, 3, 1, 2], called="model/stem/Conv2D__5"),
        node("Conv", "t w", "c", pads=[1, 1, 1, 1], called="model/stem/Conv2D"),
        node("Conv", "c w2", "d", pads=[1, 1, 1, 1], called="model/block/Conv2D"),
        node("Transpose", "d", "last", perm=[0, 2, 3, 1], called="model/block/Conv2D__8"),
        node("Mul", "last gamma", "scaled", called="model/block/scale"),
        node("Transpose", "c", "skip", perm=[0, 2, 3, 1], called="model/stem/Conv2D__6"),
        node("Add", "scaled skip", "sum", called="model/add/add"),
        node("Relu", "sum", "r", called="model/relu/Relu"),
        node("ReduceMean", "r axes", "m", keepdims=0, called="model/pool/Mean"),
        node("MatMul", "m k", "logits", called="model/dense/MatMul"),
        node("Add", "logits bias", "y", called="model/dense/BiasAdd"),
    ]


WEIGHTS = {
    "mean": (3,),
    "w": (8, 3, 3, 3),
    "w2": (8, 8, 3, 3),
    "gamma": (8,),
    "axes": np.array([1, 2]),
    "k": (8, 10),
    "bias": (10,),
}


def test_channels_last_are_read_channels_first(read: Read) -> None:
    graph = read(keras(), ("n", 12, 16, 3), WEIGHTS)
    assert graph.input_shape == (3, 12, 16)
    shapes = [layer.output_shape for layer in graph.layers]
    assert shapes == [(3, 12, 16), *[(8, 12, 16)] * 5, (8,), (10,)]
    assert [layer.op.kind for layer in graph.layers][-4:] == [
        *("Add", "ReLU", "GlobalAvgPool2d", "Linear")
    ]
    whole = ri.total(graph.layers)
    assert whole.macs == (216 + 576) * 12 * 16 + 80
    assert whole.params == 3 + 216 + 576 + 8 + 90
    fields = ri.receptive_fields(graph)
    field = fields[graph.layers[2].name]
    assert field is not None
    assert field.size == (5, 5)


def test_channels_last_takes_another_input_channels_first(read: Read) -> None:
    graph = read(keras(), ("n", None, None, 3), WEIGHTS, (3, 6, 10))
    assert graph.layers[0].output_shape == (3, 6, 10)
    assert graph.output.output_shape == (10,)


def test_sizes_that_are_open_are_asked_for(read: Read) -> None:
    nodes = [node("Conv", "x w", "y")]
    with pytest.raises(ShapeError, match=r"open \(3xheightxwidth\); give --input.* 3x224x224"):
        read(nodes, ("n", 3, "height", "width"), {"w": (4, 3, 3, 3)})
    graph = read(nodes, ("n", 3, "height", "width"), {"w": (4, 3, 3, 3)}, (3, 8, 8))
    assert graph.output.output_shape == (4, 6, 6)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 3, 8, 8), "leave the batch out"),
        ((4, 8, 8), "takes 3 channels"),
        ((3, 2, 2), "the least it fits is 3x3x3"),
        ((3, 8), "give 3 sizes"),
    ],
)
def test_an_input_that_does_not_fit(shape: Shape, said: str, read: Read) -> None:
    with pytest.raises(ShapeError, match=said):
        read([node("Conv", "x w", "y")], weights={"w": (4, 3, 3, 3)}, shape=shape)


def test_several_inputs_and_results(tmp_path: Path) -> None:
    nodes = [
        node("Gather", "table ids", "e"),
        node("Add", "e x", "sum"),
        node("Relu", "sum", "first"),
        node("Tanh", "sum", "second"),
    ]
    made = model(
        nodes,
        {"ids": ("n", 7), "x": ("n", 7, 16)},
        "first second",
        {"table": (100, 16)},
        kinds={"ids": TensorProto.INT64},
    )
    path = saved(made, tmp_path)
    graph = ri.graph(path)
    assert graph.inputs == {"ids": (7,), "x": (7, 16)}
    assert [entry.dtype for entry in graph.entering] == ["int64", ""]
    assert [graph.by_name[name].op.kind for name in graph.outputs] == ["ReLU", "Tanh"]
    assert ri.graph(path, (7,)).inputs == {"ids": (7,), "x": (7, 16)}
    assert INPUT not in {source for layer in graph.layers for source in layer.inputs}


def test_a_residual_network_without_names_gets_blocks_by_wiring(read: Read) -> None:
    nodes = [node("Conv", "x w0", "a0")]
    for at in range(3):
        nodes += [
            node("Conv", f"a{at} w", f"b{at}", pads=[1, 1, 1, 1]),
            node("Relu", f"b{at}", f"r{at}"),
            node("Conv", f"r{at} v", f"c{at}", pads=[1, 1, 1, 1]),
            node("Add", f"c{at} a{at}", f"s{at}"),
            node("Relu", f"s{at}", f"a{at + 1}"),
        ]
    nodes += [node("GlobalAveragePool", "a3", "y")]
    weights = {"w0": (8, 3, 1, 1), "w": (8, 8, 3, 3), "v": (8, 8, 3, 3)}
    graph = read(nodes, weights=weights)
    kinds = [block.kind for block in graph.blocks]
    assert kinds == ["Stem", *["ResidualBlock"] * 3, "Head"]
    assert ri.total(graph.layers).params == 24 + 2 * 576
