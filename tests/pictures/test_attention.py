"""Attention is one step of a block, whatever steps it takes itself."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pictures.diagrams.labels import Line, unit_lines
from resnet_inspect.pictures.diagrams.units import stages


def words(graph: LayerGraph) -> dict[str, list[Line]]:
    """What each block does, by its name."""
    units = (unit for stage in stages(graph) for run in stage.runs for unit in run.drawn)
    return {unit.name: unit_lines(unit) for unit in units}


@pytest.mark.parametrize(
    ("name", "block", "steps"),
    [
        ("botnet26t_256", "layer3.1", ["self-attention, 4 heads"]),
        ("botnet26t_256", "layer4.0", ["self-attention, 4 heads", "2×2 average pool, /2"]),
        ("halonet26t", "layer4.0", ["self-attention, 8 heads, /2"]),
        ("sehalonet33ts", "layer3.2", ["self-attention, 8 heads"]),
        ("lambda_resnet26t", "layer4.1", ["linear self-attention, 4 heads"]),
    ],
)
def test_self_attention_is_a_step(name: str, block: str, steps: list[str]) -> None:
    first, *between, last = map(str, words(ri.graph(name))[block])
    assert between == steps
    assert first.startswith("1×1 conv")
    assert last.startswith("1×1 conv")


class Attention(nn.Module):
    """Attention of 3 heads as transformers have it, to the input or to what is given beside."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.proj = nn.LayerNorm(24), nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        batch, count, width = x.shape
        pieces = self.qkv(self.norm(x)).reshape(batch, count, 3, 3, 8).permute(2, 0, 3, 1, 4)
        query, key, value = pieces.unbind(0)
        if beside is not None:
            key = beside
        weights = (query @ key.transpose(-2, -1) * 8**-0.5).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, count, width)
        return x + self.proj(mixed)


@pytest.mark.parametrize(
    ("inputs", "steps"),
    [
        ([(16, 24)], ["LayerNorm self-attention, 3 heads", "linear, 24"]),
        ([(16, 24), (3, 16, 8)], ["LayerNorm linear, 72", "attention, 3 heads", "linear, 24"]),
    ],
)
def test_attention_of_a_module_is_a_step(inputs: list[tuple[int, ...]], steps: list[str]) -> None:
    found = words(ri.trace(Attention(), inputs)).values()
    assert [line for lines in found for line in lines] == steps
