"""A training step on sizes alone, as autograd runs it.

A tensor is freed when nothing holds it any more: neither the code that made it, nor a node of the
graph that saved it, nor its being a gradient that is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from resnet_inspect.counting import kept, memory
from resnet_inspect.counting.autocast import FULL, HALF, Precision, Weight
from resnet_inspect.counting.backward import input_gradients
from resnet_inspect.counting.strides import copied_operands
from resnet_inspect.counting.timeline import Ledger
from resnet_inspect.networks.graph import Block, Layer, LayerGraph, Stage
from resnet_inspect.networks.shapes import elements


class Optimizer(NamedTuple):
    """An optimizer in tensors for each parameter.

    state: what it keeps. foreach: what a step that takes all parameters at once writes besides, as
    torch's do on a GPU; loop: one that takes them one by one, as on a CPU; both without and with
    weight decay.
    """

    state: int
    foreach: tuple[int, int]
    loop: tuple[int, int]


OPTIMIZERS: Mapping[str, Optimizer] = {
    "sgd": Optimizer(memory.OPTIMIZERS["sgd"], (0, 1), (0, 1)),
    "momentum": Optimizer(memory.OPTIMIZERS["momentum"], (0, 1), (0, 1)),
    "adam": Optimizer(memory.OPTIMIZERS["adam"], (1, 1), (2, 3)),
    "adamw": Optimizer(memory.OPTIMIZERS["adam"], (1, 1), (2, 2)),
}
"""torch.optim's SGD, Adam and AdamW (which scales its weights in place)."""

CHECKPOINTS = ("none", "block", "stage")
"""What torch.utils.checkpoint (use_reentrant=False) is put around."""

STEPPING = ("foreach", "fused", "loop")
"""How an optimizer goes through the parameters."""


class Settings(NamedTuple):
    """How a step is taken.

    dtype: of values, or amp-bf16, amp-fp16 (autocast, with weights of fp32); None: the network's
    own. accumulate: whether gradients of a batch before are kept (gradient accumulation, or
    zero_grad without set_to_none). decay: weight decay.
    """

    optimizer: str = "momentum"
    dtype: str | None = None
    checkpoint: str = "none"
    stepping: str = "foreach"
    accumulate: bool = False
    decay: bool = False


def checkpointed(graph: LayerGraph, by: str) -> tuple[str, ...]:
    """The paths of the blocks or stages that are checkpointed: all modules but stem and head."""
    parts: Iterable[Block | Stage] = graph.body if by == "block" else ()
    if by == "stage":
        parts = [stage for stage in graph.stages if not set(stage.blocks).isdisjoint(graph.body)]
    return tuple([part.path for part in parts if part.path])


class _Region(NamedTuple):
    """Layers that checkpoint runs again, and the storages that it keeps for that."""

    layers: tuple[Layer, ...]
    held: list[int]


_RULES = (*kept.RULES, input_gradients)


class Step:
    """A pass or step on the way.

    storage: where outputs lie, by the layer that made them. saved: what a layer's node saved.
    regions: those that have not run again yet, by layer; rerun: layers that have. casts:
    autocast's copies of weights. gradients: of outputs, by layer. probabilities: what the loss
    keeps of each of the network's outputs. written: parameters that have a gradient.
    """

    def __init__(self, graph: LayerGraph, settings: Settings, train: bool) -> None:
        self.graph, self.settings, self.train = graph, settings, train
        self.ledger = Ledger()
        self.precision = Precision(graph, settings.dtype)
        self.graded = memory.with_gradient(graph) if train else frozenset()
        self.owner, self.until = memory.storages(graph, train), memory.last_uses(graph, train)
        self.at = {layer.name: step for step, layer in enumerate(graph.layers)}
        self.rules = {rule: memory.by_kind(graph, rule) for rule in _RULES}
        self.results: dict[str, tuple[int, int]] = {}
        self.saved: dict[str, list[int]] = {}
        self.regions: dict[str, _Region] = {}
        self.rerun: set[str] = set()
        self.casts: dict[str, int] = {}
        self.gradients: dict[str, int] = {}
        self.probabilities: dict[str, int] = {}
        self.written: set[str] = set()
        held, make = memory.held_bytes(graph, self.precision.cast), self.ledger.make
        make("weights", 0, held.weights)
        make("buffers", 0, held.buffers)
        entering = memory.input_bytes(graph, self.precision.cast)
        self.storage = {name: make("input", size) for name, size in entering.items()}
        self.trained = held.trained
        if train:
            make("optimizer", 0, OPTIMIZERS[settings.optimizer].state * held.trained)
            make("gradients", 0, held.trained * settings.accumulate)

    # --- forward --------------------------------------------------------------------------------

    def forward(self) -> None:
        made = {layer.name for layer in self.graph.layers if self._makes(layer)}
        leaves = {self.owner[name] for name in self.graph.outputs} & made if self.train else set()
        leaving = self._leaving(made - leaves)
        for layers, again in self._parts():
            if again:
                inside = {layer.name for layer in layers}
                taken = {self.owner[name] for layer in layers for name in layer.inputs} - inside
                held = [self.ledger.hold(self.storage[name]) for name in taken]
                self.regions.update(dict.fromkeys(inside, _Region(layers, held)))
            for layer in layers:
                self._kernel(layer, "forward", keep=not again)
                self._leave(layer, leaving)
        if self.train:
            self._loss()
            self.ledger.drop(*[self.storage[name] for name in leaves])
        self._end_autocast()

    def _makes(self, layer: Layer) -> bool:
        """Whether a layer's output lies in memory of its own."""
        return self.owner[layer.name] == layer.name

    def _leaving(self, names: Iterable[str], end: int | None = None) -> dict[int, list[str]]:
        """The layers whose outputs the code lets go, by step; at the end all."""
        leaving: dict[int, list[str]] = {}
        for name in names:
            step = self.until[name] if end is None else min(self.until[name], end)
            leaving.setdefault(step, []).append(name)
        return leaving

    def _leave(self, layer: Layer, leaving: Mapping[int, Sequence[str]]) -> None:
        self.ledger.drop(*[self.storage[name] for name in leaving.get(self.at[layer.name], ())])

    def _parts(self) -> Sequence[tuple[tuple[Layer, ...], bool]]:
        """The layers in parts, and whether each is checkpointed."""
        by = self.settings.checkpoint if self.train else "none"
        if by == "none":
            return [(self.graph.layers, False)]
        chosen = checkpointed(self.graph, by)
        parts: Iterable[Stage | Block] = self.graph.blocks if by == "block" else self.graph.stages
        return [(tuple(part.layers), part.path in chosen) for part in parts]

    def _kernel(self, layer: Layer, phase: str, keep: bool, whole: bool = True) -> None:
        """Run a layer; keep: let its node save tensors; not whole: do no more than that."""
        ledger, name = self.ledger, layer.name
        copies = {
            source: ledger.make("activations", size)
            for source, size in self.precision.copied(layer).items()
        }
        casts = self._cast_weights(layer)
        results = []
        if whole:
            if self._makes(layer):
                size = elements(layer.output_shape) * self.precision.of[name]
                self.storage[name] = ledger.make("activations", size)
            each, fixed = self._results(layer)
            results = [ledger.make("activations", each, fixed)]
            ledger.note(phase, name)
        if keep and name in self.graded:
            moved = copied_operands(self.graph, layer, 2)
            saved = [
                copies.get(source, self.storage[self.owner[source]])
                for source in dict.fromkeys(self._kept(layer))
                if source not in moved
            ]
            self.saved[name] = [ledger.hold(each) for each in (*saved, *results, *casts)]
        ledger.drop(*copies.values(), *results)

    def _cast_weights(self, layer: Layer) -> list[int]:
        """Autocast's copies of a layer's weights, made once while autocast lasts.

        Returns those that its node saves: of its kernel, not of its bias.
        """
        kernels: list[int] = []
        for weight in self.precision.weights(layer) if self.precision.casts(layer) else ():
            if weight.name not in self.casts:
                self.casts[weight.name] = self.ledger.make("casts", 0, weight.entries * HALF)
            if not kernels and weight.entries == getattr(layer.op, "weights", None):
                kernels.append(self.casts[weight.name])
        return kernels

    def _end_autocast(self) -> None:
        self.ledger.drop(*self.casts.values())
        self.casts = {}

    def _results(self, layer: Layer) -> tuple[int, int]:
        """Bytes that a layer writes besides its output: for each sample, and whatever the batch."""
        if layer.name not in self.results:
            op, kind, itemsize = layer.op, type(layer.op), self.precision.of[layer.name]
            each = self.rules[kept.auxiliary_bytes][kind](op, layer, itemsize)
            fixed = 0
            if layer.name in self.graded:
                each += self.rules[kept.saved_copy_bytes][kind](op, layer, itemsize, 1)
                moved = copied_operands(self.graph, layer, 2)
                each += sum([moved.get(name, 0) // 2 for name in self._kept(layer)]) * itemsize
            if self.train:
                rule = self.rules[kept.statistics][kind]
                one, two = rule(op, layer, itemsize, 1), rule(op, layer, itemsize, 2)
                each, fixed = each + two - one, 2 * one - two
            self.results[layer.name] = each, fixed
        return self.results[layer.name]

    def _kept(self, layer: Layer) -> tuple[str, ...]:
        """The tensors that a layer's node saves, or copies, by the layers that make them."""
        if memory.needs_no_input(self.graph, layer):
            return ()
        saved: tuple[str, ...] = self.rules[kept.saved_tensors][type(layer.op)](layer.op, layer)
        return memory.needed(layer, saved, self.graded)

    def _loss(self) -> None:
        """Cross-entropy of each output: it keeps probabilities and the sum of their weights."""
        make, scalar = self.ledger.make, self._scalar
        make("activations", 0, scalar)
        for name in self.graph.outputs:
            size = self._loss_bytes(name)
            copy = make("activations", size if self.precision.of[name] != scalar else 0)
            self.probabilities[name] = make("activations", size, scalar)
            self.ledger.note("forward", "loss")
            self.ledger.drop(copy)

    def _loss_bytes(self, name: str) -> int:
        """Of an output's probabilities, whose logarithms cross-entropy keeps."""
        return elements(self.graph.layer(name).output_shape) * self._scalar

    @property
    def _scalar(self) -> int:
        """Bytes of the loss."""
        return FULL if self.precision.autocast else self.precision.of[self.graph.outputs[0]]

    # --- backward -------------------------------------------------------------------------------

    def backward(self) -> None:
        ledger = self.ledger
        of_loss = ledger.make("temporaries", 0, self._scalar)
        for name in self.graph.outputs:
            size = self._loss_bytes(name)
            of_probabilities = ledger.make("temporaries", size)
            self.gradients[name] = ledger.make("temporaries", size)
            ledger.note("backward", "loss")
            ledger.drop(of_probabilities, self.probabilities.pop(name))
        for layer in reversed(self.graph.layers):
            if layer.name in self.graded and layer.name in self.gradients:
                if layer.name in self.regions and self._saves(layer):
                    self._run_again(self.regions[layer.name])
                self._node(layer)
        ledger.drop(of_loss)

    def _saves(self, layer: Layer) -> bool:
        """Whether a layer's node saves anything, weights among it."""
        saves = self._kept(layer) or self.precision.weights(layer)
        return layer.name in self.graded and bool(saves or any(self._results(layer)))

    def _run_again(self, region: _Region) -> None:
        """Run a checkpointed region up to the last tensor that its nodes save."""
        saving = [step for step, layer in enumerate(region.layers) if self._saves(layer)]
        layers = region.layers[: saving[-1] + 1]
        last = layers[-1]
        finished = any(self._results(last)) or last.name in self._kept(last)
        made = [each.name for each in layers if self._makes(each) and (finished or each != last)]
        leaving = self._leaving(made, self.at[last.name])  # it is returned to nobody
        for layer in layers:
            self._kernel(layer, "backward", keep=True, whole=finished or layer != last)
            self._leave(layer, leaving)
        self._end_autocast()
        self.saved[layers[saving[0]].name] += region.held
        for layer in region.layers:
            del self.regions[layer.name]
            self.rerun.add(layer.name)

    def _node(self, layer: Layer) -> None:
        """A layer's backward kernel: from the gradient of its output to those of what it takes."""
        ledger, name = self.ledger, layer.name
        entering = self.gradients.pop(name)
        weights = [weight for weight in self.precision.weights(layer) if weight.trained]
        made = []
        for source, nodes in self._input_gradients(layer):
            own = ledger.make("temporaries", nodes[0][0]) if nodes else ledger.hold(entering)
            made.append((source, own, nodes))
        casts = self.precision.casts(layer)
        halves = [ledger.make("temporaries", 0, each.entries * HALF) for each in weights if casts]
        added = [] if casts else self._weight_gradients(weights)
        ledger.note("backward", name)
        if name in self.rerun:  # what ran again is held by the kernel alone
            ledger.drop(*self.saved.pop(name, ()))
        summed = [
            (source, self._through(own, nodes[:1], 1, name), nodes) for source, own, nodes in made
        ]
        ledger.drop(entering, *self.saved.pop(name, ()))
        for source, own, nodes in summed:
            self._deliver(source, self._through(own, nodes[1:], 0, name), name)
        ledger.drop(*added)
        for weight, half in zip(weights, halves, strict=False):
            added = self._weight_gradients([weight])
            ledger.note("backward", name)
            ledger.drop(half, *added)

    def _through(self, gradient: int, nodes: Sequence[Sequence[int]], skip: int, name: str) -> int:
        """A gradient after what nodes write, the first `skip` of each left out."""
        for size in [size for written in nodes for size in written[skip:]]:
            before, gradient = gradient, self.ledger.make("temporaries", size)
            self.ledger.note("backward", name)
            self.ledger.drop(before)
        return gradient

    def _input_gradients(self, layer: Layer) -> Iterator[tuple[str, list[list[int]]]]:
        """For each input that gets a gradient the nodes of it, and the bytes that each writes."""
        itemsize, of = self.precision.of[layer.name], self.precision.of
        copied = self.precision.copied(layer)
        rules = self.rules[input_gradients][type(layer.op)](layer.op, layer)
        for source, shape, rule in zip(layer.inputs, layer.input_shapes, rules, strict=True):
            if source in self.graded:
                nodes = [[count * itemsize for count in written] for written in rule]
                if source in copied:
                    nodes.append([elements(shape) * of[source]])
                yield source, nodes

    def _weight_gradients(self, weights: Iterable[Weight]) -> list[int]:
        """Make gradients; returns those that are added to one that is there, and then dropped."""
        added = []
        for name, entries, itemsize, _ in weights:
            if name in self.written or self.settings.accumulate:
                added.append(self.ledger.make("temporaries", 0, entries * itemsize))
            else:
                self.ledger.make("gradients", 0, entries * itemsize)
            self.written.add(name)
        return added

    def _deliver(self, source: str, gradient: int, name: str) -> None:
        """Bring a gradient to what made the tensor; where another one waits, add them up.

        The sum is a new tensor, as wherever tensors are watched: torch alone adds in place where
        nothing else holds the first.
        """
        if source in self.gradients:
            size = elements(self.graph.layer(source).output_shape) * self.precision.of[source]
            total = self.ledger.make("temporaries", size)
            self.ledger.note("backward", name)
            self.ledger.drop(gradient, self.gradients[source])
            gradient = total
        self.gradients[source] = gradient

    # --- optimizer ------------------------------------------------------------------------------

    def optimize(self) -> None:
        kind, decay = OPTIMIZERS[self.settings.optimizer], self.settings.decay
        written = 0
        if self.settings.stepping == "foreach":
            written = kind.foreach[decay] * self.trained
        elif self.settings.stepping == "loop":
            weights = [w for layer in self.graph.layers for w in self.precision.weights(layer)]
            sizes = [weight.entries * weight.itemsize for weight in weights if weight.trained]
            # Adam's last tensor of one parameter is there until that of the next is.
            left = [0, *sizes] if kind.loop[0] else [0] * (len(sizes) + 1)
            pairs = zip(left, sizes, strict=False)
            written = max([before + kind.loop[decay] * size for before, size in pairs], default=0)
        self.ledger.make("temporaries", 0, written)
        self.ledger.note("optimizer")
