"""Blocks and stages of layers that say which modules they ran in."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_inspect.networks.graph import INPUT, Layer, Stage
from resnet_inspect.networks.ops import Add, BatchNorm2d, Conv2d, MaxPool2d, Op, ReLU
from resnet_inspect.networks.structure import Frame, Placed, stages
from resnet_inspect.networks.torch_ops import Concat, ConvTranspose

CONV, NORM = Conv2d(4, 4, (3, 3), padding=(1, 1)), BatchNorm2d(4)
SHAPE = (4, 8, 8)


class Net:
    """Records layers as a trace does: each in the modules that are open."""

    def __init__(self) -> None:
        self.placed: list[Placed] = []
        self.calls = 0

    def run(self, op: Op, path: str, *inputs: str, inside: Sequence[Frame] = ()) -> str:
        """A layer in some modules and in its own; returns its name."""
        used = sum(item.layer.path == path for item in self.placed)
        name = f"{path}_{used + 1}" if used else path
        shapes = (SHAPE,) * len(inputs)
        layer = Layer(name, path, op, inputs, shapes, op.output_shape(*shapes))
        frames = (Frame("", "Net", 0), *inside, self.call(path, op.kind))
        self.placed.append(Placed(layer, frames))
        return name

    def call(self, path: str, kind: str = "Sequential") -> Frame:
        self.calls += 1
        return Frame(path, kind, self.calls)

    def residual(self, path: str, entering: str, *inside: Frame) -> str:
        frames = (*inside, self.call(path, "Residual"))
        end = self.run(CONV, f"{path}.conv", entering, inside=frames)
        end = self.run(NORM, f"{path}.norm", end, inside=frames)
        return self.run(Add(), f"{path}.add", end, entering, inside=frames)

    def stages(self) -> tuple[Stage, ...]:
        found = stages(self.placed)
        layers = [layer for stage in found for layer in stage.layers]
        assert layers == [item.layer for item in self.placed]
        return found


def named(found: Sequence[Stage]) -> list[tuple[str, str, list[str]]]:
    return [(stage.name, stage.path, [block.name for block in stage.blocks]) for stage in found]


def test_a_module_lends_its_name_to_what_is_all_of_it_and_no_more() -> None:
    net = Net()
    wire = net.run(CONV, "stem", INPUT)
    wire = net.run(ReLU(), "relu", wire)  # so the module called stem is not our stem
    outer = net.call("layer")
    for number in range(2):
        wire = net.residual(f"layer.{number}", wire, outer)
    half = net.call("more")
    wire = net.residual("more.0", wire, half)
    wire = net.run(MaxPool2d((2, 2), (2, 2)), "more.pool", wire, inside=(half,))
    wire = net.run(NORM, "norm", wire)
    net.run(CONV, "head", wire)
    assert named(net.stages()) == [
        ("stem..relu", "", ["stem..relu"]),
        ("layer", "layer", ["layer.0", "layer.1"]),
        ("more.0", "more.0", ["more.0"]),
        ("more.pool..head", "", ["more.pool..head"]),
    ]


def test_stages_are_numbered_past_modules_of_such_names() -> None:
    net = Net()
    wire = net.run(CONV, "conv", INPUT)
    for path in ("a", "b", "stage1"):
        wire = net.residual(path, wire)
    net.run(CONV, "fc", wire)
    assert named(net.stages()) == [
        ("stem", "", ["stem"]),
        ("stage2", "", ["a", "b", "stage1"]),
        ("head", "", ["head"]),
    ]


def test_a_network_that_is_called_again_is_numbered() -> None:
    net = Net()
    for _ in range(2):
        wire = net.run(CONV, "first", INPUT)
        outer = net.call("layer")
        for number in range(2):
            wire = net.residual(f"layer.{number}", wire, outer)
    net.run(CONV, "last", wire)
    assert named(net.stages()) == [
        ("stem", "", ["stem"]),
        ("layer", "layer", ["layer.0", "layer.1"]),
        ("first_2", "", ["first_2"]),
        ("layer_2", "layer", ["layer.0_2", "layer.1_2"]),
        ("head", "", ["head"]),
    ]


def test_modules_between_which_skips_run_are_blocks() -> None:
    net = Net()

    def down(path: str, wire: str) -> str:
        inside = (net.call(path),)
        wire = net.run(CONV, f"{path}.0", wire, inside=inside)
        return net.run(ReLU(), f"{path}.1", wire, inside=inside)

    one = down("d1", INPUT)
    two = down("d2", one)
    three = down("d3", two)
    up = net.run(ConvTranspose(4, 4, (1, 1), (1, 1), (0, 0)), "up", three)
    joined = net.run(Concat(), "cat", up, one)
    net.run(Concat(), "last", joined, two)
    names = [block.name for stage in net.stages() for block in stage.blocks]
    assert names == ["stem", "d2", "d3", "head"]


def test_modules_may_be_nested_to_any_depth() -> None:
    net = Net()
    frames: list[Frame] = []
    for _ in range(3000):
        frames.append(net.call(f"{frames[-1].path}.0" if frames else "0"))
    wire = net.run(CONV, f"{frames[-1].path}.first", INPUT, inside=frames)
    wire = net.residual(f"{frames[-1].path}.block", wire, *frames)
    net.run(CONV, f"{frames[-1].path}.last", wire, inside=frames)
    kinds = [block.kind for stage in net.stages() for block in stage.blocks]
    assert kinds == ["Stem", "Residual", "Head"]
