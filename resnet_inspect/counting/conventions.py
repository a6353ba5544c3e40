"""How others count: each counter's convention as a sum of named terms (terms.py).

A convention is data: how often it takes each term of `TERMS`. `CONVENTIONS` holds one for every
counter and publication, found by running the tool (the versions stand there) on every family of
the zoo and on random networks; the tests run it again. Names, coefficients and sums are exact ints.

    count(graph, convention("fvcore"))  # 4,111,512,576: what fvcore reports for ResNet-50
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.counting.kept import memory_known
from resnet_inspect.counting.terms import ONCE, TERMS, Terms, layer_terms
from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.ops import Add, Convolution, Flatten, Linear, Op, Scale
from resnet_inspect.networks.torch_ops import Attention


class Convention(NamedTuple):
    """How a counter or publication arrives at a total.

    name: what --convention takes. tool, version: whose it is, and the version that was found to
    count so. reports: what it calls its total. formula: how often it takes each term. why: what is
    particular about it, in a sentence; also: sentences for terms that not every network has.
    per_image: whether it reports on one image whatever the batch. modules: whether it counts
    modules alone, and sees no calls of functions.
    """

    name: str
    tool: str
    version: str
    reports: str
    formula: str
    why: str
    per_image: bool = False
    modules: bool = False
    also: Mapping[str, str] = MappingProxyType({})

    @property
    def label(self) -> str:
        """Whose, and what: fvcore flops."""
        return f"{self.tool} {self.reports}"

    @property
    def coefficients(self) -> Mapping[str, int]:
        """How often it takes each term: {"C": 1, "L": 1, "K": 2} for C + L + 2K."""
        return _read(self.formula)


@lru_cache(maxsize=64)
def _read(formula: str) -> Mapping[str, int]:
    parts = re.findall(r"(-?) ?(\d*)([A-Z]\w*)", formula)
    return MappingProxyType({term: int(f"{sign}{times or 1}") for sign, times, term in parts})


_FVCORE = {
    "Am": "It has a rule for adaptive pooling and none for a mean.",
    "At": "It has no rule for fused attention.",
    "Ws": "Standardized weights are batch norm in train mode: 4 a weight, 5 with a gain.",
}

_DEEPSPEED = (
    "2C + 2L + 2A - 2At + Cb + 2K + 5N + 4Ws + Wg + R + Lr + El + Ge + Si + Sm + Mi + Pi + Ai"
)

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention("macs", "resnet-inspect", "", "MACs", "C + L + A",
            "Multiply-accumulates of convolution and linear layers; nothing else."),
        Convention("paper", "He et al. 2015", "Table 1", "FLOPs", "C + L",
            "The papers' FLOPs are multiply-adds: each counts once."),
        Convention("torchvision", "torchvision", "0.28", "GFLOPS", "C + L + A",
            "Printed with the weights as GFLOPS; a multiply-add counts once."),
        Convention("calflops-macs", "calflops", "0.3.2", "macs", "C + L + A - At",
            "Its macs are macs; its flops are more than twice as many."),
        Convention("deepspeed-macs", "DeepSpeed", "0.19.8", "macs", "C + L + A - At",
            "Its macs are macs; its flops are more than twice as many."),
        Convention("ptflops-aten", "ptflops", "0.7.5", "macs (aten)", "C + L + A - At + Cb + Lb",
            "Convolutions and matrix products with their biases, nothing between them.",
            per_image=True),
        Convention("pycls", "pycls", "2022", "flops", "C + L + Cc + Lb",
            "Adds biases; a convolution's count once a channel, not at every position."),
        Convention("torchinfo", "torchinfo", "1.8.0", "mult-adds",
            "C + L + Ct - Lx + Cb + Lb + Kp + Wp",
            "Batch norm counts its parameters, not the elements it works on.",
            modules=True,
            also={"Lx": "A linear layer counts once, in however many places it is applied.",
                  "Ct": "Transposed convolutions count over their output."}),
        Convention("fvcore", "fvcore", "0.1.5", "flops",
            "C + L + A - At + 2K + Ku + 5N + 4Nu + Ai + Aj + Un + 4Ub + 4Ws + Wg",
            "Multiply-adds called flops; batch norm counts 2 an element, global pools 1.",
            also=_FVCORE),
        Convention("timm", "timm", "2026", "infer_gmacs",
            "C + L + A - At + 2K + Ku + 5N + 4Nu + Ai - Aq + Aj + Un + 4Ub + 4Ws + Wg",
            "Counted by fvcore, and printed in timm's tables of results.",
            also=_FVCORE | {"Aq": "timm squeezes by a mean, which fvcore does not count."}),
        Convention("torchscan-macs", "torchscan", "0.2.0", "MACs",
            "C + L + 2K + Mk - Mo + Pk + Po + Ai + Ao",
            "Batch norm and pools count too; a pool's kernel k is read as k, not k x k.",
            modules=True),
        Convention("ptflops", "ptflops", "0.7.5", "macs (pytorch)",
            "C - Cs + L + A - At + Cb - Bs + Lb + 2K + 2N - Nl + 2R + R6 + Lr + 2El + 2Ge + Si"
            " + Sm + 2Mi + 2Pi + 2Ai",
            "Hook and patched function both count: each ReLU and each pool goes in twice.",
            per_image=True),
        Convention("thop", "thop", "0.1.1", "macs",
            "C - Cs + L + 4K + 4Nl + 3Sm - Sr + Po + Ai + Ao",
            "Called macs, yet batch norm counts 4 an element: 2, doubled for its scale.",
            modules=True),
        Convention("fvcore-train", "fvcore", "0.1.5", "flops (train)",
            "C + L + A - At + 5K + 4Ku + 5N + 4Nu + Ai + Aj + Un + 4Ub + 4Ws + Wg",
            "In train mode batch norm counts 5 an element, as its statistics are taken.",
            also=_FVCORE),
        Convention("torch", "torch", "2.13", "FLOPs (forward)", "2C + 2L + 2A",
            "Two for each multiply-accumulate; no bias, norm, activation or pool."),
        Convention("deepspeed", "DeepSpeed", "0.19.8", "flops", _DEEPSPEED,
            "Two for each multiply-accumulate; batch norm, ReLU and what pools read."),
        Convention("calflops", "calflops", "0.3.2", "flops", _DEEPSPEED,
            "DeepSpeed's rules, without DeepSpeed."),
        Convention("flops", "resnet-inspect", "", "FLOPs",
            "2C + 2L + 2A + Cb + Lb + 2K + R + R6 + Lr + El + Ge + Si + Ms + Hs + Sg + Mw - Mo + Pw"
            " + Ai + Am + E + X + Z",
            "Two for each multiply-accumulate; every elementwise operation by name."),
        Convention("torchscan", "torchscan", "0.2.0", "FLOPs",
            "2C + 2L - Cu - Lu + 4K + 2Kc + 8Nl + 2Nr + R + 2R6 + 4Lr + 6El + 4Sg + Mk - Mo + Pk"
            " + Po + Ai + Ao",
            "n products have n - 1 sums; batch norm counts 4 an element, 2 a channel.",
            modules=True),
        Convention("torchlens", "TorchLens", "2.36.1", "FLOPs",
            "2C - 2Cs + 2L + 2A + Cb - Bs + Lb + 5K + 5N + 5Ws + Cg + R + R6 + Lr + 9El + 14Ge"
            " + 5Si + 8Ms + 4Hs + 4Sg + 5Sm + Mk + Pk + Ai + E + X",
            "Batch norm counts 5 an element; the one tool to see the residual additions."),
        Convention("torch-train", "torch", "2.13", "FLOPs (training)", "6C + 6L + 6A - 2S + 2G",
            "Backward costs twice forward; the network's input needs no gradient.",
            also={"G": "A grouped convolution's weight gradient counts as if it had one group."}),
    )
}  # fmt: skip
"""Every convention by name, from the fewest terms to the most."""

EARLIER = (
    Convention(
        "ptflops-0.6",
        "ptflops",
        "0.6",
        "macs",
        "C + L + Cb + Lb + 2K + R + R6 + Lr + El + Mi + Pi + Ai",
        "Hooks on modules, once each: batch norm 2 an element, pools what they read.",
    ),
)
"""How tools counted in versions whose figures are still quoted."""


def convention(name: str) -> Convention:
    """The convention of this name; raises UnknownNameError with the nearest."""
    folded = name.strip().lower().replace("_", "-")
    if folded not in CONVENTIONS:
        raise unknown("convention", name, CONVENTIONS, "'resnet-inspect conventions' lists them")
    return CONVENTIONS[folded]


def formula(coefficients: Mapping[str, int]) -> str:
    """Coefficients as people write them: 2C + 2L - Cu + 4K."""
    return _written(coefficients, "", coefficients)


def numbers(coefficients: Mapping[str, int], terms: Mapping[str, int]) -> str:
    """A formula with its terms' counts put in: 2 × 4,087,136,256 + 2 × 2,048,000 - 11,113,984."""
    return _written(coefficients, " × ", [f"{terms.get(term, 0):,}" for term in coefficients])


def _written(coefficients: Mapping[str, int], times: str, shown: Iterable[str]) -> str:
    parts = (
        f"{'-' if factor < 0 else '+'} {f'{abs(factor)}{times}' if abs(factor) != 1 else ''}{term}"
        for factor, term in zip(coefficients.values(), shown, strict=True)
    )
    return " ".join(parts).removeprefix("+ ") or "0"


def weigh(coefficients: Mapping[str, int], terms: Mapping[str, int]) -> int:
    """The sum of terms, each as often as the coefficients say."""
    return sum(factor * terms.get(term, 0) for term, factor in coefficients.items())


def count(
    graph: LayerGraph, convention: Convention, batch: int = 1, layers: Iterable[Layer] | None = None
) -> int:
    """What a convention counts for a network, or for some of its layers, for `batch` samples.

    Layers whose terms are not known add nothing; `uncounted` names them.
    """
    return weigh(convention.coefficients, seen_terms(graph, convention, batch, layers))


def used(convention: Convention, terms: Mapping[str, int]) -> dict[str, int]:
    """Its coefficients of those terms that a network has."""
    return {term: n for term, n in convention.coefficients.items() if terms.get(term)}


def uncounted(graph: LayerGraph, layers: Iterable[Layer] | None = None) -> tuple[str, ...]:
    """The layers whose terms are not known: a count that leaves them out is a lower bound."""
    known = layer_terms(graph)
    every = graph.layers if layers is None else layers
    return tuple(layer.name for layer in every if known[layer.name] is None)


def seen_terms(
    graph: LayerGraph, convention: Convention, batch: int = 1, layers: Iterable[Layer] | None = None
) -> Terms:
    """The terms of what a tool sees of a network: counters of modules see no functions."""
    every = graph.layers if layers is None else layers
    if convention.modules:
        every = [layer for layer in every if not is_function(graph, layer)]
    return total_terms(graph, 1 if convention.per_image else batch, every)


def is_function(graph: LayerGraph, layer: Layer) -> bool:
    """Whether a counter of modules does not see a layer: a function computes it.

    Where its weights bear a module's names, such as in a convolution of one's own, it is taken for
    one.
    """
    if graph.run is None or layer.name not in graph.run.functions:
        return False
    names = graph.run.uses.get(layer.name, ())
    return not any("weight" in name.rpartition(".")[2] for name in names)


def total_terms(graph: LayerGraph, batch: int = 1, layers: Iterable[Layer] | None = None) -> Terms:
    """The terms of a network, or of some of its layers, added up.

    In the order of TERMS, and without those that are 0.
    """
    sums: Terms = dict.fromkeys(TERMS, 0)
    known = layer_terms(graph)
    for layer in graph.layers if layers is None else layers:
        for term, amount in (known[layer.name] or {}).items():
            sums[term] += amount * (1 if term in ONCE else batch)
    return {term: amount for term, amount in sums.items() if amount}


def makes_weights(graph: LayerGraph, layer: Layer) -> bool:
    """Whether a layer may compute with weights that functions make of parameters."""
    called = graph.run is not None and layer.name in graph.run.functions
    return called and bool(layer.op.params) and isinstance(layer.op, (Convolution, Linear))


def unfounded(graph: LayerGraph, convention: Convention) -> tuple[str, ...]:
    """The kinds of a network's layers for which a convention's formula was not established."""
    if convention.name in ("macs", "flops", "torch", "torchvision"):
        return ()
    known, found = layer_terms(graph), dict[str, None]()
    for layer in graph.layers:
        function = graph.run.functions.get(layer.name, "") if graph.run else ""
        if isinstance(layer.op, _ALWAYS_FUNCTIONS):
            function = ""
        doubtful: object
        own = type(layer.op).__module__ == Op.__module__  # a residual network's
        several = isinstance(layer.op, Attention) or not memory_known(layer.op)  # steps in one op
        if convention.tool in ("torch", "fvcore", "timm"):
            doubtful = several or makes_weights(graph, layer)
        elif convention.modules:
            tried = convention.tool == "torchinfo" and memory_known(layer.op)
            doubtful = not is_function(graph, layer) and (function or not (own or tried))
        else:
            doubtful = function or not own
        counted = not convention.coefficients.keys().isdisjoint(known[layer.name] or ())
        if doubtful and (several or counted):
            found[function or layer.op.kind] = None
    return tuple(found)


_ALWAYS_FUNCTIONS = (Add, Flatten, Scale)
"""What no module computes in the networks on which the formulas were found either."""


class Reported(NamedTuple):
    """What a tool reported here and now, or in one line why it did not."""

    version: str
    total: int | None
    failure: str = ""
