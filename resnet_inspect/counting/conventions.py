"""How others count: named terms of a layer, and each counter's convention as sums of them.

A convention is data: how often it takes each term of `TERMS`. `CONVENTIONS` holds one for every
counter and publication, found by running the tool (the versions stand there) on every family of
the zoo and on random networks; the tests run it again. Names, coefficients and sums are exact ints.

    count(graph.layers, convention("fvcore"))  # 4,111,512,576: what fvcore reports for ResNet-50
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial, singledispatch
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.errors import unknown
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import INPUT, Layer
from resnet_inspect.networks.ops import Shape, elements

Shapes = tuple[Shape, ...]

Terms = dict[str, int]
"""Term -> count."""

TERMS: dict[str, str] = {
    "C": "multiply-accumulates of convolutions",
    "L": "multiply-accumulates of linear layers",
    "S": "those of C that read the network's input, whose gradient nobody needs",
    "G": "multiply-accumulates that convolutions in groups would take more in one group",
    "Cb": "bias additions of convolutions",
    "Cc": "biased channels of convolutions",
    "Cu": "outputs of convolutions without bias",
    "Lb": "bias additions of linear layers",
    "Lu": "outputs of linear layers without bias",
    "K": "elements that batch norm writes",
    "Kp": "parameters of batch norm",
    "Kc": "channels of batch norm, once for a batch",
    "R": "elements that ReLU writes",
    "R6": "elements that ReLU6 writes",
    "Lr": "elements that LeakyReLU writes",
    "El": "elements that ELU writes",
    "Ge": "elements that GELU writes",
    "Si": "elements that SiLU writes",
    "Ms": "elements that Mish writes",
    "Hs": "elements that Hardswish writes",
    "Sg": "elements that sigmoid gates write",
    "Mi": "elements that max pooling reads",
    "Mo": "elements that max pooling writes",
    "Mk": "kernel side x elements that max pooling writes",
    "Mw": "kernel area x elements that max pooling writes",
    "Pi": "elements that average pooling reads",
    "Po": "elements that average pooling writes",
    "Pk": "kernel side x elements that average pooling writes",
    "Pw": "kernel area x elements that average pooling writes",
    "Ai": "elements that global average pooling reads",
    "Ao": "elements that global average pooling writes",
    "E": "elements of residual additions",
    "X": "elements that squeeze-and-excitation scales",
}
"""Every term and what it counts, for each sample but where it says otherwise."""

ONCE = frozenset({"Kc"})
"""Terms that do not grow with the batch."""


class Convention(NamedTuple):
    """How a counter or publication arrives at a total.

    name: what --convention takes. tool, version: whose it is, and the version that was found to
    count so. reports: what it calls its total. formula: how often it takes each term. why: what is
    particular about it, in a sentence; also: sentences for terms that not every network has.
    per_image: whether it reports on one image whatever the batch.
    """

    name: str
    tool: str
    version: str
    reports: str
    formula: str
    why: str
    per_image: bool = False
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


_DEEPSPEED = "2C + 2L + Cb + 2K + R + Lr + El + Ge + Si + Mi + Pi + Ai"

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention("macs", "resnet-inspect", "", "MACs", "C + L",
            "Multiply-accumulates of convolution and linear layers; nothing else."),
        Convention("paper", "He et al. 2015", "Table 1", "FLOPs", "C + L",
            "The papers' FLOPs are multiply-adds: each counts once."),
        Convention("torchvision", "torchvision", "0.28", "GFLOPS", "C + L",
            "Printed with the weights as GFLOPS; a multiply-add counts once."),
        Convention("calflops-macs", "calflops", "0.3.2", "macs", "C + L",
            "Its macs are macs; its flops are more than twice as many."),
        Convention("deepspeed-macs", "DeepSpeed", "0.19.8", "macs", "C + L",
            "Its macs are macs; its flops are more than twice as many."),
        Convention("ptflops-aten", "ptflops", "0.7.5", "macs (aten)", "C + L + Cb + Lb",
            "Convolutions and matrix products with their biases, nothing between them.",
            per_image=True),
        Convention("pycls", "pycls", "2022", "flops", "C + L + Cc + Lb",
            "Adds biases; a convolution's count once a channel, not at every position."),
        Convention("torchinfo", "torchinfo", "1.8.0", "mult-adds", "C + L + Cb + Lb + Kp",
            "Batch norm counts its parameters, not the elements it works on."),
        Convention("fvcore", "fvcore", "0.1.5", "flops", "C + L + 2K + Ai",
            "Multiply-adds called flops; batch norm counts 2 an element, global pools 1."),
        Convention("timm", "timm", "2026", "infer_gmacs", "C + L + 2K + Ai",
            "Counted by fvcore, and printed in timm's tables of results."),
        Convention("torchscan-macs", "torchscan", "0.2.0", "MACs",
            "C + L + 2K + Mk - Mo + Pk + Po + Ai + Ao",
            "Batch norm and pools count too; a pool's kernel k is read as k, not k x k."),
        Convention("ptflops", "ptflops", "0.7.5", "macs (pytorch)",
            "C + L + Cb + Lb + 2K + 2R + R6 + Lr + 2El + 2Ge + Si + 2Mi + 2Pi + 2Ai",
            "Hook and patched function both count: each ReLU and each pool goes in twice.",
            per_image=True),
        Convention("thop", "thop", "0.1.1", "macs", "C + L + 4K + Po + Ai + Ao",
            "Called macs, yet batch norm counts 4 an element: 2, doubled for its scale."),
        Convention("fvcore-train", "fvcore", "0.1.5", "flops (train)", "C + L + 5K + Ai",
            "In train mode batch norm counts 5 an element, as its statistics are taken."),
        Convention("torch", "torch", "2.13", "FLOPs (forward)", "2C + 2L",
            "Two for each multiply-accumulate; no bias, norm, activation or pool."),
        Convention("deepspeed", "DeepSpeed", "0.19.8", "flops", _DEEPSPEED,
            "Two for each multiply-accumulate; batch norm, ReLU and what pools read."),
        Convention("calflops", "calflops", "0.3.2", "flops", _DEEPSPEED,
            "DeepSpeed's rules, without DeepSpeed."),
        Convention("flops", "resnet-inspect", "", "FLOPs",
            "2C + 2L + Cb + Lb + 2K + R + R6 + Lr + El + Ge + Si + Ms + Hs + Sg + Mw - Mo + Pw"
            " + Ai + E + X",
            "Two for each multiply-accumulate; every elementwise operation by name."),
        Convention("torchscan", "torchscan", "0.2.0", "FLOPs",
            "2C + 2L - Cu - Lu + 4K + 2Kc + R + 2R6 + 4Lr + 6El + 4Sg + Mk - Mo + Pk + Po + Ai"
            " + Ao",
            "n products have n - 1 sums; batch norm counts 4 an element, 2 a channel."),
        Convention("torchlens", "TorchLens", "2.36.1", "FLOPs",
            "2C + 2L + Cb + Lb + 5K + R + R6 + Lr + 9El + 14Ge + 5Si + 8Ms + 4Hs + 4Sg + Mk + Pk"
            " + Ai + E + X",
            "Batch norm counts 5 an element; the one tool to see the residual additions."),
        Convention("torch-train", "torch", "2.13", "FLOPs (training)", "6C + 6L - 2S + 2G",
            "Backward costs twice forward; the network's input needs no gradient.",
            also={"G": "A grouped convolution's weight gradient counts as if it had one group."}),
    )
}  # fmt: skip
"""Every convention by name, from the fewest terms to the most."""


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


def count(layers: Iterable[Layer], convention: Convention, batch: int = 1) -> int:
    """What a convention counts for layers, for `batch` samples.

    Layers that `terms` does not know add nothing; `uncounted` names them.
    """
    return weigh(convention.coefficients, total_terms(layers, 1 if convention.per_image else batch))


def used(convention: Convention, terms: Mapping[str, int]) -> dict[str, int]:
    """Its coefficients of those terms that a network has."""
    return {term: n for term, n in convention.coefficients.items() if terms.get(term)}


def uncounted(layers: Iterable[Layer]) -> tuple[str, ...]:
    """The layers whose terms are not known: a count that leaves them out is a lower bound."""
    return tuple(layer.name for layer in layers if terms(layer) is None)


def total_terms(layers: Iterable[Layer], batch: int = 1) -> Terms:
    """The terms of layers added up, in the order of TERMS and without those that are 0."""
    sums: Terms = dict.fromkeys(TERMS, 0)
    for layer in layers:
        for term, amount in (terms(layer, batch) or {}).items():
            sums[term] += amount
    return {term: amount for term, amount in sums.items() if amount}


def terms(layer: Layer, batch: int = 1) -> Terms | None:
    """The terms of one layer for `batch` samples; None where no rule knows it."""
    single = _cached(layer.op, layer.input_shapes, layer.output_shape, layer.inputs == (INPUT,))
    if single is None or batch == 1:
        return single
    return {term: amount * (1 if term in ONCE else batch) for term, amount in single.items()}


@lru_cache(maxsize=8192)
def _cached(op: ops.Op, inputs: Shapes, output: Shape, first: bool) -> Terms | None:
    counts = rule(op, inputs, output)
    if counts and first:
        counts["S"] = counts.get("C", 0) + counts.get("L", 0)
    return counts


@singledispatch
def rule(op: ops.Op, inputs: Shapes, output: Shape) -> Terms | None:
    """The terms of an op for one sample of the given shapes; register new ops here.

    The base case is the explicit 'unknown'.
    """
    return None


@rule.register(ops.Conv2d)
def _(op: ops.Conv2d, inputs: Shapes, output: Shape) -> Terms:
    macs, written = op.weights * elements(output[1:]), elements(output)
    more = {"G": macs * (op.groups - 1)} if op.groups > 1 else {}
    if op.bias:
        return {"C": macs, **more, "Cb": written, "Cc": op.out_channels}
    return {"C": macs, **more, "Cu": written}


@rule.register(ops.Linear)
def _(op: ops.Linear, inputs: Shapes, output: Shape) -> Terms | None:
    if len(output) != 1:
        return None  # in each place of a sequence; the tools differ, and none was measured
    return {"L": op.weights, "Lb" if op.bias else "Lu": elements(output)}


ACTIVATIONS: dict[type[ops.Activation], str] = {
    ops.ReLU: "R",
    ops.ReLU6: "R6",
    ops.LeakyReLU: "Lr",
    ops.ELU: "El",
    ops.GELU: "Ge",
    ops.SiLU: "Si",
    ops.Mish: "Ms",
    ops.Hardswish: "Hs",
    ops.Sigmoid: "Sg",
}
"""The term of each activation: tools agree on none of them."""


for _kind, _term in ACTIVATIONS.items():
    rule.register(_kind, lambda op, inputs, output, term=_term: {term: elements(output)})


def _pool(letter: str, op: ops.Pool2d, inputs: Shapes, output: Shape) -> Terms:
    read, written, area = elements(inputs[0]), elements(output), elements(op.kernel)
    # torchvision and timm give a square kernel as one int, which some tools take for its area.
    side = op.kernel[0] if op.kernel[0] == op.kernel[1] else area
    return {
        f"{letter}i": read,
        f"{letter}o": written,
        f"{letter}k": side * written,
        f"{letter}w": area * written,
    }


rule.register(ops.MaxPool2d, partial(_pool, "M"))
rule.register(ops.AvgPool2d, partial(_pool, "P"))
rule.register(
    ops.GlobalAvgPool2d,
    lambda op, inputs, output: {"Ai": elements(inputs[0]), "Ao": elements(output)},
)
rule.register(
    ops.BatchNorm2d,
    lambda op, inputs, output: {"K": elements(output), "Kp": op.params, "Kc": op.channels},
)
rule.register(ops.Add, lambda op, inputs, output: {"E": elements(output)})
rule.register(ops.Scale, lambda op, inputs, output: {"X": elements(output)})
# Moves and zeros, which nobody counts:
rule.register(ops.Flatten, lambda op, inputs, output: {})
rule.register(ops.ZeroPad, lambda op, inputs, output: {})


class Reported(NamedTuple):
    """What a tool reported here and now, or in one line why it did not."""

    version: str
    total: int | None
    failure: str = ""
