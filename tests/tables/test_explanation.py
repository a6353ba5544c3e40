"""explain: every formula, with its numbers put in, evaluates to the count we give."""

from __future__ import annotations

import pytest

import resnet_inspect as ri
from resnet_inspect.counting.costs import cost
from resnet_inspect.errors import UnknownNameError


def _evaluate(numbers: str) -> int:
    value = eval(numbers.replace("×", "*").replace(",", ""), {"__builtins__": {}})
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    "model",
    [
        "resnet18",
        "resnet50",
        "resnext50d_32x4d",
        "seresnet18",
        "resnetv2_18d",
        "resnet20_cifar",
        "resnet18_d2l",
    ],
)
def test_numbers_evaluate_to_values(model: str) -> None:
    graph = ri.graph(model)
    for part in (*graph.by_name, *(block.name for block in graph.blocks)):
        for row in ri.explain(graph, part).rows:
            assert _evaluate(str(row["numbers"])) == row["value"], (part, row)


@pytest.mark.parametrize("model", ["resnet50", "seresnet18", "resnetv2_18"])
def test_values_are_the_costs(model: str) -> None:
    graph = ri.graph(model, (3, 193, 257))
    for layer in graph.layers:
        values = {row["quantity"]: row["value"] for row in ri.explain(graph, layer.name).rows}
        spent = cost(layer)
        assert values.get("MACs", 0) == spent.macs
        assert values.get("FLOPs", 0) == spent.flops
        assert values.get("activations", 0) == spent.written
        assert values.get("parameters", values.get("weights", 0)) == spent.params
        if "output height" in values:
            assert (values["output height"], values["output width"]) == layer.output_shape[1:]


def test_the_notes_block() -> None:
    rows = {row["quantity"]: row["value"] for row in ri.explain("resnet50", "layer1.1").rows}
    weights = [
        row["value"]
        for row in ri.explain("resnet50", "layer1.1").rows
        if row["quantity"] == "weights"
    ]
    assert weights == [1 * 1 * 256 * 64, 3 * 3 * 64 * 64, 1 * 1 * 64 * 256]
    assert sum(weights) == 69632
    assert rows["parameters in all"] == 69632 + 2 * (64 + 64 + 256)


def test_a_shared_module_is_explained_by_its_first_call() -> None:
    by_path, by_name = (ri.explain("resnet18", f"layer1.0.relu{n}") for n in ("", "1"))
    assert by_path.rows == by_name.rows


def test_layers_without_parameters_have_no_row_of_them() -> None:
    rows = ri.explain("halonet26t", "layer3.1").records()
    assert 0 not in [row["value"] for row in rows if row["quantity"] == "parameters"]


def test_unknown_parts_have_neighbours() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean layer2\.0\.conv2"):
        ri.explain("resnet18", "layer2.0.conv3")
