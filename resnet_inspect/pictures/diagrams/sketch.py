"""A network while it is drawn: the facts that its boxes show, and where its layers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from resnet_inspect.counting.costs import Cost, part_cost
from resnet_inspect.counting.field import ReceptiveField
from resnet_inspect.networks.graph import Layer, LayerGraph
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.wiring import Shortcut
from resnet_inspect.pictures.diagrams import labels
from resnet_inspect.pictures.diagrams.cells import Readers, takes_piece
from resnet_inspect.pictures.diagrams.fills import Fills
from resnet_inspect.pictures.diagrams.style import Change, Changes, Style
from resnet_inspect.pictures.themes import Theme
from resnet_inspect.tables.network import Row

Wire = tuple[str, str]
"""A layer or input, and a layer that reads it."""


@dataclass(frozen=True)
class Sketch:
    """One network of a picture.

    names: what its parts are called, by their own names. edge_labels: whether edges say the shapes
    of what passes. takes, gives: the boxes that take in what a layer reads, and that put out what
    it makes. passed: for layers that a shortcut's line stands for, what they read. unit_of: the
    unit of a layer. forks: the point at which a unit takes a tensor, where several of its boxes
    do. cuts: the shortcuts; strokes: their wires, with their kind; gates: the wires of gates. kept:
    outputs of units that have the shape of what the unit takes.
    """

    graph: LayerGraph
    style: Style
    fills: Fills
    whole: Cost
    fields: Mapping[str, ReceptiveField | None]
    readers: Readers
    changes: Changes
    names: Mapping[str, str]
    edge_labels: bool = True
    takes: dict[str, str] = field(default_factory=dict)
    gives: dict[str, str] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    unit_of: dict[str, str] = field(default_factory=dict)
    forks: dict[tuple[str, str], str] = field(default_factory=dict)
    strokes: dict[Wire, str] = field(default_factory=dict)
    gates: set[Wire] = field(default_factory=set)
    cuts: list[Shortcut] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    notes: dict[object, str] = field(default_factory=dict)

    @property
    def theme(self) -> Theme:
        return self.style.theme

    def called(self, name: str) -> str:
        """A stage, block or layer by the name that the caller wants."""
        return self.names.get(name, name)

    def became(self, box: str) -> Change:
        """What became of a box, where two networks are told apart."""
        return self.changes.get(box, Change())

    def put(self, box: str, layers: Iterable[Layer]) -> None:
        """Say which layers a box stands for."""
        for layer in layers:
            self.takes[layer.name] = self.gives[layer.name] = box

    def shape_of(self, name: str) -> Shape:
        """The shape of what a layer puts out, or of an input."""
        layer = self.graph.by_name.get(name)
        return self.graph.inputs[name] if layer is None else layer.output_shape

    def origin(self, name: str) -> str:
        """Where a tensor comes from that lines without a box pass on."""
        while name in self.passed:
            name = self.passed[name]
        return name

    def piece(self, layer: Layer) -> bool:
        """Whether a layer only takes the piece of a tensor that the box of another works on."""
        box = self.graph.by_name.get(self.takes.get(layer.name, ""))
        return takes_piece(layer) and box is not None and not takes_piece(box)

    def row(self, name: str, kind: str, layers: Sequence[Layer]) -> Row:
        """The table's row for some layers."""
        spent = part_cost(self.graph, layers)
        seen = self.fields[layers[-1].name]
        return Row(name, layers[-1].path, kind, "", "", tuple(layers), spent, seen, self.whole, 4)

    def note(self, name: str, layers: Sequence[Layer]) -> str:
        """The tooltip of layers that form one row of the table."""
        facts = tuple((each.op, each.input_shapes, each.output_shape) for each in layers)
        seen = (self.fields[layers[-1].name],)
        for key, columns in ((facts, labels.FACTS), (seen, labels.SIGHT)):
            if key not in self.notes:
                row = self.row(name, "layer", layers)
                self.notes[key] = "".join(f"\n{line}" for line in labels.columns(row, columns))
        return f"{self.called(name)}{self.notes[facts]}{self.notes[seen]}"
