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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from resnet_inspect.networks.graph import HEAD, STEM, Block, Layer, Stage
from resnet_inspect.networks.ops import Activation, Shape
from resnet_inspect.networks.wiring import is_chain, pieces


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


@dataclass
class _Node:
    """A module call with what ran in it, in running order."""

    frame: Frame
    items: list[_Node | Layer] = field(default_factory=list)

    @property
    def layers(self) -> list[Layer]:
        return [layer for item in self.items for layer in _members(item)]


def _members(item: _Node | Layer) -> list[Layer]:
    return item.layers if isinstance(item, _Node) else [item]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A block to be: a module that is one, or (frame None) layers outside of such modules.

    container: the path of the module in which it stands; around: the module that holds just this.
    """

    layers: tuple[Layer, ...]
    container: str
    frame: Frame | None = None
    around: str = ""


def stages(placed: Sequence[Placed]) -> tuple[Stage, ...]:
    """The blocks and stages of a network's layers, given in running order."""
    units = _units(_tree(placed))
    if all(unit.frame is None for unit in units):
        units = [part for unit in units for part in _segments(unit)]
    return _staged(_named(units))


def _tree(placed: Sequence[Placed]) -> _Node:
    root = _Node(placed[0].frames[0])
    open_nodes = [root]
    for item in placed:
        depth = 0
        while depth < min(len(open_nodes), len(item.frames)) and (
            open_nodes[depth].frame == item.frames[depth]
        ):
            depth += 1
        del open_nodes[depth:]
        for frame in item.frames[depth:]:
            node = _Node(frame)
            open_nodes[-1].items.append(node)
            open_nodes.append(node)
        open_nodes[-1].items.append(item.layer)
    _collapse(root)
    while len(root.items) == 1 and isinstance(root.items[0], _Node):
        root = root.items[0]  # a wrapper around the network
    return root


def _collapse(node: _Node) -> None:
    """Put a layer in the place of each module that runs just this one."""
    for at, item in enumerate(node.items):
        if isinstance(item, _Node):
            _collapse(item)
            if len(item.items) == 1 and isinstance(item.items[0], Layer):
                node.items[at] = item.items[0]


def _units(root: _Node) -> list[_Unit]:
    units: list[_Unit] = []

    def look_into(node: _Node) -> None:
        for item in node.items:
            if isinstance(item, Layer):
                units.append(_Unit((item,), node.frame.path))
            elif _is_block(item):
                units.append(_Unit(tuple(item.layers), node.frame.path, item.frame))
            else:
                look_into(item)

    look_into(root)
    modules = {_names(node.layers): node.frame.path for node in _nodes(root)}
    joined: list[_Unit] = []
    for outside, run in groupby(units, key=lambda unit: unit.frame is None):
        members = list(run)
        if outside:
            layers = tuple(layer for unit in members for layer in unit.layers)
            around = modules.get(_names(layers), "")
            container = around.rpartition(".")[0] if around else members[0].container
            members = [_Unit(layers, container, around=around)]
        joined.extend(members)
    return joined


def _names(layers: Iterable[Layer]) -> tuple[str, ...]:
    return tuple(layer.name for layer in layers)


def _nodes(node: _Node) -> Iterator[_Node]:
    """A module call and all in it, the innermost last."""
    yield node
    for item in node.items:
        if isinstance(item, _Node):
            yield from _nodes(item)


def _is_block(node: _Node) -> bool:
    if node.frame.kind == "Sequential":
        return False
    layers = node.layers
    if not any(hasattr(layer.op, "weights") for layer in layers):
        return False  # norm and activation make no block
    holds_blocks = any(_merges(item.layers) for item in node.items if isinstance(item, _Node))
    return not (holds_blocks and is_chain([_members(item) for item in node.items]))


def _merges(layers: Iterable[Layer]) -> bool:
    """Whether branches meet: in an addition or a concatenation, not in a gate."""
    return any(
        len(set(layer.inputs)) > 1 and layer.op.kind in ("Add", "Concat") for layer in layers
    )


# --- networks without a module tree ------------------------------------------------------------


def _segments(unit: _Unit) -> list[_Unit]:
    """A run of layers cut into stem, blocks and head."""
    runs = pieces(unit.layers)
    groups = _residual(runs) if any(len(run) > 1 for run in runs) else _plain(unit.layers)
    return [_Unit(tuple(group), unit.container, frame) for group, frame in groups]


_Group = tuple[list[Layer], Frame | None]


def _residual(runs: Sequence[Sequence[Layer]]) -> list[_Group]:
    """Branching pieces with the activation behind them; what is left between is outside."""
    groups: list[_Group] = []
    for run in runs:
        if len(run) > 1:
            kind = "ResidualBlock" if run[-1].op.kind == "Add" else "Branches"
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
        (members, Frame("", _kinds(members), at)) for at, (members, _) in enumerate(groups)
    ]
    return [*named, (list(layers[ends:]), None)] if ends < len(layers) else named


def _kinds(layers: Iterable[Layer]) -> str:
    return "-".join(dict.fromkeys(layer.op.kind for layer in layers))


def _shrinks(layer: Layer) -> bool:
    entering = layer.input_shapes[:1]  # a tensor that the network itself makes takes none
    return any(_resolution(layer.output_shape) != _resolution(shape) for shape in entering)


def _resolution(shape: Shape) -> Shape:
    """Height and width of a map of features; () for anything else."""
    return shape[1:] if len(shape) > 1 else ()


# --- names and stages --------------------------------------------------------------------------


def _named(units: Sequence[_Unit]) -> list[tuple[_Unit, Block]]:
    taken: dict[str, int] = {}
    blocks = []
    for at, unit in enumerate(units):
        if unit.frame is not None:
            path, kind = unit.frame.path, unit.frame.kind
            name = path or unit.layers[0].name
        elif at == 0 and len(units) > 1:
            name, path, kind = "stem", "", STEM
        elif at == len(units) - 1 and len(units) > 1:
            name, path, kind = "head", "", HEAD
        else:
            path, kind = unit.around, _kinds(unit.layers)
            name = path or unit.layers[0].name
        taken[name] = taken.get(name, 0) + 1
        unique = name if taken[name] == 1 else f"{name}_{taken[name]}"
        blocks.append((unit, Block(unique, path, kind, unit.layers)))
    return blocks


def _staged(blocks: Sequence[tuple[_Unit, Block]]) -> tuple[Stage, ...]:
    def place(pair: tuple[_Unit, Block]) -> tuple[str, str, Shape]:
        unit, block = pair
        edge = block.kind if unit.frame is None and (block.is_stem or block.is_head) else ""
        return edge, unit.container, _resolution(block.output.output_shape)

    runs = [(key, [block for _, block in run]) for key, run in groupby(blocks, key=place)]
    containers = [container for (edge, container, _), _ in runs if not edge]
    found: list[Stage] = []
    numbered = 0
    for (edge, container, _), members in runs:
        inside = [other for other in containers if f"{other}.".startswith(f"{container}.")]
        if not edge and container and len(inside) == 1:
            name, path = container, container  # it holds these blocks and no others
        elif len(members) == 1:
            name, path = members[0].name, members[0].path
        else:
            numbered += 1
            name, path = f"stage{numbered}", container
        while any(stage.name == name for stage in found):
            name += "_"  # a container that is called again
        found.append(Stage(name, path, tuple(members)))
    return tuple(found)
