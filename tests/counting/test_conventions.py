"""Named terms and conventions: exact, complete, and the same as costs.py where both count."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from graphs import GraphBuilder
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

import resnet_inspect as ri
from resnet_inspect.counting import conventions, terms
from resnet_inspect.counting.conventions import CONVENTIONS, convention, count, total_terms
from resnet_inspect.counting.costs import graph_cost, total
from resnet_inspect.counting.terms import ONCE, TERMS, layer_terms
from resnet_inspect.networks import ops, zoo
from resnet_inspect.networks.ops import Convolution, Linear, Op
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape, elements
from resnet_inspect.networks.spec import ResNetSpec
from resnet_inspect.networks.torch_ops import MatMul
from resnet_inspect.tables.network import LEVELS, table

FACTS_PATH = Path(__file__).parents[1] / "facts"
FACTS = json.loads((FACTS_PATH / "counters.json").read_text())
MODELS = ("resnet18", "resnet50")

NAMES = {
    ("torchinfo", "total_mult_adds"): "torchinfo",
    ("fvcore", "FlopCountAnalysis.total()"): "fvcore",
    ("fvcore, model in train mode", "FlopCountAnalysis.total()"): "fvcore-train",
    ("ptflops, backend aten", "macs"): "ptflops-aten",
    ("ptflops, backend pytorch", "macs"): "ptflops",
    ("thop", "macs"): "thop",
    ("calflops / DeepSpeed", "macs"): "calflops-macs",
    ("calflops / DeepSpeed", "flops"): "calflops",
    ("torch.utils.flop_counter", "get_total_flops(), forward"): "torch",
    ("torch.utils.flop_counter", "get_total_flops(), forward and backward"): "torch-train",
    ("torchscan", "FLOPs"): "torchscan",
    ("torchscan", "MACs"): "torchscan-macs",
    ("TorchLens", "FLOPs"): "torchlens",
    ("torchvision", "_ops (GFLOPS)"): "torchvision",
    ("timm", "infer_gmacs"): "timm",
    ("pycls", "flops"): "pycls",
    ("He et al. 2015, Table 1", "FLOPs"): "paper",
}
"""The facts' names of counters, and ours."""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fact", FACTS["counters"], ids=lambda f: f"{f['tool']} {f['reports']}")
def test_every_counter_of_the_facts(fact: dict[str, str | int], model: str) -> None:
    name = NAMES[str(fact["tool"]), str(fact["reports"])]
    # The paper's network strides in the 1x1.
    early = name == "paper" and zoo.spec(model).block == "bottleneck"
    graph = ri.graph(model, stride_in="1x1") if early else ri.graph(model)
    assert count(graph, convention(name)) == fact[model]


@pytest.mark.parametrize("model", MODELS)
def test_the_terms_of_the_facts(model: str) -> None:
    ours = total_terms(ri.graph(model))
    for term, fact in FACTS["terms"].items():
        assert ours[term] == fact[model], term


TIMM = [*csv.DictReader((FACTS_PATH / "timm_results.csv").read_text().splitlines())]
"""What timm's tables of results print (huggingface/pytorch-image-models, results/benchmark-*.csv at
aa4b5850c154) of every network of ours: parameters, gmacs and macts in millions and billions.

changes: of two names that timm defined otherwise when it printed the row.
"""


@pytest.mark.parametrize("row", TIMM, ids=lambda row: f"{row['model']}-{row['size']}")
def test_timm_prints_what_its_convention_counts(row: dict[str, str]) -> None:
    name = f"{row['model']}[{row['changes']}]" if row["changes"] else row["model"]
    graph = ri.graph(name, (3, int(row["size"]), int(row["size"])))
    weighing = [x for x in graph.layers if isinstance(x.op, (Convolution, Linear, MatMul))]
    counts = {
        "params": graph_cost(graph).params / 1e6,
        "gmacs": count(graph, convention("timm")) / 1e9,
        "macts": sum(elements(layer.output_shape) for layer in weighing) / 1e6,
    }
    printed = {name: row[name] for name in counts}
    assert {name: f"{count:.2f}" for name, count in counts.items()} == printed


def test_names_and_coefficients_are_known() -> None:
    assert {*NAMES.values()} <= {*CONVENTIONS}
    for made in CONVENTIONS.values():
        assert {*made.coefficients} <= {*TERMS}
        assert {*made.also} <= {*TERMS}
        assert made.why.endswith(".")
    labels = [made.label for made in CONVENTIONS.values()]
    assert len({*labels}) == len(labels)


@given(networks(), st.integers(1, 4))
def test_macs_and_flops_are_those_of_the_costs(made: tuple[ResNetSpec, Shape], batch: int) -> None:
    graph = layer_graph(*made)
    spent = graph_cost(graph, batch)
    assert count(graph, convention("macs"), batch) == spent.macs
    assert count(graph, convention("flops"), batch) == spent.flops
    for layer in graph.layers:
        assert count(graph, convention("flops"), layers=[layer]) == total([layer]).flops


@given(networks(), st.sampled_from([*CONVENTIONS.values()]), st.integers(1, 4))
def test_a_network_counts_what_its_layers_do(
    made: tuple[ResNetSpec, Shape], chosen: conventions.Convention, batch: int
) -> None:
    graph = layer_graph(*made)
    whole = count(graph, chosen, batch)
    assert whole == sum(count(graph, chosen, batch, [layer]) for layer in graph.layers)
    if not {*chosen.coefficients} & ONCE and not chosen.per_image:
        assert whole == batch * count(graph, chosen)


@given(networks(), st.sampled_from([*CONVENTIONS.values()]))
def test_formulas_with_numbers_put_in_are_arithmetic(
    made: tuple[ResNetSpec, Shape], chosen: conventions.Convention
) -> None:
    graph = layer_graph(*made)
    found = total_terms(graph)
    written = conventions.numbers(conventions.used(chosen, found), found)
    assert eval(written.replace("×", "*").replace(",", "")) == count(graph, chosen)


def test_formulas_as_people_write_them() -> None:
    assert conventions.formula({"C": 2, "L": 2, "Cu": -1, "K": 4}) == "2C + 2L - Cu + 4K"
    assert conventions.numbers({"C": 1, "Cu": -2}, {"C": 1234, "Cu": 5}) == "1,234 - 2 × 5"
    assert conventions.formula({}) == conventions.numbers({}, {}) == "0"


@pytest.mark.parametrize(
    ("model", "thop", "torchlens"),
    [  # as thop 0.1.1 and TorchLens 2.36.1 count the assembled networks
        ("skresnet18", 1_828_073_728, 3_653_082_344),
        ("gcresnet33ts", 4_780_795_958, 9_583_334_072),
        ("botnet26t_256", 3_236_396_800, 6_665_176_040),
        ("halonet26t", 3_178_593_280, 6_415_156_200),
        ("lambda_resnet26t", 3_037_852_624, 6_074_656_744),
        ("resnet50_gn", 4_089_286_656, 8_249_769_960),
        ("resnetv2_50x1_bit", 2_150_400, 181_632_936),
        ("dm_nfnet_f0", 27_973_376, 435_757_000),
    ],
)
def test_softmax_norms_and_products_of_activations_are_counted_as_tools_do(
    model: str, thop: int, torchlens: int
) -> None:
    graph = ri.graph(model)
    assert count(graph, CONVENTIONS["thop"]) == thop
    assert count(graph, CONVENTIONS["torchlens"]) == torchlens


ABSTRACT = {ops.Op, ops.Activation, ops.Convolution, ops.Pool2d}


def test_every_op_has_its_terms() -> None:
    kinds = {
        kind
        for kind in vars(ops).values()
        if isinstance(kind, type) and issubclass(kind, Op) and kind not in ABSTRACT
    }
    base = terms.rule.dispatch(Op)
    assert len(kinds) >= 18
    for kind in kinds:
        assert terms.rule.dispatch(kind) is not base, kind
    assert {*terms.ACTIVATIONS} == {k for k in kinds if issubclass(k, ops.Activation)}


class _Strange(Op):
    pass


def test_what_no_rule_knows_is_not_zero() -> None:
    builder = GraphBuilder("odd", (4, 8, 8))
    builder.add(_Strange(), builder.input, name="strange")
    builder.end_block("block", "", "Block")
    builder.end_stage("stage", "")
    graph = builder.graph()
    assert layer_terms(graph) == {"strange": None}
    assert conventions.uncounted(graph) == ("strange",)


def test_only_the_first_layer_reads_the_input() -> None:
    found = layer_terms(ri.graph("resnet50d"))
    assert [name for name, counts in found.items() if "S" in (counts or {})] == ["conv1.0"]


@pytest.mark.parametrize(("kernel", "side"), [((3, 3), 3), ((3, 2), 6)])
def test_a_square_window_is_read_by_its_side(kernel: tuple[int, int], side: int) -> None:
    op = ops.MaxPool2d(kernel, (1, 1))
    shape = op.output_shape((4, 8, 8))
    found = terms.rule(op, ((4, 8, 8),), shape)
    assert found is not None
    assert found["Mk"] == side * found["Mo"]
    assert found["Mw"] == kernel[0] * kernel[1] * found["Mo"]


def test_names_are_forgiving_and_errors_name_a_way_out() -> None:
    assert convention(" Torch_Train ").name == "torch-train"
    with pytest.raises(ri.InspectError, match="unknown convention 'fvcor'; did you mean fvcore"):
        convention("fvcor")
    with pytest.raises(ri.InspectError, match="'resnet-inspect conventions' lists them"):
        convention("zzz")


@pytest.mark.parametrize("fact", FACTS["counters"], ids=lambda f: f"{f['tool']} {f['reports']}")
def test_a_table_counts_what_the_tool_reports(fact: dict[str, str | int]) -> None:
    name, reported = NAMES[str(fact["tool"]), str(fact["reports"])], fact["resnet18"]
    # Only a bottleneck has a 1x1 to stride in, so the paper's ResNet-18 is torchvision's.
    key = "macs" if name == "macs" else "counted"
    for level in LEVELS:
        made = table(ri.graph("resnet18"), level, convention=name)
        assert made.total is not None
        assert made.total[key] == reported
        assert sum(row[key] for row in made.rows) == reported  # type: ignore[misc]
        assert sum(row["share"] for row in made.rows) == pytest.approx(1)  # type: ignore[misc]
        assert key in [column.key for column in made.visible]
    assert made.meta["convention"] == name
    assert name == "macs" or convention(name).label in made.title


def test_figures_of_another_convention_are_not_set_side_by_side() -> None:
    assert all("macs" not in row for row in ri.table("resnet50", convention="fvcore").references)
    assert any("macs" in row for row in ri.table("resnet50").references)
    assert "counted" not in {column.key for column in ri.table("resnet50").columns}
    with pytest.raises(ri.InspectError, match="unknown convention"):
        ri.table("resnet50", convention="nobody")
