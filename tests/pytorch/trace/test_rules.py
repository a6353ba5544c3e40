"""Rules over all that torch has: every layer of torch.nn, and what multiplies and accumulates."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import resnet_inspect as ri
from resnet_inspect.counting.costs import total
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.trace.trace import trace

Shape = tuple[int, ...]


@contextmanager
def unfused() -> Iterator[None]:
    """Attention by its parts: the fused kernel of eval mode is not counted."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def check(model: nn.Module, *shape: int) -> LayerGraph:
    """Counted whole: torch's MACs, all parameters, torch's shape."""
    graph = trace(model.eval(), shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), unfused():
        given = copy.deepcopy(model).to("meta")(torch.empty(1, *shape, device="meta"))
    whole = total(graph.layers)
    assert 2 * whole.macs == counter.get_total_flops()
    assert whole.uncounted == 0
    assert whole.params == sum(weight.numel() for weight in model.parameters())
    shown = graph.output.output_shape
    assert shown in (tuple(given.shape), tuple(given.shape[1:]))
    return graph


# --- every layer of torch.nn ---------------------------------------------------------------------

MAP, LINE, VOLUME, TOKENS = (4, 8, 8), (4, 9), (4, 6, 6, 6), (5, 8)
SHAPES = {"1d": LINE, "2d": MAP, "3d": VOLUME}

MADE: dict[str, tuple[tuple[Any, ...], Shape]] = {
    **{f"Conv{n}": ((4, 6, 3), shape) for n, shape in SHAPES.items()},
    **{f"ConvTranspose{n}": ((4, 6, 3), shape) for n, shape in SHAPES.items()},
    **{f"{kind}Norm{n}": ((4,), s) for kind in ("Batch", "Instance") for n, s in SHAPES.items()},
    **{f"AdaptiveAvgPool{n}": ((3,), shape) for n, shape in SHAPES.items()},
    **{f"AdaptiveMaxPool{n}": ((3,), shape) for n, shape in SHAPES.items()},
    **{f"LPPool{n}": ((2, 2), shape) for n, shape in SHAPES.items()},
    **{f"{kind}Pool{n}": ((2,), s) for kind in ("Avg", "Max") for n, s in SHAPES.items()},
    **{f"MaxUnpool{n}": ((2,), shape) for n, shape in SHAPES.items()},
    **{f"ConstantPad{n}": ((1, 0.5), shape) for n, shape in SHAPES.items()},
    **{
        f"{kind}Pad{n}": ((1,), shape)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for n, shape in SHAPES.items()
    },
    **dict.fromkeys(("Softmax", "LogSoftmax", "Softmin", "GLU"), ((1,), MAP)),
    **dict.fromkeys(("PixelShuffle", "PixelUnshuffle", "ChannelShuffle"), ((2,), MAP)),
    **dict.fromkeys(("UpsamplingBilinear2d", "UpsamplingNearest2d", "Upsample"), ((None, 2), MAP)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ((8, 6), TOKENS)),
    **dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), ((8, 6), (8,))),
    **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"), ((8, 2, 16), TOKENS)),
    **dict.fromkeys(("LayerNorm", "RMSNorm"), ((8,), MAP)),
    **dict.fromkeys(("Dropout1d", "FeatureAlphaDropout"), ((), LINE)),
    "Transformer": ((8, 2, 1, 1, 16), TOKENS),
    "MultiheadAttention": ((8, 2), TOKENS),
    "Linear": ((8, 6), (4, 8)),
    "Bilinear": ((8, 8, 5), (4, 8)),
    "GroupNorm": ((2, 4), MAP),
    "LocalResponseNorm": ((3,), MAP),
    "Unflatten": ((1, (2, 2)), MAP),
    "Unfold": ((3,), MAP),
    "Fold": (((4, 4), 2), (16, 9)),
    "FractionalMaxPool2d": ((2, 4), MAP),
    "FractionalMaxPool3d": ((2, 3), VOLUME),
    "Threshold": ((0.1, 0.0), MAP),
}

PLAIN = (
    "AlphaDropout CELU CosineSimilarity Dropout Dropout2d ELU Flatten GELU Hardshrink Hardsigmoid "
    "Hardswish Hardtanh HuberLoss Identity KLDivLoss L1Loss LeakyReLU LogSigmoid MSELoss Mish "
    "PReLU PairwiseDistance PoissonNLLLoss RReLU ReLU ReLU6 SELU SiLU Sigmoid SmoothL1Loss "
    "Softmax2d Softplus Softshrink Softsign Tanh Tanhshrink"
)
"""Layers that are made with nothing and take any map."""

ELSEWHERE = {
    # Not layers, or bases of layers.
    *("Module", "Container", "Sequential", "ModuleList", "ModuleDict"),
    *("ParameterList", "ParameterDict"),
    *("RNNBase", "RNNCellBase", "DataParallel", "TransformerEncoder", "TransformerDecoder"),
    # They take integers, or targets besides.
    *("Embedding", "EmbeddingBag", "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"),
    *("BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss"),
    *("GaussianNLLLoss", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss"),
    *("MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "NLLLoss2d", "SoftMarginLoss"),
    *("TripletMarginLoss", "TripletMarginWithDistanceLoss"),
    # Of several processes; of one channel axis that is written in place; three-dimensional.
    *("SyncBatchNorm", "CrossMapLRN2d", "Dropout3d"),
}

LAYERS = sorted(
    name
    for name, value in vars(nn).items()
    if isinstance(value, type)
    and issubclass(value, nn.Module)
    and name not in ELSEWHERE
    and not name.startswith("Lazy")
)


class Behind(nn.Module):
    """A layer behind another, since a module that is the network is entered."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sigmoid(x)
        kind = type(self.layer).__name__
        if "Unpool" in kind:
            pool = getattr(F, f"max_pool{kind[-2:]}")
            return self.layer(*pool(x, 2, return_indices=True))  # type: ignore[no-any-return]
        pairs = ("Bilinear", "CosineSimilarity", "PairwiseDistance", "Transformer")
        times = 3 if kind == "MultiheadAttention" else 1
        if kind in pairs or "Decoder" in kind or kind.endswith("Loss"):
            times = 2
        given = self.layer(*[x] * times)
        return given[0] if isinstance(given, tuple) else given  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore")
def test_every_layer_of_torch_is_counted(name: str) -> None:
    assert (name in MADE) != (name in PLAIN.split()), "new in torch: say how it is made"
    settings, shape = MADE.get(name, ((), MAP))
    check(Behind(getattr(nn, name)(*settings)), *shape)


# --- recurrent layers and attention --------------------------------------------------------------


class First(nn.Module):
    """The first of what a layer gives, with the sequence first if wanted."""

    def __init__(self, layer: nn.Module, times: int = 1, turned: bool = False) -> None:
        super().__init__()
        self.layer, self.times, self.turned = layer, times, turned

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1) if self.turned else x
        y = self.layer(*[x] * self.times)
        y = y[0] if isinstance(y, tuple) else y
        return y.transpose(0, 1) if self.turned else y  # type: ignore[no-any-return]


RECURRENT = [
    nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True, proj_size=3),
    nn.LSTM(8, 6, bias=False, batch_first=True),
    nn.GRU(8, 6, 3, batch_first=True, bidirectional=True),
    nn.RNN(8, 6, 2, nonlinearity="relu", batch_first=True),
]


@pytest.mark.parametrize("layer", RECURRENT, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_recurrent_layers_apply_their_matrices_in_every_step(layer: Any, turned: bool) -> None:
    layer.batch_first = not turned
    graph = check(First(layer, turned=turned), 7, 8)
    matrices = sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)
    assert total(graph.layers).macs == 7 * matrices


ATTENTION = [
    nn.MultiheadAttention(8, 2),
    nn.MultiheadAttention(8, 2, bias=False, add_bias_kv=True, add_zero_attn=True),
    nn.MultiheadAttention(8, 2, kdim=8, vdim=8),
]


@pytest.mark.parametrize("layer", ATTENTION, ids=["plain", "more keys", "separate"])
@pytest.mark.parametrize("turned", [False, True])
def test_attention_is_counted_with_either_dimension_first(layer: Any, turned: bool) -> None:
    layer.batch_first = not turned
    check(First(layer, 3, turned), 5, 8)


@pytest.mark.parametrize("turned", [False, True])
def test_encoders_of_transformers_take_sequences_first(turned: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=not turned)
    check(First(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), turned=turned), 5, 8)


class Pooled(nn.Module):
    """Attention of one query with projections that are layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)
        weights = {f"{name}_proj_weight": getattr(self, name).weight for name in "qkv"}
        bias = torch.cat([self.q.bias, self.k.bias, self.v.bias])
        y, _ = F.multi_head_attention_forward(
            *(x[:1], x, x, 8, 2, None, bias, None, None, False, 0.0),
            *(self.out.weight, self.out.bias),
            use_separate_proj_weight=True,
            need_weights=False,
            **weights,
        )
        return y.squeeze(0)  # type: ignore[no-any-return]


def test_attention_that_pools_is_counted() -> None:
    check(Pooled(), 6, 8)


# --- products ------------------------------------------------------------------------------------


class Product(nn.Module):
    """A product of what two layers give, and of a weight."""

    def __init__(self, function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 6), nn.Linear(6, 6)
        self.weight = nn.Parameter(torch.rand(6, 6))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.left(x), self.right(x), self.weight) * self.weight.sum()


def einsum(equation: str, weight: bool = False) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda x, y, w: torch.einsum(equation, x, w if weight else y)


PRODUCTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    **{
        equation: einsum(equation)
        for equation in (
            *(
                "bij,bkj->bik",
                "bij,bjk->bik",
                "...ij,...kj->...ik",
                "bij, bij -> b",
                "bij,bij->bij",
            ),
            *("bij,bij->bji", "bij,bik->bjk", "bij,bkl->bijkl", "bij,bkl->bjl", "bij,bkj"),
        )
    },
    **{
        f"{equation}, weight": einsum(equation, weight=True)
        for equation in ("bij,kj->bik", "...j,jk->...k", "bij,jk", "bij,ij->bij", "bij,ij->b")
    },
    "einsum of one": lambda x, *_: torch.einsum("bij->bji", x),
    "matmul": lambda x, y, _: x @ y.mT,
    "matmul, weight": lambda x, _, w: x @ w,
    "weight first": lambda x, _, w: w @ x,
    "by a vector": lambda x, y, _: x @ y[0, 0],
    "by a vector of weights": lambda x, _, w: x @ w[0],
    "bmm": lambda x, y, _: torch.bmm(x, y),
    "baddbmm": lambda x, y, _: torch.baddbmm(x, x, y),
    "addbmm": lambda x, y, _: torch.addbmm(x[0], x, y)[None],
    "addmm": lambda x, y, w: torch.addmm(x[0], y[0], w)[None],
    "tensordot": lambda x, y, _: torch.tensordot(x, y, ([2], [1])),
    "tensordot of 2": lambda x, y, w: torch.tensordot(x, w),
    "tensordot of 0": lambda x, y, w: torch.tensordot(x, w, 0),
    "inner": lambda x, _, w: torch.inner(x, w),
    "outer": lambda x, y, _: torch.outer(x[0, 0], y[0, 0])[None],
    "kron": lambda x, y, _: torch.kron(x[0], y[0])[None],
    "cdist": lambda x, y, _: torch.cdist(x, y),
    "multi_dot": lambda x, y, w: torch.linalg.multi_dot([x[0], y[0], w])[None],
    "vecdot": lambda x, y, _: torch.linalg.vecdot(x, y),
    "attention": lambda x, y, _: F.scaled_dot_product_attention(x, y, y),
    "attention of a weight": lambda x, y, w: F.scaled_dot_product_attention(w[None], x, y),
    "three": lambda x, y, w: torch.einsum("bij,bjk,kl->bil", x, y, w),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_counted_as_torch_counts_them(name: str) -> None:
    check(Product(PRODUCTS[name]), 6, 6)


def test_a_gate_is_no_product_however_it_is_written() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return torch.einsum("bc...,bc->bc...", y, y.mean((2, 3)).sigmoid())

    graph = check(Gated(), 3, 6, 6)
    assert total(graph.layers).macs == 3 * 4 * 9 * 16
    assert total(graph.layers).gating == 4 * 16


# --- frames that are folded into the batch -------------------------------------------------------

FOLDED = [
    *(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(3)),
    *(nn.Upsample(scale_factor=2), nn.PixelShuffle(2), nn.BatchNorm2d(4), nn.GroupNorm(2, 4)),
    *(nn.Conv2d(4, 6, 3, bias=True), nn.ConvTranspose2d(4, 2, 2, 2), nn.InstanceNorm2d(4)),
    nn.ZeroPad2d(1),
]


@pytest.mark.parametrize("layer", FOLDED, ids=lambda layer: type(layer).__name__)
def test_frames_in_the_batch_keep_torchs_shapes_and_counts(layer: nn.Module) -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.flatten(0, 1).sigmoid())  # type: ignore[no-any-return]

    graph = check(Folded(), 5, 4, 6, 6)
    assert graph.output.output_shape[0] == 5


# --- explained -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore")
def test_every_layer_is_explained_by_arithmetic_that_holds(name: str) -> None:
    settings, shape = MADE.get(name, ((), MAP))
    graph = trace(Behind(getattr(nn, name)(*settings)).eval(), shape)
    for layer in graph.layers:
        rows = {row["quantity"]: row for row in ri.explain(graph, layer.name).rows}
        for row in rows.values():
            numbers = str(row["numbers"]).replace("×", "*").replace(",", "")
            assert eval(numbers, {"__builtins__": {}}) == row["value"], row
        spent = ri.cost(layer)
        values = {quantity: row["value"] for quantity, row in rows.items()}
        assert values.get("MACs", 0) == spent.macs
        assert values.get("FLOPs", 0) == spent.flops
        assert values.get("activations", 0) == spent.written
        assert values.get("parameters", values.get("weights", 0)) == spent.params
