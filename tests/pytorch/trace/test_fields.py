"""Receptive fields of traced networks against what autograd finds.

All weights and values are positive, so that nothing cancels: the gradient of a position is nonzero
exactly at the pixels that it sees. Ours is the most that any position sees.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resnet_inspect as ri
from resnet_inspect.counting.receptive_field import field_end, receptive_fields
from resnet_inspect.pytorch.trace.trace import trace

Shape = tuple[int, ...]
Join = Callable[[Tensor, Tensor], Tensor]


class Call(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def behind_one_another(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left, right], 1)


class Beside(nn.Module):
    """Two branches, one channel after the other, or joined in another way."""

    def __init__(self, left: nn.Module, right: nn.Module, join: Join = behind_one_another) -> None:
        super().__init__()
        self.left, self.right, self.join = left, right, join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.left(x), self.right(x))


def stacked(left: Tensor, right: Tensor) -> Tensor:
    """Stacked before the batch."""
    return torch.stack([left, right]).sum(0)


def written(left: Tensor, right: Tensor) -> Tensor:
    both = left.new_zeros(1, 8, *left.shape[2:])
    both[:, :4] = left
    both[:, 4:] = right
    return both


def seen(model: nn.Module, shape: Shape) -> Shape:
    """The most pixels along each axis that a position on the middle lines sees."""
    model = model.double().eval()
    for weight in model.parameters():
        weight.data.abs_().add_(0.1)
    x = torch.rand(1, *shape, dtype=torch.double, requires_grad=True)
    given = model(x)
    middle = [size // 2 for size in given.shape[2:]]
    most = [0] * len(middle)
    for axis, size in enumerate(given.shape[2:]):
        for place in range(size):
            at = [*middle[:axis], place, *middle[axis + 1 :]]
            channels = given[(0, slice(None), *at)]
            value = channels @ torch.arange(1, len(channels) + 1.0, dtype=torch.double)
            (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
            touched = gradient[0].abs().movedim(axis + 1, 0).flatten(1).sum(1).nonzero()
            if len(touched):
                most[axis] = max(most[axis], int(touched[-1] - touched[0]) + 1)
    return tuple(most)


def conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2)


def behind(
    *layers: nn.Module, shape: Shape = (3, 24, 24), stride: int = 1
) -> tuple[nn.Module, Shape]:
    return nn.Sequential(conv(3, 4, stride=stride), *layers), shape


def around(layer: nn.Module) -> tuple[nn.Module, Shape]:
    """Half the resolution, the layer that brings it back, and a convolution."""
    return behind(layer, conv(4, 4), stride=2)


def up(**settings: object) -> tuple[nn.Module, Shape]:
    return around(nn.Upsample(**settings))  # type: ignore[arg-type]


def unet(size: int) -> tuple[nn.Module, Shape]:
    inner = nn.Sequential(nn.AvgPool2d(2), conv(4, 4), nn.ConvTranspose2d(4, 4, 2, 2))
    middle = nn.Sequential(conv(3, 4), Beside(inner, nn.Identity()), conv(8, 4))
    outer = nn.Sequential(nn.AvgPool2d(2), middle, nn.Upsample(scale_factor=2, mode="bilinear"))
    return nn.Sequential(Beside(outer, nn.Identity()), conv(7, 4)), (3, size, size)


def across(size: int, mode: str) -> tuple[nn.Module, Shape]:
    """A branch that comes back to an odd resolution by a factor that is not whole."""
    left = nn.Sequential(conv(3, 4, stride=2), conv(4, 4), nn.Upsample((size, size), mode=mode))
    return nn.Sequential(Beside(left, conv(3, 2)), conv(6, 3)), (3, size, size)


LINE = nn.Sequential(
    nn.Conv1d(1, 4, 3, padding=4, dilation=2),
    Call(lambda x: x[..., :-4]),
    nn.Conv1d(4, 4, 3, padding=8, dilation=4),
    Call(lambda x: x[:, :, :-8]),
)


def with_context(x: Tensor) -> Tensor:
    """Every position with the sum of all, weighed by their own means."""
    weight = x.mean(1, keepdim=True).flatten(2).softmax(-1)
    return x + (x.flatten(2) @ weight.transpose(1, 2)).unsqueeze(-1)


NETWORKS: dict[str, tuple[nn.Module, Shape]] = {
    "transposed": around(nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)),
    "transposed, even": around(nn.ConvTranspose2d(4, 4, 4, 2, 1)),
    "transposed, with gaps": around(nn.ConvTranspose2d(4, 4, 2, 3)),
    "transposed, dilated": around(nn.ConvTranspose2d(4, 4, 3, 2, 1, dilation=2)),
    "nearest": up(scale_factor=2),
    "nearest, 1.5": up(scale_factor=1.5),
    "nearest-exact": up(scale_factor=1.5, mode="nearest-exact"),
    "bilinear": up(scale_factor=2, mode="bilinear"),
    "bilinear, 1.5": up(scale_factor=1.5, mode="bilinear"),
    "bilinear, 3": up(scale_factor=3, mode="bilinear"),
    "bilinear, corners": up(scale_factor=2, mode="bilinear", align_corners=True),
    "bicubic": up(scale_factor=2, mode="bicubic"),
    "bilinear, down": behind(nn.Upsample(scale_factor=0.5, mode="bilinear"), conv(4, 4)),
    "shuffled": behind(conv(4, 16, 1), nn.PixelShuffle(2), conv(4, 4), stride=2),
    "unshuffled": behind(nn.PixelUnshuffle(2), conv(16, 4)),
    "slices": behind(Call(lambda x: x[:, :, 1::2, 2:-2]), conv(4, 4)),
    "neighbours": behind(Call(lambda x: x[:, :, 1:] + x[:, :, :-1])),
    "narrowed": behind(Call(lambda x: x.narrow(2, 3, 10)), conv(4, 4)),
    "halves": behind(Call(lambda x: torch.stack(x.chunk(2, 3), 1).sum(1)), conv(4, 4)),
    "one behind the other": behind(Call(lambda x: torch.cat([x[..., 8:], x[..., :8]], 3))),
    "stacked": behind(Beside(conv(4, 4), conv(4, 4, 5), stacked), conv(4, 4)),
    "written": behind(Beside(conv(4, 4), conv(4, 4, 5), written), conv(8, 4)),
    "padded": behind(nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(4, 4, 3)),
    "cut": behind(nn.ZeroPad2d(-2), nn.Conv2d(4, 4, 3)),
    "softmax over channels": behind(nn.Softmax(1)),
    "log softmax over channels": behind(nn.LogSoftmax(1), conv(4, 4)),
    "normalized": behind(Call(lambda x: F.normalize(x, dim=1)), nn.LocalResponseNorm(3)),
    "channels last": behind(
        Call(lambda x: x.permute(0, 2, 3, 1)),
        nn.LayerNorm(4),
        nn.Linear(4, 4),
        nn.Softmax(-1),
        Call(lambda x: x.permute(0, 3, 1, 2)),
        conv(4, 4),
    ),
    "transposed map": behind(Call(lambda x: x.transpose(2, 3)), nn.Conv2d(4, 4, (1, 3))),
    "channel shuffle": behind(
        Call(lambda x: x.view(-1, 2, 2, 24, 24).transpose(1, 2).reshape(-1, 4, 24, 24)), conv(4, 4)
    ),
    "maps of maxima": behind(
        Call(lambda x: torch.cat([x.amax(1, keepdim=True), x.mean(1).unsqueeze(1)], 1)),
        conv(2, 1, 7),
    ),
    "global context": (nn.Sequential(nn.Conv2d(3, 4, 3), Call(with_context)), (3, 12, 14)),
    "adaptive pool": behind(nn.AdaptiveAvgPool2d(5), conv(4, 4), shape=(3, 12, 14)),
    "U-Net": unet(32),
    "odd, nearest": across(25, "nearest"),
    "odd, bilinear": across(25, "bilinear"),
    "line": (LINE, (1, 60)),
    "line, up": (
        nn.Sequential(nn.Conv1d(1, 4, 5, 2, 2), nn.Upsample(scale_factor=2), nn.Conv1d(4, 4, 3)),
        (1, 40),
    ),
    "volume": (
        nn.Sequential(
            nn.Conv3d(1, 2, 3, padding=1),
            nn.AvgPool3d(2),
            nn.ConvTranspose3d(2, 2, 2, 2),
            nn.Conv3d(2, 2, (1, 3, 3), padding=(0, 1, 1)),
        ),
        (1, 8, 10, 12),
    ),
    "frames": (
        nn.Sequential(
            Call(lambda x: x[0].transpose(0, 1)),
            conv(3, 4),
            nn.AvgPool2d(2),
            Call(lambda x: x.transpose(0, 1)[None]),
        ),
        (3, 5, 8, 8),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_position_sees_at_most_what_autograd_finds(name: str) -> None:
    model, shape = NETWORKS[name]
    graph = trace(model, shape)
    field = receptive_fields(graph)[graph.output.name]
    assert field is not None
    assert field.size == seen(model, shape)


def test_softmax_over_rows_sees_all_of_them_and_no_more_columns() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(2)), (3, 12, 14))
    field = receptive_fields(graph)["1"]
    assert field is not None
    assert (field.size, field.stride) == ((12, 3), (0, 1))


def test_positions_of_one_dimension_are_those_of_rows_and_columns() -> None:
    rows = nn.Sequential(conv(3, 4), nn.Flatten(2), Call(lambda x: x[..., 28:56].sum(2)))
    graph = trace(rows, (3, 12, 14))
    fields = receptive_fields(graph)
    (flat,) = (layer.name for layer in graph.layers if layer.op.kind == "Flatten")
    field, every = fields[graph.output.name], fields[flat]
    assert field is not None
    assert every is not None
    assert (every.size, every.dims) == ((3, 3), (1, 1))
    assert (field.size, field.padding) == ((4, 16), (-1, 1))


def test_behind_upsampling_a_position_moves_by_parts_of_a_pixel() -> None:
    model = nn.Sequential(conv(3, 4), nn.Upsample(scale_factor=4, mode="bilinear"))
    field = receptive_fields(trace(model, (3, 24, 24)))["1"]
    assert field is not None
    assert (field.size, field.stride) == ((4, 4), (0.25, 0.25))


def test_behind_what_is_written_to_some_positions_no_field_is_known() -> None:
    def shifted(left: Tensor, right: Tensor) -> Tensor:
        left[:, :, 1:] = right[:, :, :-1]
        return left

    graph = trace(behind(Beside(conv(4, 4), conv(4, 4), shifted))[0], (3, 24, 24))
    assert receptive_fields(graph)[graph.output.name] is None


class Windows(nn.Module):
    """Mixes positions in a way that no field along the axes can say."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 4, 6, 4, 6, 4).sum(3)


def test_where_a_field_ends_that_layer_is_named() -> None:
    model = nn.Sequential(conv(3, 4), Windows(), nn.ReLU())
    graph = trace(model, (3, 24, 24))
    assert (end := field_end(graph)) is not None
    assert graph.layer(end).op.kind == "Reshape"
    (note,) = (note for note in ri.table(graph).notes if "field" in note)
    assert note == f"Receptive fields end at {end} (Reshape)."
    assert note in ri.explain(graph, graph.output.name).notes
    assert note not in ri.explain(graph, "0").notes
    assert end in ri.plot("field", graph).alt
    assert field_end(ri.graph("resnet18")) is None
