"""Published figures of the zoo's networks, as they were printed, each with its source.

A figure is kept as text, because its digits say how far it was rounded. The papers' 'FLOPs' are
multiply-adds, so they stand here as MACs.
"""

from __future__ import annotations

from typing import NamedTuple

from resnet_inspect.counting.costs import graph_cost, part_cost
from resnet_inspect.networks import sources, zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Convolution, Linear
from resnet_inspect.networks.resnet import layer_graph

HE2015 = sources.TABLE_1.short
HE2015_PLAIN = sources.PLAIN.short
HE2015_CIFAR = sources.HE2015.at("Table 6").short
HE2016 = sources.HE2016.short
CAFFE = sources.CAFFE.short
TORCHVISION = sources.TORCHVISION.short
WIDE = "Zagoruyko 2016, Table 4"
RESNEXT = "Xie 2016, Table 7"
TRICKS = sources.HE2018.at("Table 5").short

UNITS: dict[str, int] = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


class Figure(NamedTuple):
    """One published number.

    quantity: 'params', 'macs', or 'weights' (convolution and linear layers alone, without batch
    norm). value: as printed; unit: one of UNITS.
    """

    quantity: str
    value: str
    unit: str
    source: str

    def agrees(self, count: int) -> bool:
        """Whether an exact count gives this figure, rounded or cut off to its digits.

        He et al. 2015 do both: 7.57 is printed as 7.6, and 3.86 as 3.8.
        """
        digits = self.value.partition(".")[2]
        unit, exact = UNITS[self.unit], count * 10 ** len(digits)
        return int(self.value.replace(".", "")) in ((2 * exact + unit) // (2 * unit), exact // unit)

    @property
    def text(self) -> str:
        """The value as printed: 25,557,032 or 4.089 G."""
        return f"{self.value} {self.unit}" if self.unit else f"{int(self.value):,}"


def _torchvision(params: int, gmacs: str) -> tuple[Figure, ...]:
    exact = Figure("params", str(params), "", TORCHVISION)
    return exact, Figure("macs", gmacs, "G", TORCHVISION)


def _caffe(params: int, macs: int, paper: str) -> tuple[Figure, ...]:
    return (
        Figure("params", str(params), "", CAFFE),
        Figure("macs", str(macs), "", CAFFE),
        Figure("macs", paper, "G", HE2015),
    )


def _millions(value: str, source: str, quantity: str = "params") -> tuple[Figure, ...]:
    return (Figure(quantity, value, "M", source),)


PUBLISHED: dict[str, tuple[Figure, ...]] = {
    "resnet18": (*_torchvision(11689512, "1.814"), Figure("macs", "1.8", "G", HE2015)),
    "resnet34": (*_torchvision(21797672, "3.664"), Figure("macs", "3.6", "G", HE2015)),
    "resnet50": (*_torchvision(25557032, "4.089"), Figure("macs", "4.1", "G", TRICKS)),
    "resnet101": _torchvision(44549160, "7.801"),
    "resnet152": _torchvision(60192808, "11.514"),
    "resnext50_32x4d": _torchvision(25028904, "4.23"),
    "resnext101_32x8d": _torchvision(88791336, "16.414"),
    "resnext101_64x4d": _torchvision(83455272, "15.46"),
    "wide_resnet50_2": _torchvision(68883240, "11.398"),
    "wide_resnet101_2": _torchvision(126886696, "22.753"),
    "resnet50_v1": _caffe(25557096, 3857973248, "3.8"),
    "resnet101_v1": _caffe(44549160, 7570194432, "7.6"),
    "resnet152_v1": _caffe(60192808, 11282415616, "11.3"),
    "resnet50c": (Figure("macs", "4.3", "G", TRICKS),),
    "resnet50d": (Figure("macs", "4.3", "G", TRICKS),),
    "vgg11": _torchvision(132863336, "7.609"),
    "vgg13": _torchvision(133047848, "11.308"),
    "vgg16": _torchvision(138357544, "15.47"),
    "vgg19": (*_torchvision(143667240, "19.632"), Figure("macs", "19.6", "G", HE2015_PLAIN)),
    "vgg11_bn": _torchvision(132868840, "7.609"),
    "vgg13_bn": _torchvision(133053736, "11.308"),
    "vgg16_bn": _torchvision(138365992, "15.47"),
    "vgg19_bn": _torchvision(143678248, "19.632"),
    "regnetx_004_tv": _torchvision(5495976, "0.414"),
    "regnetx_008": _torchvision(7259656, "0.8"),
    "regnetx_016": _torchvision(9190136, "1.603"),
    "regnetx_032": _torchvision(15296552, "3.177"),
    "regnetx_080": _torchvision(39572648, "7.995"),
    "regnetx_160": _torchvision(54278536, "15.941"),
    "regnetx_320": _torchvision(107811560, "31.736"),
    "regnety_004": _torchvision(4344144, "0.402"),
    "regnety_008_tv": _torchvision(6432512, "0.834"),
    "regnety_016": _torchvision(11202430, "1.612"),
    "regnety_032": _torchvision(19436338, "3.176"),
    "regnety_080_tv": _torchvision(39381472, "8.473"),
    "regnety_160": _torchvision(83590140, "15.912"),
    "regnety_320": _torchvision(145046770, "32.28"),
    "regnety_1280": _torchvision(644812894, "127.518"),
    "wrn_16_8": _millions("11.0", WIDE),
    "wrn_28_10": _millions("36.5", WIDE),
    "wrn_40_4": _millions("8.9", WIDE),
    "resnext29_8x64d": _millions("34.4", RESNEXT),
    "resnext29_16x64d": _millions("68.1", RESNEXT),
    "plain34": (Figure("macs", "3.6", "G", HE2015_PLAIN),),
    "resnet20_cifar": _millions("0.27", HE2015_CIFAR),
    "resnet32_cifar": _millions("0.46", HE2015_CIFAR),
    "resnet44_cifar": _millions("0.66", HE2015_CIFAR),
    "resnet56_cifar": _millions("0.85", HE2015_CIFAR),
    "resnet110_cifar": _millions("1.7", HE2015_CIFAR),
    "resnet1202_cifar": _millions("19.4", HE2015_CIFAR),
    "resnet164": _millions("1.7", HE2016),
    # 10,327,706 parameters with batch norm; its convolutions and classifier alone are 10,178,490
    "resnet1001": _millions("10.2", HE2016, "weights"),
}


def figures(model: str) -> tuple[Figure, ...]:
    """What was published about a network of the zoo; nothing for others."""
    return PUBLISHED.get(model, ())


def figures_of(graph: LayerGraph) -> tuple[Figure, ...]:
    """What was published, where the graph is the network that it was published of."""
    if graph.name not in PUBLISHED:
        return ()
    spec = zoo.spec(graph.name)
    wired = graph.spec == spec and graph.input_shape == spec.input_shape
    return figures(graph.name) if wired or graph == layer_graph(spec) else ()


def published_quantity(graph: LayerGraph, quantity: str) -> int:
    """Our count of what a published figure counts: params, macs, or weights without batch norm."""
    if quantity == "weights":
        weighted = [x for x in graph.layers if isinstance(x.op, (Convolution, Linear))]
        return part_cost(graph, weighted).params
    cost = graph_cost(graph)
    return {"params": cost.params, "macs": cost.macs}[quantity]
