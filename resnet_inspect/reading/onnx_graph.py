"""An .onnx file -> LayerGraph.

    graph = resnet_inspect.graph("model.onnx")

Nodes are read in the file's order. Those that the network's input reaches become layers, by the
rules of onnx_ops.py; shapes, and what is constant, come from onnx_values.py; blocks and stages from
the exporter's scopes (onnx_scopes.py) or from the wiring. An operator without a rule is an Opaque
layer, and so is one whose shapes ONNX cannot tell: totals with such are lower bounds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from resnet_inspect.counting import torch_op_rules as _costs  # noqa: F401  (registers rules)
from resnet_inspect.errors import FormatError, InspectError, ShapeError
from resnet_inspect.networks import ops
from resnet_inspect.networks.graph import INPUT, Layer, LayerGraph, in_network
from resnet_inspect.networks.ops import Op
from resnet_inspect.networks.run import Input, Unmade
from resnet_inspect.networks.structure import Frame, Placed, stages
from resnet_inspect.networks.torch_ops import View
from resnet_inspect.reading import onnx_ops
from resnet_inspect.reading.onnx_calls import Call, attributes, captured_names
from resnet_inspect.reading.onnx_file import (
    LARGEST,
    Dims,
    File,
    Weight,
    is_float,
    printable,
    read,
    taken,
    words,
)
from resnet_inspect.reading.onnx_inputs import Entry, entries
from resnet_inspect.reading.onnx_layers import Draft, clean, computed, notes, under, unique_names
from resnet_inspect.reading.onnx_ops import given_order
from resnet_inspect.reading.onnx_products import RECURRENT
from resnet_inspect.reading.onnx_scopes import Frames, frames
from resnet_inspect.reading.onnx_values import (
    Source,
    Value,
    folded,
    infer,
    known,
    ordered,
    standard,
)
from resnet_inspect.reading.onnx_weights import Weights


def graph(path: str, given: Sequence[Input] = ()) -> LayerGraph:
    """The LayerGraph of an .onnx file, for one sample.

    given: inputs, by name or in order, in the place of what the file says of them; it may leave
    sizes open. Raises FormatError for a file that is none, ShapeError where an input does not fit.
    """
    try:
        return _read(path, given)
    except InspectError:
        raise
    except _BROKEN:
        raise FormatError(f"{path} is not an ONNX file, or a damaged one") from None


_BROKEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What becomes of names, numbers and lists that are not there, or are something else."""


def _read(path: str, given: Sequence[Input]) -> LayerGraph:
    file = read(path)
    entering = entries(file, given)
    scopes = frames(file.nodes)
    reader = _Reader(file, entering, scopes, bool(given))
    try:
        reader.nodes(file.nodes, scopes)
    except ShapeError as error:
        shape = Value(entering[0].dims, 1, order=entering[0].order).sample(entering[0].batch)
        raise in_network(path, shape, error) from None
    if not reader.drafts:
        raise FormatError(f"{path} computes nothing: its output is its input")
    return reader.graph()


class _Reader:
    def __init__(
        self, file: File, entering: Sequence[Entry], scopes: Sequence[Frames], resized: bool
    ) -> None:
        self.file, self.entering = file, entering
        self.batch = entering[0].batch
        # What the file notes down holds for its own sizes.
        self.noted = {} if resized else file.types
        self.weights = Weights(file)
        self.values = {
            name: Value(weight.dims, weight.type, weights=(name,), data=weight.data)
            for name, weight in file.weights.items()
        }
        for entry in entering:
            self.values[entry.name] = Value(entry.dims, entry.type, entry, entry.order)
        self.drafts: list[Draft] = []
        self.paths: dict[tuple[str, ...], str] = {}
        self.places: set[str] = set()
        self.readers = Counter(name for node in file.nodes for name in node.input)
        self.readers.update(file.outputs)
        self.scoped = any(len(chain) > 1 for chain in scopes)
        self.moved: dict[tuple[int, tuple[int, ...]], Value] = {}

    def nodes(self, nodes: Iterable[onnx.NodeProto], scopes: Iterable[Frames]) -> None:
        for node, around in zip(nodes, scopes, strict=True):
            try:
                self._node(node, around)
            except InspectError:
                raise
            except _BROKEN:
                raise FormatError(
                    f"{self.file.path}: node {node.name[:100]!r} is not what ONNX says of "
                    f"{node.op_type[:100]!r}"
                ) from None

    # --- nodes -------------------------------------------------------------------------------

    def _node(self, node: onnx.NodeProto, around: Frames) -> None:
        if node.op_type == "Constant" and not standard(node.domain):
            self._constant(node)
            return
        for name in node.input:
            if name and name not in self.values:
                raise FormatError(
                    f"{self.file.path}: node {node.name or node.op_type!r} reads {name!r}, which "
                    "nothing before it makes"
                )
        if node.op_type == "If" and self._branch(node, around):
            return
        captured = [self.values[name] for name in captured_names(node) if name in self.values]
        inputs = [self.values[name] if name else None for name in node.input]
        found = self._found(node)
        if not any(value is not None and value.source for value in (*inputs, *captured)):
            self._made(node, [value for value in (*inputs, *captured) if value], found)
        elif node.op_type == "Shape" or node.op_type == "Size":
            self._made(node, [], found)
        elif node.op_type == "Transpose" and inputs[0] and inputs[0].dims is not None:
            perm = attributes(node).get("perm") or range(len(inputs[0].dims))[::-1]
            moved = ordered(inputs[0], tuple(perm))
            self.values[node.output[0]] = moved if moved.laid_out else self._in_place(moved, around)
        elif not self._bias(node, inputs):
            self._layer(node, [*inputs, *captured], found, around)

    def _found(self, node: onnx.NodeProto) -> dict[str, tuple[Any, int]]:
        """What is known of a node's outputs; raises ShapeError where a size cannot be."""
        found = infer(node, self.values, self.file.opsets)
        for name in node.output:
            dims, kind = found.get(name, (None, 0))
            if dims is None and name in self.noted:
                dims, noted = known(self.noted[name], self.batch)
                found[name] = dims, kind or noted
            if dims is not None and max(dims, default=0) > LARGEST:
                raise FormatError(f"{self.file.path}: {name!r} has the impossible shape {dims}")
        if node.op_type in onnx_ops.SAME_SHAPE and standard(node.domain):
            first = self.values[node.input[0]]
            found[node.output[0]] = first.dims, first.type
        return found

    def _constant(self, node: onnx.NodeProto) -> None:
        name, value = node.output[0], next(iter(node.attribute), None)
        if value is not None and value.HasField("t"):
            weight = taken(value.t, self.file.path, self.file.constants)
        else:
            given = onnx.helper.get_attribute_value(value) if value else 0
            data = np.array(0 if isinstance(given, (bytes, onnx.SparseTensorProto)) else given)
            kind = onnx.TensorProto.FLOAT if data.dtype.kind == "f" else onnx.TensorProto.INT64
            weight = Weight(data.shape, kind, data, self.file.constants)
        self.weights.by_name[name] = weight
        self.values[name] = Value(weight.dims, weight.type, weights=(name,), data=weight.data)

    def _made(self, node: onnx.NodeProto, parts: Sequence[Value], found: Any) -> None:
        """What is made of constants is a constant, made of the same weights."""
        data = folded(node, self.values, found, self.file.opsets.get("", 1))
        holders = parts[:1] if node.op_type in _FIRST else parts
        made_of = tuple(dict.fromkeys(name for part in holders for name in part.weights))
        for name in node.output:
            dims, kind = found.get(name, (None, onnx.TensorProto.FLOAT))
            own = data.get(name)
            dims = dims if own is None else own.shape
            self.values[name] = Value(dims, kind, weights=made_of, data=own)

    def _branch(self, node: onnx.NodeProto, around: Frames) -> bool:
        """Read the branch of an If whose condition is known."""
        condition = self.values[node.input[0]].data
        if condition is None or condition.size != 1:
            return False
        name = "then_branch" if condition.item() else "else_branch"
        branch = next((each.g for each in node.attribute if each.name == name), None)
        if branch is None:
            return False
        self.nodes(branch.node, [around] * len(branch.node))
        for ours, theirs in zip(node.output, branch.output, strict=False):
            self.values[ours] = self.values[theirs.name]
        return True

    def _bias(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> bool:
        """Add a learned constant to the convolution or matrix that it follows, as its bias."""
        if node.op_type != "Add" or len(inputs) != 2 or None in inputs:
            return False
        place = 0 if inputs[0] and inputs[0].source else 1
        value, bias = inputs[place], inputs[1 - place]
        assert value is not None
        assert bias is not None
        draft = value.source
        if not isinstance(draft, Draft) or bias.source or not value.dims or not bias.dims:
            return False
        op, width = draft.op, bias.dims.index(max(bias.dims)) - len(bias.dims)
        linear = isinstance(op, ops.Linear)
        if not (linear or isinstance(op, ops.Convolution)) or self.readers[node.input[place]] > 1:
            return False
        assert isinstance(op, (ops.Linear, ops.Convolution))
        outside = op.out_features if isinstance(op, ops.Linear) else op.out_channels
        axis = value.axes[width] if len(bias.dims) <= len(value.dims) else 0
        names = self.weights.learned(node, inputs)
        wanted = len(value.dims) - 1 if linear else 1
        if op.bias or getattr(op, "made_of", None) or axis != wanted:
            return False
        if self.weights.entries(names) != outside or max(bias.dims) != outside:
            return False
        draft.op, draft.uses = op.replace(bias=True), (*draft.uses, *names)
        self.values[node.output[0]] = value
        return True

    # --- layers ------------------------------------------------------------------------------

    def _layer(
        self, node: onnx.NodeProto, inputs: list[Value | None], found: Any, around: Frames
    ) -> None:
        known_op = not standard(node.domain) or node.op_type in onnx_ops.MICROSOFT
        kind = node.op_type if known_op else ""
        names = self.weights.learned(node, inputs)
        kept = self.weights.buffers(node, inputs)
        params, buffers = self.weights.entries(names), self.weights.entries(kept)
        inputs, order = self._laid_out(
            kind, inputs, around, found.get(node.output[0], (None, 0))[0]
        )
        call = Call(kind, attributes(node), inputs, (), self.batch, params, buffers)
        nothing = (None, onnx.TensorProto.FLOAT)
        source: Source | None = None
        for name in node.output:
            value = Value(*found.get(name, nothing))
            value = replace(value, order=given_order(call, order, value) if order else ())
            call.output = value.sample(self.batch)
            if name and (source is None or kind == "Split"):
                made = computed(node, call, value.dims is not None)
                source = self._added(node, made, call, value, around, (*names, *kept))
            self.values[name] = replace(value, source=source)

    def _laid_out(
        self, kind: str, inputs: list[Value | None], around: Frames, given: Dims | None
    ) -> tuple[list[Value | None], tuple[int, ...] | None]:
        """The inputs with their axes as the operator needs them, and the order of its output where
        it is not the file's. given: the output's dims."""
        feeds = [value for value in inputs if value is not None and value.source is not None]
        axes = {value.axes for value in feeds}
        first = feeds[0]
        if all(value.plain for value in feeds):
            return inputs, None
        alike = len(axes) == 1 and first.dims is not None
        last = kind in onnx_ops.ALONG_LAST and first.axes[-1:] == (len(first.axes) - 1,)
        steps = kind in RECURRENT and first.axes == (1, 0, 2)
        if kind == "Reshape" and given and first.dims and given[:2] == first.dims[:2]:
            # Steps and batch stay where they are.
            rest = range(2, max(len(given), len(first.dims)))
            if first.axes == (1, 0, *rest[: len(first.dims) - 2]):
                return inputs, (1, 0, *rest[: len(given) - 2])
        if steps or (alike and kind in onnx_ops.ANY_ORDER) or (last and len(feeds) == 1):
            return inputs, first.axes
        return [self._in_place(value, around) if value else None for value in inputs], None

    def _in_place(self, value: Value, around: Frames) -> Value:
        """The value with the file's axes for ours, by a permutation that is a layer."""
        if value.source is None or value.plain:
            return value
        key = id(value.source), value.order
        if key not in self.moved:
            plain = replace(value, order=())
            shape = plain.sample(self.batch)
            label = under(around[-1].path, "permute")
            draft = Draft(label, label, View("permute", shape), (value,), shape, around, ())
            self.drafts.append(draft)
            self.moved[key] = replace(plain, source=draft)
        return self.moved[key]

    def _added(
        self,
        node: onnx.NodeProto,
        made: Sequence[Op],
        call: Call,
        value: Value,
        around: Frames,
        uses: tuple[str, ...],
    ) -> Any:
        """What makes a node's output: the last of the drafts of its ops, or what made its input."""
        feeds = tuple(call.feeds)
        around, own, path = self._place(node, around, uses)
        for at, op in enumerate(made):
            last = at == len(made) - 1
            shape = call.output if last else op.output_shape(*[f.sample(self.batch) for f in feeds])
            label = own if own and last else under(own or around[-1].path, op.kind.lower())
            draft = Draft(label, path or label, op, feeds, shape, around, uses if last else ())
            self.drafts.append(draft)
            feeds = (replace(value, source=draft, dims=(1, *shape), order=()),)
        return feeds[0].source

    def _place(
        self, node: onnx.NodeProto, around: Frames, uses: tuple[str, ...]
    ) -> tuple[Frames, str, str]:
        """The modules around a node, its name or '', and where its weights live or ''."""
        owners = [name.rpartition(".")[0] for name in uses if _DOTTED.fullmatch(name)]
        owner = owners[0] if owners else ""
        scope = around[-1].path
        if owner and scope and owner.rpartition(".")[0] == scope.rpartition(".")[0]:
            # A convolution with the batch norm behind it folded in bears the latter's scope.
            around, scope = (*around[:-1], Frame(owner, around[-1].kind, 0)), owner
        own = "" if scope else owner or ("" if self.scoped else clean(node.name))
        if not uses or uses in self.paths:
            return around, own, self.paths.get(uses, "")
        path = owner or scope or own
        # A module whose tensors several operators use is the place of the first.
        path = printable(uses[0]) if path in self.places else path
        self.places.add(path)
        return around, own, self.paths.setdefault(uses, path)

    # --- the graph ---------------------------------------------------------------------------

    def graph(self) -> LayerGraph:
        several = len(self.entering) > 1
        names: dict[int, str] = {
            id(entry): printable(entry.name) if several else INPUT for entry in self.entering
        }
        labels = unique_names(self.drafts, taken=set(names.values()))
        names |= {id(draft): label for draft, label in zip(self.drafts, labels, strict=True)}
        placed = [
            Placed(
                Layer(
                    label,
                    draft.path if draft.uses else label,
                    draft.op,
                    tuple(names[id(value.source)] for value in draft.inputs),
                    tuple(value.sample(self.batch) for value in draft.inputs),
                    draft.output,
                ),
                draft.frames,
            )
            for draft, label in zip(self.drafts, labels, strict=True)
        ]
        inputs = tuple(
            Input(
                names[id(entry)],
                Value(entry.dims, entry.type, order=entry.order).sample(entry.batch),
                "" if is_float(entry.type) else Weight((), entry.type, None).dtype,
            )
            for entry in self.entering
        )
        sources = [self.values[name].source for name in self.file.outputs if name in self.values]
        outputs = tuple(dict.fromkeys(names[id(s)] for s in sources if isinstance(s, Draft)))
        drafts = zip(labels, self.drafts, strict=True)
        uses = {label: draft.uses for label, draft in drafts if draft.uses}
        return LayerGraph(
            self.file.name,
            inputs[0].shape,
            stages(placed),
            Unmade(
                f"{self.file.path} is described and not run: its operators are ONNX's; name the "
                "code that it was exported from (package.module:callable) to build or time it"
            ),
            run=self.weights.run(uses, notes(self.file)),
            entering=inputs if several or inputs[0].dtype else (),
            returned=outputs if outputs != (placed[-1].layer.name,) else (),
        )


_DOTTED = re.compile(r"[^\W\d][\w.]*\.\w+")
"""A parameter's name in a torch module."""

_FIRST = words(
    "Cast DequantizeLinear Expand Flatten Gather Identity Pad QuantizeLinear Reshape Slice Split "
    "Squeeze Tile Transpose Unsqueeze"
)
"""Operators whose other inputs are settings."""
