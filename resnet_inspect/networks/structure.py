"""Layers, and the modules that they ran in -> blocks and stages.

A traced network says of every layer which modules it ran in. Blocks are found in that tree by
wiring; what modules are called says nothing:

- The network itself, nn.Sequential, and a chain of modules (each takes just what the one before
  gave) in which branches meet are looked into. Any other module that holds weights is a block.
- Layers outside of blocks form blocks of their own: the stem before the first, the head behind the
  last. Where branches part and meet among them (a network without a module tree), what lies
  between two places that a single tensor passes is a block; in a plain chain, a convolution and
  what follows it.

A stage is the blocks of one container at one resolution: it ends where the resolution changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import accumulate, count, groupby, pairwise

from resnet_inspect.networks.graph import HEAD, STEM, Block, Layer, Stage, kinds, span
from resnet_inspect.networks.ops import Activation
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.wiring import is_chain, pieces, sources


@dataclass(frozen=True, slots=True)
class Frame:
    """A call of a module: where it lives, its class's name, and the number of the call."""

    path: str
    kind: str
    call: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer with the modules in which it ran, the network first."""

    layer: Layer
    frames: tuple[Frame, ...]


@dataclass(eq=False, slots=True)
class _Node:
    """A module call that holds the layers from start to end, in a network's running order.

    around: the call it is part of, under `depth` others. items: what ran in it, a layer by its
    place.
    """

    frame: Frame
    start: int
    end: int = 0
    around: _Node | None = None
    depth: int = 0
    items: list[_Node | int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A block to be: a module that is one, or (frame None) layers outside of such modules.

    container: the module in which it stands.
    """

    start: int
    end: int
    container: _Node
    frame: Frame | None = None


def stages(placed: Sequence[Placed]) -> tuple[Stage, ...]:
    """The blocks and stages of a network's layers, given in running order."""
    tree = _Tree(placed)
    units = tree.units()
    if all(unit.frame is None for unit in units):
        units = [part for unit in units for part in _segments(unit, tree)]
    return _staged(_named(units, tree), tree)


class _Tree:
    """The modules that ran, one within another.

    paths: where modules and layers live.
    """

    def __init__(self, placed: Sequence[Placed]) -> None:
        self.layers = tuple(item.layer for item in placed)
        self.paths = {frame.path for item in placed for frame in item.frames}
        self.paths.update(layer.path for layer in self.layers)
        nodes = _grown(placed)
        self.root = nodes[0]
        while len(self.root.items) == 1 and isinstance(self.root.items[0], _Node):
            self.root = self.root.items[0]  # a wrapper around the network
        self.called = {(node.start, node.end): node.frame.path for node in nodes}
        self.place = {layer.name: at for at, layer in enumerate(self.layers)}
        self.owners = {at: node for node in nodes for at in node.items if isinstance(at, int)}
        self.weights = _counted(hasattr(layer.op, "weights") for layer in self.layers)
        self.merges = _counted(map(_merges, self.layers))
        self.fed_by_one: dict[tuple[int, int], bool] = {}

    def units(self) -> list[_Unit]:
        units: list[_Unit] = []
        outside: list[int] = []

        def close() -> None:
            if outside:
                apart = self._apart(outside[0], outside[-1] + 1)
                units.extend(self.outside(start, end) for start, end in apart)
                outside.clear()

        waiting: list[tuple[_Node | int, _Node]] = [(item, self.root) for item in self.root.items]
        waiting.reverse()
        while waiting:
            item, container = waiting.pop()
            if isinstance(item, int):
                outside.append(item)
            elif self._is_block(item):
                close()
                units.append(_Unit(item.start, item.end, container, item.frame))
            else:
                waiting.extend((inner, item) for inner in reversed(item.items))
        close()
        return units

    def outside(self, start: int, end: int, frame: Frame | None = None) -> _Unit:
        """Layers that are no module's as a unit of the innermost module that holds them all."""
        first, last = self.owners[start], self.owners[end - 1]
        while first is not last:
            if first.depth < last.depth:
                first, last = last, first
            first = first.around or last
        whole = (first.start, first.end) == (start, end) and first is not self.root
        return _Unit(start, end, (first.around if whole else None) or first, frame)

    def _apart(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Layers cut where none reads one before the cut."""
        cuts, reach = [end], end
        for at in range(end - 1, start, -1):
            read = (self.place.get(name, -1) for name in self.layers[at].inputs)
            reach = min([reach, *(before for before in read if before >= start)])
            if reach >= at:
                cuts.append(at)
        return pairwise(reversed([*cuts, start]))

    def by_modules(self, unit: _Unit) -> list[_Unit]:
        """Branches as the modules that ran in them; as they are where these are not several."""
        parts: list[_Unit] = []
        last = unit.start
        for item in self.outside(unit.start, unit.end).container.items:
            if isinstance(item, int) or item.end <= unit.start or item.start >= unit.end:
                continue
            if item.start < unit.start or item.end > unit.end:
                return [unit]
            if self.weights[item.start] < self.weights[item.end]:
                if last < item.start:
                    parts.append(self.outside(last, item.start))
                parts.append(_Unit(item.start, item.end, unit.container, item.frame))
                last = item.end
        if last < unit.end:
            parts.append(self.outside(last, unit.end))
        return parts if sum(part.frame is not None for part in parts) > 1 else [unit]

    def _is_block(self, node: _Node) -> bool:
        if node.frame.kind == "Sequential":
            return False
        if self.weights[node.start] == self.weights[node.end]:
            return False  # norm and activation make no block
        inner = [item for item in node.items if isinstance(item, _Node)]
        holds_blocks = any(self.merges[item.start] < self.merges[item.end] for item in inner)
        return not (holds_blocks and self._is_chain(node))

    def _is_chain(self, node: _Node) -> bool:
        runs = [
            (item.start, item.end) if isinstance(item, _Node) else (item, item + 1)
            for item in node.items
        ]
        if len(runs) > 1:
            return is_chain([self.layers[start:end] for start, end in runs])
        (run,) = runs
        if run not in self.fed_by_one:  # wrappers around one another hold the same
            self.fed_by_one[run] = len(sources(self.layers[slice(*run)])) == 1
        return self.fed_by_one[run]


def _grown(placed: Sequence[Placed]) -> list[_Node]:
    """All module calls that hold more than one layer or call, the outer before the inner."""
    nodes = [_Node(placed[0].frames[0], 0)]
    open_nodes = nodes[:]
    for at, item in enumerate(placed):
        depth = 0
        while depth < min(len(open_nodes), len(item.frames)) and (
            open_nodes[depth].frame == item.frames[depth]
        ):
            depth += 1
        depth = max(depth, 1)
        for closed in open_nodes[depth:]:
            closed.end = at
        del open_nodes[depth:]
        for frame in item.frames[depth:]:
            around = open_nodes[-1]
            node = _Node(frame, at, around=around, depth=len(open_nodes))
            around.items.append(node)
            open_nodes.append(node)
            nodes.append(node)
        open_nodes[-1].items.append(at)
    for node in open_nodes:
        node.end = len(placed)
    for node in reversed(nodes):  # put a layer in the place of each module that runs just this one
        node.items = [
            item.start if isinstance(item, _Node) and item.end - item.start == 1 else item
            for item in node.items
        ]
    return [node for node in nodes if node.around is None or node.end - node.start > 1]


def _counted(each: Iterable[bool]) -> list[int]:
    """How many are true before each place."""
    return [0, *accumulate(map(int, each))]


def _merges(layer: Layer) -> bool:
    """Whether branches meet: in an addition or a concatenation, not in a gate."""
    return layer.op.kind in ("Add", "Concat") and len(set(layer.inputs)) > 1


# --- networks without a module tree ------------------------------------------------------------


def _segments(unit: _Unit, tree: _Tree) -> list[_Unit]:
    """A run of layers cut into stem, blocks and head."""
    layers = tree.layers[unit.start : unit.end]
    runs = pieces(layers)
    groups = _residual(runs) if any(len(run) > 1 for run in runs) else _plain(layers)
    ends = accumulate((len(group) for group, _ in groups), initial=unit.start)
    units = [
        tree.outside(start, end, frame)
        for (start, end), (_, frame) in zip(pairwise(ends), groups, strict=True)
    ]
    return [
        part
        for unit in units
        for part in (
            tree.by_modules(unit) if unit.frame and unit.frame.kind == BRANCHES else (unit,)
        )
    ]


BRANCHES = "Branches"
"""The kind of a block that branches and adds nothing up."""

_Group = tuple[list[Layer], Frame | None]


def _residual(runs: Sequence[Sequence[Layer]]) -> list[_Group]:
    """Branching pieces with the activation behind them; what is left between is outside."""
    groups: list[_Group] = []
    for run in runs:
        if len(run) > 1:
            kind = "ResidualBlock" if run[-1].op.kind == "Add" else BRANCHES
            groups.append((list(run), Frame("", kind, len(groups))))
        elif groups and (groups[-1][1] is None or isinstance(run[0].op, Activation)):
            groups[-1][0].extend(run)
        else:
            groups.append((list(run), None))
    return _with_preactivation(groups)


def _with_preactivation(groups: list[_Group]) -> list[_Group]:
    """Layers without weights right before a block belong to it: norm and activation."""
    for (before, outside), (block, frame) in pairwise(groups):
        if frame is None or outside is not None:
            continue
        while before and before is not groups[0][0] and not hasattr(before[-1].op, "weights"):
            block.insert(0, before.pop())
    return [(layers, frame) for layers, frame in groups if layers]


def _plain(layers: Sequence[Layer]) -> list[_Group]:
    """A chain: each convolution with what follows; a layer that shrinks the map begins a block."""
    behind = [at for at, layer in enumerate(layers) if _resolution(layer.output_shape)]
    ends = 1 + max((at for at in behind if hasattr(layers[at].op, "weights")), default=-1)
    while ends < len(layers) and not _shrinks(layers[ends]):
        ends += 1
    groups: list[_Group] = []
    for layer in layers[:ends]:
        begins = hasattr(layer.op, "weights") or _shrinks(layer)
        alone = groups and not any(hasattr(member.op, "weights") for member in groups[-1][0])
        if not groups or (begins and not alone):
            groups.append(([], Frame("", "", len(groups))))
        groups[-1][0].append(layer)
    named: list[_Group] = [
        (members, Frame("", kinds(members), at)) for at, (members, _) in enumerate(groups)
    ]
    return [*named, (list(layers[ends:]), None)] if ends < len(layers) else named


def _shrinks(layer: Layer) -> bool:
    entering = layer.input_shapes[:1]  # a tensor that the network itself makes takes none
    return any(_resolution(layer.output_shape) != _resolution(shape) for shape in entering)


def _resolution(shape: Shape) -> Shape:
    """Height and width of a map of features; () for anything else."""
    return shape[1:] if len(shape) > 1 else ()


# --- names and stages --------------------------------------------------------------------------


class _Names:
    """Names that are given once, and are a module's path only where they are of that module."""

    def __init__(self, paths: Set[str]) -> None:
        self.paths = paths
        self.given: set[str] = set()

    def give(self, name: str) -> str:
        """The name, or the first of name_2, name_3, .. that nothing has: a module called again."""
        unique, number = name, 1
        while unique in self.given or (number > 1 and unique in self.paths):
            number += 1
            unique = f"{name}_{number}"
        self.given.add(unique)
        return unique


def _named(units: Sequence[_Unit], tree: _Tree) -> list[tuple[_Unit, Block]]:
    names = _Names(tree.paths)
    blocks = []
    for at, unit in enumerate(units):
        layers = tree.layers[unit.start : unit.end]
        path = tree.called.get((unit.start, unit.end), "")
        name = path or span(layers)
        kind = unit.frame.kind if unit.frame else kinds(layers)
        if unit.frame is not None:
            path = unit.frame.path
            name = path or name
        elif at in (0, len(units) - 1) and len(units) > 1:
            kind = HEAD if at else STEM
            ours = kind.lower()
            name = name if ours in tree.paths and path != ours else ours
            path = ""
        blocks.append((unit, Block(names.give(name), path, kind, layers)))
    return blocks


def _staged(blocks: Sequence[tuple[_Unit, Block]], tree: _Tree) -> tuple[Stage, ...]:
    def place(pair: tuple[_Unit, Block]) -> tuple[str, str, Shape]:
        unit, block = pair
        edge = block.kind if unit.frame is None and (block.is_stem or block.is_head) else ""
        return edge, unit.container.frame.path, _resolution(block.output.output_shape)

    found: list[Stage] = []
    names, numbers = _Names(tree.paths), count(1)
    for (edge, container, _), run in groupby(blocks, key=place):
        units, members = zip(*run, strict=True)
        starts, ends = units[0].container.start, units[-1].container.end
        if not edge and container and (starts, ends) == (units[0].start, units[-1].end):
            name, path = container, container  # it holds these blocks and no others
        elif len(members) == 1 and (edge or members[0].path or not container):
            name, path = members[0].name, members[0].path
        else:
            free = (name for name in map("stage{}".format, numbers) if name not in tree.paths)
            name, path = next(free), container
        found.append(Stage(names.give(name), path, members))
    return tuple(found)
