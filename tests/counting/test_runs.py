"""Counts of networks that ran: each tensor once, what is frozen or does not run, and lifetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from graphs import GraphBuilder

import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost, part_cost
from resnet_inspect.counting.memory import live_bytes, memory, saved_for_backward, with_gradient
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import LayerGraph, unread
from resnet_inspect.networks.run import Gap, Input, Run, Tensor
from resnet_inspect.tables.network import LEVELS, table


def tensor(entries: int, dtype: str = "float32", trainable: bool = True) -> Tensor:
    return Tensor(entries, dtype, learned=True, trainable=trainable)


def buffer(entries: int, dtype: str = "float32") -> Tensor:
    return Tensor(entries, dtype, learned=False, trainable=False)


def chain(*layers: ops.Op, of: int = 8) -> LayerGraph:
    """Layers a, b, c, .. one after another, each a stage of its own; they take `of` features."""
    builder = GraphBuilder("chain", (of,))
    source = builder.input
    for name, op in zip("abcdefgh", layers, strict=False):
        source = builder.add(op, source, name=name)
        builder.end_block(name, name, "Block")
        builder.end_stage(name, name)
    return builder.graph()


def ran(graph: LayerGraph, tensors: Mapping[str, Tensor], **facts: object) -> LayerGraph:
    """The graph with a run in which each layer uses the tensors that lie under its name."""
    uses = {
        layer.name: tuple(name for name in tensors if name.startswith(f"{layer.name}."))
        for layer in graph.layers
    }
    return replace(graph, run=Run(tensors, **{"uses": uses, "lasts": {}, **facts}))  # type: ignore[arg-type]


WIDE, SQUARE = ops.Linear(8, 8), ops.Linear(8, 8, bias=False)


def tied() -> LayerGraph:
    """a, b and c: c computes with the weight of a."""
    graph = chain(SQUARE, WIDE, SQUARE)
    tensors = {"a.weight": tensor(64), "b.weight": tensor(64), "b.bias": tensor(8)}
    uses = {"a": ("a.weight",), "b": ("b.weight", "b.bias"), "c": ("a.weight",)}
    return ran(graph, tensors, uses=uses)


def test_a_shared_tensor_belongs_to_the_first_that_uses_it() -> None:
    graph = tied()
    assert [part_cost(graph, [layer]).params for layer in graph.layers] == [64, 72, 0]
    assert graph_cost(graph).params == 136
    assert graph_cost(graph).macs == 3 * 64
    for level in LEVELS:
        made = table(graph, level)
        assert made.total is not None
        assert made.total["params"] == sum(row["params"] for row in made.rows) == 136  # type: ignore[misc]
    assert "a and c share a.weight, which count with the first" in made.notes


def test_shared_tensors_lie_in_memory_once() -> None:
    need = memory(tied())
    assert (need.weights, need.gradients) == (4 * 136, 4 * 136)
    assert need.optimizers == {"sgd": 0, "momentum": 4 * 136, "adam": 8 * 136}


@pytest.mark.parametrize("name", ["where", "stage"])
def test_the_parts_of_a_comparison_add_up_to_the_whole(name: str) -> None:
    rows = ri.compare(tied(), tied())[name].records()
    assert sum(row["params"] for row in rows) == 2 * 136  # type: ignore[misc]
    shares = [row["params_share"] for row in rows if "params_share" in row]
    assert all(share <= 1 for share in shares)  # type: ignore[operator]


def test_difference_of_networks_that_share() -> None:
    made = ri.diff(chain(SQUARE, WIDE, SQUARE), tied())
    assert made.total is not None
    assert made.total["params"] == -64


def frozen() -> LayerGraph:
    """a is frozen, b is trained; an auxiliary head is held and does not run."""
    tensors = {
        "a.weight": tensor(64, trainable=False),
        "b.weight": tensor(64),
        "b.bias": tensor(8),
        "head.0.weight": tensor(24),
        "head.0.bias": tensor(3, trainable=False),
        "b.spare": tensor(5),
    }
    graph = ran(chain(SQUARE, WIDE), tensors)
    uses = {"a": ("a.weight",), "b": ("b.weight", "b.bias")}
    assert graph.run is not None
    return replace(graph, run=replace(graph.run, uses=uses))


def test_what_is_frozen_has_no_gradient_and_no_state() -> None:
    need = memory(frozen())
    assert need.weights == 4 * (64 + 72 + 27 + 5)
    assert need.frozen == 4 * (64 + 3)
    assert need.unused == 4 * (27 + 5)
    assert need.gradients == 4 * (72 + 24 + 5)
    assert need.optimizers["adam"] == 8 * (72 + 24 + 5)
    made = table(frozen(), "layer")
    assert [(row["trainable"], row["frozen"]) for row in made.rows] == [(0, 64), (72, 0)]
    assert made.total is not None
    assert (made.total["trainable"], made.total["frozen"]) == (72, 64)
    assert {"trainable", "frozen"} <= {column.key for column in made.visible}
    assert "frozen" not in {column.key for column in table(tied()).visible}
    sheet = ri.compare(frozen(), tied())
    assert [row["frozen"] for row in sheet["cost"].records()] == [64, 0]
    assert "frozen" not in {column.key for column in ri.compare(tied(), tied())["cost"].columns}


def test_a_frozen_layer_keeps_nothing_for_the_backward_pass() -> None:
    assert with_gradient(frozen()) == {"b"}
    assert saved_for_backward(frozen()) == 4 * 8  # what b reads
    assert saved_for_backward(tied()) == 4 * 3 * 8


def test_what_is_held_and_not_run_is_named() -> None:
    made = table(frozen(), "stage")
    assert made.total is not None
    assert made.total["params"] == 136
    assert "Held but not run: head and b.spare, 32 parameters; 168 in all" in made.notes
    assert made.to_dict()["not_run"] == {"head": 27, "b.spare": 5}
    line = next(line for line in str(made).splitlines() if line.startswith("held but not run"))
    assert line.split()[-3:] == ["32", "29", "3"]
    assert made.to_text("csv").splitlines()[-1].startswith("held but not run,")
    assert len(made.to_text("csv").splitlines()) == 1 + 2 + 1
    assert len(made.records()) == 2


def test_many_names_are_cut() -> None:
    tensors = {f"{name}.weight": tensor(1) for name in "stuvwxyz"} | {"a.weight": tensor(64)}
    made = table(ran(chain(SQUARE), tensors))
    assert "Held but not run: s, t, u, v and 4 more, 8 parameters; 72 in all" in made.notes


def test_what_ran_in_no_layer_makes_totals_partial() -> None:
    gap = Gap("aten.mm", "nets.py, line 12", 512)
    graph = ran(chain(SQUARE), {"a.weight": tensor(64)}, gaps=(gap,))
    assert graph_cost(graph).uncounted == 1
    for convention in ("macs", "torch"):
        made = table(graph, convention=convention)
        assert made.partial == ("aten.mm (nets.py, line 12)",)
        assert made.total is not None
        assert made.total["name"] == "total, at least"
        assert made.total["macs"] == 64
    assert ri.reconcile(graph, measure=False)["counters"].partial == made.partial


def test_layers_whose_result_nobody_needs_are_named() -> None:
    graph = replace(ran(chain(SQUARE, SQUARE), {}), returned=("a",))
    assert unread(graph) == ("b",)
    assert "Run, but no output needs their result: b" in table(graph).notes
    assert unread(tied()) == ()


def test_each_tensor_has_its_own_dtype() -> None:
    tensors = {
        "a.weight": tensor(64, "float16"),
        "a.bias": tensor(8),
        "a.ids": buffer(10, "int64"),
        "a.mask": buffer(10, "bool"),
        "a.mean": buffer(10, "bfloat16"),
    }
    graph = ran(chain(WIDE), tensors)
    need = memory(graph)
    assert (need.weights, need.buffers) == (2 * 64 + 4 * 8, 80 + 10 + 20)
    assert need.inference_peak == 2 * (8 + 8)
    assert table(graph).meta["dtype"] == "fp16"
    cast = memory(graph, dtype="fp64")
    assert (cast.weights, cast.buffers) == (8 * 72, 80 + 10 + 80)
    assert cast.inference_peak == 8 * (8 + 8)
    assert table(chain(WIDE)).meta["dtype"] == "fp32"
    assert ri.compare(graph, tied()).meta["dtype"] == "fp16 and fp32"


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "complex64", "float64"])
def test_dtypes_without_a_name_of_ours(dtype: str) -> None:
    size = {"float8_e4m3fn": 1, "complex64": 8, "float64": 8}[dtype]
    need = memory(ran(chain(SQUARE), {"a.weight": tensor(64, dtype)}))
    assert need.weights == size * 64


def test_an_output_lives_as_long_as_it_is_held() -> None:
    graph = chain(SQUARE, SQUARE, SQUARE, SQUARE)
    ends = ran(graph, {})
    assert live_bytes(ends) == (64, 96, 96, 96)  # the input, what is read, what is written
    assert live_bytes(replace(ends, returned=("a", "d"))) == (64, 96, 128, 128)
    assert live_bytes(ran(graph, {}, lasts={"a": "c"})) == (64, 96, 128, 96)


def test_all_inputs_live_throughout_in_their_own_dtypes() -> None:
    graph = chain(SQUARE)
    entering = (Input("input", (8,)), Input("ids", (16,), "int64"))
    assert live_bytes(replace(graph, entering=entering)) == (4 * 8 + 8 * 16 + 4 * 8,)
    assert live_bytes(replace(graph, entering=entering), dtype="fp16") == (2 * 8 + 8 * 16 + 2 * 8,)
