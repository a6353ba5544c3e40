"""Effective receptive fields: against box filters written out, and autograd."""

from __future__ import annotations

import pytest
import torch
from graphs import GraphBuilder

import resnet_inspect as ri
from resnet_inspect.errors import InspectError, UnknownNameError
from resnet_inspect.networks import ops
from resnet_inspect.propagation.effective import difference, effective_field, stage_fields
from resnet_inspect.pytorch.effective_field import measure

SMALL = ri.ResNetSpec(
    name="small", stem="3x3", stem_width=32, widths=(32, 64), blocks=(1, 1), input_size=(12, 12)
)


def convolutions(count: int, size: int) -> ri.LayerGraph:
    net = GraphBuilder("boxes", (3, size, size))
    at = net.input
    for number in range(count):
        channels = 3 if number == 0 else 8
        at = net.add(ops.Conv2d(channels, 8, (3, 3), padding=(1, 1)), at, name=f"conv{number}")
    net.end_block("all", "", "Block")
    net.end_stage("all", "")
    return net.graph()


def test_a_chain_of_box_filters_is_their_convolution() -> None:
    field = effective_field(convolutions(3, 21))
    weights = [1, 3, 6, 7, 6, 3, 1]  # (1, 1, 1) three times over
    row, column = field.position
    for y, values in enumerate(field.square):
        for x, value in enumerate(values):
            down, across = y - row + 3, x - column + 3
            inside = 0 <= down < 7 and 0 <= across < 7
            exact = weights[down] * weights[across] / 27**2 if inside else 0
            assert value == pytest.approx(exact, abs=1e-15)
    # The middle 5 x 5 hold (25 / 27)^2, which is less than 95%.
    assert (field.centre, field.side, field.clipped) == ((10, 10), 7, 0)
    assert field.padding == pytest.approx(0, abs=1e-12)


def test_what_falls_on_padding_is_lost() -> None:
    """Two 3x3 windows over 3x3: of 25 ways along each axis from the middle, some lie outside."""
    field = effective_field(convolutions(2, 3))
    assert field.padding == pytest.approx(1 - (7 / 9) ** 2)
    assert field.clipped == pytest.approx(1 - (3 / 5) ** 2)
    assert sum(map(sum, field.square)) == pytest.approx(1)


@pytest.mark.parametrize("change", [{}, {"order": "pre"}, {"shortcut": "none"}])
def test_autograd_finds_the_same(change: dict[str, str]) -> None:
    graph = ri.graph(SMALL, **change)
    field = effective_field(graph)
    first, second = (measure(graph, field, seeds=25, first=first) for first in (0, 1))
    noise = difference(first, second)
    assert difference(field.square, first) < 0.03 + noise


def test_real_fields_are_far_smaller_than_what_can_be_seen() -> None:
    fields = stage_fields(ri.graph("resnet50"))
    last = fields["layer4.2.relu3"]
    assert last.field.size == (427, 427)
    assert 150 < last.side < 200
    assert 0.7 < last.clipped < 0.75
    assert 0.01 < last.padding < 0.05
    sides = [field.side for field in fields.values()]
    assert sides == sorted(sides)


def test_tables_say_where_a_field_exceeds_the_input() -> None:
    (note,) = [x for x in ri.table("resnet18", "stage").notes if "field" in x]
    assert note.startswith("From layer4 on a field is larger than the input")
    wide = ri.table("resnet18", "stage", input_shape=(3, 640, 640)).notes
    assert not [x for x in wide if "field" in x]
    table = ri.effective_fields("resnet18")
    assert "is not wrong" in table.notes[-1]
    assert table.rows[-1]["receptive_field"] == (435, 435)


def test_measured_beside_theory() -> None:
    table = ri.effective_fields(SMALL, ["layer1.0.relu2"], measure=True, seeds=3)
    assert 0 < table.rows[0]["difference"] < 2  # type: ignore[operator]
    assert "measured" in table.shown


def test_what_is_left_out_and_why() -> None:
    gated = ri.effective_fields("nfnet_f0")
    assert [row["name"] for row in gated.rows] == ["conv1.9", "layer1.0.downsample.1"]
    assert "a gate, which has seen all positions" in gated.notes[-1]
    attending = ri.effective_fields("botnet26t_256")
    assert [row["name"] for row in attending.rows] == ["layer3.1.self_attn.narrow3"]
    assert "fields end at layer3.1.self_attn" in attending.notes[-1]
    assert "Theory reaches no further" in ri.effective_fields("vgg11").notes[-1]
    assert "is not wrong" in ri.effective_fields("resnet18").notes[-1]
    with pytest.raises(InspectError, match="takes long at 3x800x1344; name layers"):
        ri.effective_fields("resnet50_caffe")


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown layer of resnet18 'layer9'"):
        ri.effective_fields("resnet18", ["layer9"])
    with pytest.raises(InspectError, match="layer fc of resnet18 has no effective field"):
        ri.effective_fields("resnet18", ["fc"])
    with pytest.raises(InspectError, match="theory reaches no stage"):
        ri.effective_fields(torch.nn.Sequential(torch.nn.Linear(4, 4)), input_shape=(4,))
