"""Where a number that somebody printed comes from: which counter, of which variant of a network.

Every total that a counter gives (counting/conventions.py) and every way of counting parameters is
compared with it, for the network as it is and for what people mean by the same name: another input,
depth, number of classes, v1 for v1.5, another shortcut or stem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from resnet_inspect.counting.conventions import CONVENTIONS, EARLIER, count, total_terms, weigh
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.published import UNITS, Figure, published_quantity
from resnet_inspect.errors import InspectError, ShapeError, SpecError
from resnet_inspect.networks import zoo
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.naming import show_fields
from resnet_inspect.networks.resnet import layer_graph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.spec import FIELDS, ResNetSpec
from resnet_inspect.tables.columns import Column, columns
from resnet_inspect.tables.table import Table

SIZES = (32, 64, 96, 112, 128, 160, 176, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)
"""Heights and widths of inputs that papers and model zoos report."""

CLASSES = (10, 100, 365, 1000, 10450, 11221, 21841)
"""CIFAR, Places365, ImageNet, and the cuts of ImageNet-21k and -22k that weights come with."""

MOST, FEW = 12, 6
"""Rows of the answer: the most that give the total, and the nearest where none does."""

_NUMBER = re.compile(r"([\d,_]+(?:\.\d+)?)\s*([KMGB]?)(?:i?FLOPs|MACs?|Params)?", re.IGNORECASE)


class _Guess(NamedTuple):
    """A total: of which network, how far that is from the one in question, and who counts it."""

    network: LayerGraph
    distance: int
    total: int
    counters: tuple[str, ...]


def printed(text: str) -> Figure:
    """A number as somebody printed it: '4.12G', '25,557,032', '4.1 GMACs'; B is a billion, as G.

    Raises InspectError.
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise InspectError(f"{text!r} is not a total; give one such as 4.12G, 25.6M or 25557032")
    value, unit = found[1].replace(",", "").replace("_", ""), found[2].upper().replace("B", "G")
    if "." in value and not unit:
        raise InspectError(f"{text!r} is not a whole number; give its unit: {text}G or {text}M")
    if not float(value):
        raise InspectError("a total of 0 says nothing; give one such as 4.12G")
    return Figure("total", value, unit, "")


def find_total(graph: LayerGraph, text: str) -> Table:
    """Which counters, of which variants of a network, give all digits of a total, or nearly.

    Only networks that a spec describes have variants. Raises InspectError for what is no number.
    """
    figure = printed(text)
    wanted = float(figure.value) * UNITS[figure.unit]
    own = _totals(graph)
    variants = [(network, distance, _totals(network)) for network, distance in _variants(graph)]
    guesses = [_Guess(graph, 0, total, who) for total, who in _merged(own).items()]
    for network, distance, totals in variants:
        # Where a counter does not see the change, the network itself says all.
        told = {who: total for who, total in totals.items() if total != own[who]}
        merged = _merged(told).items()
        guesses += [_Guess(network, distance, total, who) for total, who in merged]

    def nearness(guess: _Guess) -> tuple[int, float]:
        return guess.distance, abs(guess.total - wanted)

    given = sorted((guess for guess in guesses if figure.agrees(guess.total)), key=nearness)
    nearest = sorted(guesses, key=lambda guess: abs(guess.total - wanted) * (1 + guess.distance))
    likely = [guess for guess in given if guess.distance <= given[0].distance + 1]
    rows = likely[:MOST] or nearest[:FEW]
    return Table(
        f"{figure.text}: what gives it, from {graph.name} at {graph.shown_inputs}",
        (
            *columns("text", model="Network", input="Input"),
            Column("total", "Total", "count"),
            *(() if given else (Column("difference", "Off by", "percent"),)),
            Column("counted", "Counted by", "prose"),
        ),
        tuple(
            {
                "model": guess.network.name,
                "input": guess.network.shown_inputs,
                "total": guess.total,
                "difference": guess.total / wanted - 1,
                "counted": ", ".join(guess.counters),
            }
            for guess in rows
        ),
        meta={"model": graph.name, "total": figure.text, "found": len(given)},
        notes=(_said(figure, (len(rows), len(given)), len(variants) + 1, len(own)),),
    )


def _said(figure: Figure, found: tuple[int, int], networks: int, counters: int) -> str:
    shown, given = found
    tried = f"{networks} networks, each counted in {counters} ways"
    if not given:
        return f"No total of {tried}, is {figure.text}; these are the nearest."
    more = f"; the {shown} likeliest are shown" if given > shown else ""
    return f"{given} totals of {tried}, give it, rounded or cut off to its digits{more}."


def _merged(totals: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """Who counts each total."""
    merged: dict[int, tuple[str, ...]] = {}
    for who, total in totals.items():
        merged[total] = (*merged.get(total, ()), who)
    return merged


def _totals(graph: LayerGraph) -> dict[str, int]:
    """Every total of a network, by who counts so."""
    # Every counter sees all of what a spec describes, so its terms are added up once.
    terms = total_terms(graph) if graph.run is None else None
    totals = {
        f"{each.label} {each.version}".strip(): (
            count(graph, each) if terms is None else weigh(each.coefficients, terms)
        )
        for each in (*CONVENTIONS.values(), *EARLIER)
    }
    whole = graph_cost(graph)
    return {
        **totals,
        "parameters": whole.params,
        "parameters without batch norm": published_quantity(graph, "weights"),
        "entries of the state dict": whole.params + whole.buffers,
    }


def _variants(graph: LayerGraph) -> Iterator[tuple[LayerGraph, int]]:
    """What goes by the same name, or nearly, with how unlikely it is to be meant.

    Another input, v1, other depths of the family, other classes; two of these; other fields.
    """
    if (spec := graph.spec) is None:
        return
    own: Shape = graph.input_shape[1:]
    squares: list[Shape] = [(size, size) for size in SIZES]
    other_stride = {"1x1": "3x3", "3x3": "1x1"}[spec.stride_in]
    near = _changed(spec, [{"stride_in": other_stride}] if spec.block == "bottleneck" else [])
    near += [zoo.spec(name) for name in _siblings(spec)]
    classes = _changed(spec, [{"classes": classes} for classes in CLASSES])
    wanted = [(spec, at, 1) for at in squares]
    wanted += [(other, own, 1) for other in (*near, *classes)]
    wanted += [(other, at, 2) for other in near for at in squares]
    wanted += [(other, own, 3) for other in _changed(spec, _unlikely(spec))]
    seen = {(spec, own)}
    for other, at, distance in wanted:
        if (other, at) in seen:
            continue
        seen.add((other, at))
        with suppress(ShapeError):  # an input too small for it
            yield layer_graph(other, (other.in_channels, *at)), distance


def _changed(spec: ResNetSpec, changes: Iterable[Mapping[str, Any]]) -> list[ResNetSpec]:
    """Variants of a spec that can be, by the names that they have inline."""
    variants = []
    for change in changes:
        with suppress(SpecError):
            name = f"{spec.name}[{show_fields(dict(change))}]"
            variants.append(spec.with_changes({"name": name, **change}))
    return variants


def _unlikely(spec: ResNetSpec) -> Iterator[Mapping[str, Any]]:
    for name in ("shortcut", "stem", "order"):
        yield from ({name: word} for word in FIELDS[name].choices if word != getattr(spec, name))
    yield {"shortcut_norm": not spec.shortcut_norm}
    yield {"se_reduction": 0 if spec.se_reduction else 16}
    yield {"bias": () if spec.bias else FIELDS["bias"].choices}


def _siblings(spec: ResNetSpec) -> list[str]:
    """The zoo's networks of the same family, and what was published under the same name."""
    name = spec.name.partition("[")[0]
    if name not in zoo.ZOO:
        return []
    family = zoo.ZOO[name].family
    others = [other for other, entry in zoo.ZOO.items() if entry.family == family]
    same = {name.removesuffix("_v1"), f"{name}_v1"} & zoo.ZOO.keys()
    return [*same, *others]
