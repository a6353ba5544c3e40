"""How others count: named terms of a layer, and each counter's convention as sums of them.

A convention is data: how often it takes each term of `TERMS`. `CONVENTIONS` holds one for every
counter and publication, found by running the tool (the versions stand there) on every family of
the zoo and on random networks; the tests run it again. Names, coefficients and sums are exact ints.

    count(graph.layers, convention("fvcore"))  # 4,111,512,576: what fvcore reports for ResNet-50
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, singledispatch
from types import MappingProxyType
from typing import NamedTuple

from resnet_inspect.errors import unknown
from resnet_inspect.networks.graph import INPUT, Layer
from resnet_inspect.networks.ops import (
    ELU,
    GELU,
    Activation,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Hardswish,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Mish,
    Op,
    Pool2d,
    ReLU,
    ReLU6,
    Scale,
    Shape,
    Sigmoid,
    SiLU,
    ZeroPad,
    elements,
)

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
    count so. reports: what it calls its total. coefficients: how often it takes each term. why:
    what is particular about it, in a sentence; also: sentences for terms that not every network
    has. per_image: whether it reports on one image whatever the batch.
    """

    name: str
    tool: str
    version: str
    reports: str
    coefficients: Mapping[str, int]
    why: str
    per_image: bool = False
    also: Mapping[str, str] = MappingProxyType({})

    @property
    def label(self) -> str:
        """Whose, and what: fvcore flops."""
        return f"{self.tool} {self.reports}"


_ONE_EACH = dict.fromkeys(("R", "R6", "Lr", "El", "Ge", "Si", "Ms", "Hs", "Sg"), 1)


_DEEPSPEED: dict[str, int] = {
    "C": 2, "L": 2, "Cb": 1, "K": 2, "R": 1, "Lr": 1, "El": 1, "Ge": 1, "Si": 1,
    "Mi": 1, "Pi": 1, "Ai": 1,
}  # fmt: skip

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention(
            "macs", "resnet-inspect", "", "MACs",
            {"C": 1, "L": 1},
            "Multiply-accumulates of convolution and linear layers; nothing else.",
        ),
        Convention(
            "paper", "He et al. 2015", "Table 1", "FLOPs",
            {"C": 1, "L": 1},
            "The papers' FLOPs are multiply-adds: each counts once.",
        ),
        Convention(
            "torchvision", "torchvision", "0.28", "GFLOPS",
            {"C": 1, "L": 1},
            "Printed with the weights as GFLOPS; a multiply-add counts once.",
        ),
        Convention(
            "calflops-macs", "calflops", "0.3.2", "macs",
            {"C": 1, "L": 1},
            "Its macs are macs; its flops are more than twice as many.",
        ),
        Convention(
            "deepspeed-macs", "DeepSpeed", "0.19.8", "macs",
            {"C": 1, "L": 1},
            "Its macs are macs; its flops are more than twice as many.",
        ),
        Convention(
            "ptflops-aten", "ptflops", "0.7.5", "macs (aten)",
            {"C": 1, "L": 1, "Cb": 1, "Lb": 1},
            "Convolutions and matrix products with their biases, nothing between them.",
            per_image=True,
        ),
        Convention(
            "pycls", "pycls", "2022", "flops",
            {"C": 1, "L": 1, "Cc": 1, "Lb": 1},
            "Adds biases; a convolution's count once a channel, not at every position.",
        ),
        Convention(
            "torchinfo", "torchinfo", "1.8.0", "mult-adds",
            {"C": 1, "L": 1, "Cb": 1, "Lb": 1, "Kp": 1},
            "Batch norm counts its parameters, not the elements it works on.",
        ),
        Convention(
            "fvcore", "fvcore", "0.1.5", "flops",
            {"C": 1, "L": 1, "K": 2, "Ai": 1},
            "Multiply-adds called flops; batch norm counts 2 an element, global pools 1.",
        ),
        Convention(
            "timm", "timm", "2026", "infer_gmacs",
            {"C": 1, "L": 1, "K": 2, "Ai": 1},
            "Counted by fvcore, and printed in timm's tables of results.",
        ),
        Convention(
            "torchscan-macs", "torchscan", "0.2.0", "MACs",
            {"C": 1, "L": 1, "K": 2, "Mk": 1, "Mo": -1, "Pk": 1, "Po": 1, "Ai": 1, "Ao": 1},
            "Batch norm and pools count too; a pool's kernel k is read as k, not k x k.",
        ),
        Convention(
            "ptflops", "ptflops", "0.7.5", "macs (pytorch)",
            {
                "C": 1, "L": 1, "Cb": 1, "Lb": 1, "K": 2, "R": 2, "R6": 1, "Lr": 1, "El": 2,
                "Ge": 2, "Si": 1, "Mi": 2, "Pi": 2, "Ai": 2,
            },
            "Hook and patched function both count: each ReLU and each pool goes in twice.",
            per_image=True,
        ),
        Convention(
            "thop", "thop", "0.1.1", "macs",
            {"C": 1, "L": 1, "K": 4, "Po": 1, "Ai": 1, "Ao": 1},
            "Called macs, yet batch norm counts 4 an element: 2, doubled for its scale.",
        ),
        Convention(
            "fvcore-train", "fvcore", "0.1.5", "flops (train)",
            {"C": 1, "L": 1, "K": 5, "Ai": 1},
            "In train mode batch norm counts 5 an element, as its statistics are taken.",
        ),
        Convention(
            "torch", "torch", "2.13", "FLOPs (forward)",
            {"C": 2, "L": 2},
            "Two for each multiply-accumulate; no bias, norm, activation or pool.",
        ),
        Convention(
            "deepspeed", "DeepSpeed", "0.19.8", "flops",
            _DEEPSPEED,
            "Two for each multiply-accumulate; batch norm, ReLU and what pools read.",
        ),
        Convention(
            "calflops", "calflops", "0.3.2", "flops",
            _DEEPSPEED,
            "DeepSpeed's rules, without DeepSpeed.",
        ),
        Convention(
            "flops", "resnet-inspect", "", "FLOPs",
            {
                "C": 2, "L": 2, "Cb": 1, "Lb": 1, "K": 2, **_ONE_EACH,
                "Mw": 1, "Mo": -1, "Pw": 1, "Ai": 1, "E": 1, "X": 1,
            },
            "Two for each multiply-accumulate; every elementwise operation by name.",
        ),
        Convention(
            "torchscan", "torchscan", "0.2.0", "FLOPs",
            {
                "C": 2, "L": 2, "Cu": -1, "Lu": -1, "K": 4, "Kc": 2, "R": 1, "R6": 2, "Lr": 4,
                "El": 6, "Sg": 4, "Mk": 1, "Mo": -1, "Pk": 1, "Po": 1, "Ai": 1, "Ao": 1,
            },
            "n products have n - 1 sums; batch norm counts 4 an element, 2 a channel.",
        ),
        Convention(
            "torchlens", "TorchLens", "2.36.1", "FLOPs",
            {
                "C": 2, "L": 2, "Cb": 1, "Lb": 1, "K": 5, "R": 1, "R6": 1, "Lr": 1, "El": 9,
                "Ge": 14, "Si": 5, "Ms": 8, "Hs": 4, "Sg": 4, "Mk": 1, "Pk": 1, "Ai": 1,
                "E": 1, "X": 1,
            },
            "Batch norm counts 5 an element; the one tool to see the residual additions.",
        ),
        Convention(
            "torch-train", "torch", "2.13", "FLOPs (training)",
            {"C": 6, "L": 6, "S": -2, "G": 2},
            "Backward costs twice forward; the network's input needs no gradient.",
            also={"G": "A grouped convolution's weight gradient counts as if it had one group."},
        ),
    )
}  # fmt: skip
"""Every convention by name, from the fewest terms to the most."""

DEFAULT = "macs"


def convention(name: str) -> Convention:
    """The convention of this name; raises UnknownNameError with the nearest."""
    folded = name.strip().lower().replace("_", "-")
    if folded not in CONVENTIONS:
        raise unknown("convention", name, CONVENTIONS, "'resnet-inspect conventions' lists them")
    return CONVENTIONS[folded]


def formula(coefficients: Mapping[str, int]) -> str:
    """Coefficients as people write them: 2C + 2L - Cu + 4K."""
    parts: list[str] = []
    for term, factor in coefficients.items():
        sign = "- " if factor < 0 else "+ " if parts else ""
        times = str(abs(factor)) if abs(factor) != 1 else ""
        parts.append(f"{sign}{times}{term}")
    return " ".join(parts) or "0"


def numbers(coefficients: Mapping[str, int], terms: Mapping[str, int]) -> str:
    """A formula with its terms' counts put in: 2 × 4,087,136,256 + 2 × 2,048,000 - 11,113,984."""
    parts: list[str] = []
    for term, factor in coefficients.items():
        sign = "- " if factor < 0 else "+ " if parts else ""
        times = f"{abs(factor)} × " if abs(factor) != 1 else ""
        parts.append(f"{sign}{times}{terms.get(term, 0):,}")
    return " ".join(parts) or "0"


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
    found = _cached(layer.op, layer.input_shapes, layer.output_shape, layer.inputs == (INPUT,))
    if found is None or batch == 1:
        return found
    return {term: amount * (1 if term in ONCE else batch) for term, amount in found.items()}


@lru_cache(maxsize=8192)
def _cached(op: Op, inputs: tuple[Shape, ...], output: Shape, first: bool) -> Terms | None:
    found = rule(op, inputs, output)
    if found and first:
        found["S"] = found.get("C", 0) + found.get("L", 0)
    return found


@singledispatch
def rule(op: Op, inputs: tuple[Shape, ...], output: Shape) -> Terms | None:
    """The terms of an op for one sample of the given shapes; register new ops here.

    The base case is the explicit 'unknown'.
    """
    return None


@rule.register(Conv2d)
def _(op: Conv2d, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    macs, written = op.weights * elements(output[1:]), elements(output)
    more = {"G": macs * (op.groups - 1)} if op.groups > 1 else {}
    if op.bias:
        return {"C": macs, **more, "Cb": written, "Cc": op.out_channels}
    return {"C": macs, **more, "Cu": written}


@rule.register(Linear)
def _(op: Linear, inputs: tuple[Shape, ...], output: Shape) -> Terms | None:
    if len(output) != 1:
        return None  # in each place of a sequence; the tools differ, and none was measured
    return {"L": op.weights, "Lb" if op.bias else "Lu": elements(output)}


@rule.register(BatchNorm2d)
def _(op: BatchNorm2d, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return {"K": elements(output), "Kp": op.params, "Kc": op.channels}


ACTIVATIONS: dict[type[Activation], str] = {
    ReLU: "R",
    ReLU6: "R6",
    LeakyReLU: "Lr",
    ELU: "El",
    GELU: "Ge",
    SiLU: "Si",
    Mish: "Ms",
    Hardswish: "Hs",
    Sigmoid: "Sg",
}
"""The term of each activation: tools agree on none of them."""


def _activation(op: Op, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    assert isinstance(op, Activation)
    return {ACTIVATIONS[type(op)]: elements(output)}


for _kind in ACTIVATIONS:
    rule.register(_kind)(_activation)


def _pool(op: Pool2d, inputs: tuple[Shape, ...], output: Shape, letter: str) -> Terms:
    read, written, area = elements(inputs[0]), elements(output), elements(op.kernel)
    # torchvision and timm give a square kernel as one int, which some tools take for its area.
    side = op.kernel[0] if op.kernel[0] == op.kernel[1] else area
    return {
        f"{letter}i": read,
        f"{letter}o": written,
        f"{letter}k": side * written,
        f"{letter}w": area * written,
    }


@rule.register(MaxPool2d)
def _(op: MaxPool2d, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return _pool(op, inputs, output, "M")


@rule.register(AvgPool2d)
def _(op: AvgPool2d, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return _pool(op, inputs, output, "P")


@rule.register(GlobalAvgPool2d)
def _(op: GlobalAvgPool2d, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return {"Ai": elements(inputs[0]), "Ao": elements(output)}


@rule.register(Add)
def _(op: Add, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return {"E": elements(output)}


@rule.register(Scale)
def _(op: Scale, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return {"X": elements(output)}


@rule.register(Flatten)
@rule.register(ZeroPad)
def _(op: Op, inputs: tuple[Shape, ...], output: Shape) -> Terms:
    return {}  # moves and zeros, which nobody counts


class Reported(NamedTuple):
    """What a tool reported here and now, or in one line why it did not."""

    version: str
    total: int | None
    failure: str = ""
