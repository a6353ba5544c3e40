"""Layers to be of an ONNX graph: what a node computes, what it is called, what to say of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from resnet_inspect.errors import ShapeError
from resnet_inspect.networks import ops
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.shapes import Shape
from resnet_inspect.networks.torch_ops import Conv, Opaque, Pool
from resnet_inspect.reading import onnx_ops as _ops  # noqa: F401  (registers rules)
from resnet_inspect.reading import onnx_products as _products  # noqa: F401  (registers rules)
from resnet_inspect.reading.onnx_calls import RULES, Call
from resnet_inspect.reading.onnx_file import File, printable
from resnet_inspect.reading.onnx_scopes import Frames
from resnet_inspect.reading.onnx_values import Value


@dataclass(eq=False, slots=True)
class Draft:
    """A layer without its name. label: what it is called if nothing else is; path: where its
    weights live; uses: their names."""

    label: str
    path: str
    op: Op
    inputs: tuple[Value, ...]
    output: Shape
    frames: Frames
    uses: tuple[str, ...]


def computed(node: onnx.NodeProto, call: Call, seen: bool) -> list[Op]:
    """What a node computes; Opaque where no rule knows, or some shape is not known."""
    rule = RULES.get(call.kind)
    if rule is not None and seen and all(value.dims is not None for value in call.feeds):
        try:
            made = rule(call)
            found = [made] if isinstance(made, Op) else [*(made or ())]
            shapes = call.shapes
            for op in found:
                shapes = [_fits(node, op, shapes)]
            if not found or (
                shapes[0] == call.output and sum(op.params for op in found) == call.params
            ):
                return found
        except ShapeError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError):
            pass  # a way of calling it that the rule does not know
    return [Opaque(clean(node.op_type), call.output, call.params, call.buffers)]


def _fits(node: onnx.NodeProto, op: Op, shapes: Sequence[Shape]) -> Shape:
    """What an op gives; raises ShapeError where the network's input is to blame."""
    try:
        return op.output_shape(*shapes)
    except ShapeError as error:
        window = (ops.Conv2d, Conv, ops.Linear, ops.Pool2d, Pool)
        if isinstance(op, window):
            name = clean(node.name) or node.op_type
            raise ShapeError(f"layer {name} ({op.kind}) {error}") from None
        raise ValueError(str(error)) from None


def under(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


def clean(name: str) -> str:
    """A name without slashes, and without the numbers that TensorFlow's converter adds."""
    return re.sub(r"(__\d+)+$", "", printable(name)).strip("/").replace("/", ".")


def unique_names(drafts: Sequence[Draft], taken: set[str]) -> list[str]:
    """Unique names: a module's where it does this alone, else labels, numbered if need be."""
    kinds: dict[str, set[str]] = {}
    for draft in drafts:
        kinds.setdefault(draft.frames[-1].path, set()).add(draft.op.kind)
    holders = {frame.path for draft in drafts for frame in draft.frames[:-1]}
    alone = {path for path, ops in kinds.items() if path and len(ops) == 1} - holders
    labels = [path if (path := draft.frames[-1].path) in alone else draft.label for draft in drafts]
    count, used = Counter(labels), Counter[str]()
    taken |= {label for label, times in count.items() if times == 1}
    names = []
    for label in labels:
        name = label
        while count[label] > 1 or (name in taken and label not in taken):
            used[label] += 1
            name = f"{label}{'_' if label[-1].isdigit() else ''}{used[label]}"
            if name not in taken:
                break
        taken.add(name)
        names.append(name)
    return names


_FOLDED = re.compile(r"onnx::Conv_\d+ onnx::Conv_\d+|.*(fused_?bn|bn_?fused|_bn_offset|Fold).*")
"""What exporters call a kernel and a bias into which they folded batch norm."""


def notes(file: File) -> tuple[str, ...]:
    """What there is to say of a file besides its layers."""
    found = []
    rules = (p.value for n in file.nodes for p in n.metadata_props if p.key.endswith("rule_name"))
    convolutions = (" ".join(n.input[1:3]) for n in file.nodes if n.op_type == "Conv")
    if any("FuseBatchNorm" in rule for rule in rules) or any(map(_FOLDED.match, convolutions)):
        found.append(
            "The exporter folded batch norm into convolutions: parameters are counted as the file "
            "has them, a bias for a scale, a shift and statistics."
        )
    copies = sum(
        node.op_type == "Identity" and node.input[0] in file.weights for node in file.nodes
    )
    if copies:
        found.append(
            f"The exporter stored tensors of equal values once: {copies} further uses of them add "
            "no parameters."
        )
    return tuple(found)
