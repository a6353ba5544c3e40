"""Networks with branches, as they are traced: small ones of our own, and published ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_inspect import trace
from resnet_inspect.networks.graph import LayerGraph


def conv(entering: int, leaving: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, leaving, kernel, stride, kernel // 2),
        nn.BatchNorm2d(leaving),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Ronneberger et al. 2015, small."""

    def __init__(self) -> None:
        super().__init__()
        wide = [8, 16, 32, 64]
        self.down = nn.ModuleList(
            nn.Sequential(conv(before, after), conv(after, after))
            for before, after in zip([3, *wide], wide, strict=False)
        )
        pairs = list(zip(wide[:0:-1], wide[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
        self.join = nn.ModuleList(nn.Sequential(conv(2 * b, b), conv(b, b)) for _, b in pairs)
        self.out = nn.Conv2d(wide[0], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for level in self.down:
            x = level(F.max_pool2d(x, 2) if kept else x)
            kept.append(x)
        for up, join, skip in zip(self.up, self.join, kept[-2::-1], strict=True):
            x = join(torch.cat([up(x), skip], 1))
        return self.out(x)


class Fork(nn.Module):
    """Two branches that are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 32)
        self.one = conv(32, 32, 1)
        self.two = nn.Sequential(conv(32, 32, 1), conv(32, 32, 5))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(torch.cat([self.one(x), self.two(x)], 1).mean((2, 3)))


class Siamese(nn.Module):
    """One body that two images pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8), conv(8, 16, 3, 2))
        self.head = nn.Linear(32, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        sides = [self.body(side).mean((2, 3)) for side in (left, right)]
        return self.head(torch.cat(sides, 1))


class Shaken(nn.Module):
    """A block of Gastaldi 2017: two branches and a shortcut, as in an inference pass."""

    def __init__(self, entering: int, leaving: int, stride: int = 1) -> None:
        super().__init__()

        def branch() -> nn.Sequential:
            return nn.Sequential(
                nn.ReLU(), conv(entering, leaving, 3, stride), conv(leaving, leaving)
            )

        self.one, self.two = branch(), branch()
        same = entering == leaving and stride == 1
        self.shortcut = None if same else nn.Conv2d(entering, leaving, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        past = self.shortcut(x) if self.shortcut else x
        return 0.5 * self.one(x) + 0.5 * self.two(x) + past


class Pyramid(nn.Module):
    """Features of three sizes, as Lin et al. 2017 make them: several outputs."""

    def __init__(self) -> None:
        super().__init__()
        wide = [8, 16, 32]
        self.body = nn.ModuleList(conv(a, b, 3, 2) for a, b in zip([3, *wide], wide, strict=False))
        self.beside = nn.ModuleList(nn.Conv2d(width, 8, 1) for width in wide)
        self.out = nn.ModuleList(nn.Conv2d(8, 8, 3, 1, 1) for _ in wide)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        made = []
        for level in self.body:
            x = level(x)
            made.append(x)
        top = self.beside[2](made[2])
        found = [self.out[2](top)]
        for at in (1, 0):
            top = self.beside[at](made[at]) + F.interpolate(top, scale_factor=2.0)
            found.append(self.out[at](top))
        return tuple(found)


def _torchvision(name: str) -> nn.Module:
    import torchvision

    settings = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **settings)  # type: ignore[no-any-return]


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name)


def _shake() -> nn.Module:
    blocks = (Shaken(8, 8), Shaken(8, 16, 2))
    return nn.Sequential(conv(3, 8), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


BUILD: dict[str, Callable[[], nn.Module]] = {
    "unet": UNet,
    "fork": Fork,
    "siamese": Siamese,
    "shake-shake": _shake,
    "pyramid": Pyramid,
    "googlenet": lambda: _torchvision("googlenet"),
    "inception": lambda: _torchvision("inception_v3"),
    "mobilenet": lambda: _torchvision("mobilenet_v3_small"),
    "shufflenet": lambda: _torchvision("shufflenet_v2_x0_5"),
    "dla": lambda: _timm("dla34"),
    "repvgg": lambda: _timm("repvgg_a0"),
    "res2net": lambda: _timm("res2net50_26w_4s"),
    "hrnet": lambda: _timm("hrnet_w18_small"),
    "densenet": lambda: _torchvision("densenet121"),
}
"""Each network by name; the last two take seconds to draw and to look through."""


@cache
def traced(name: str) -> LayerGraph:
    """One of these networks; those of torchvision and timm need their fixtures."""
    image = (3, 128, 128)
    with torch.device("meta"):
        model = BUILD[name]().eval()
    return trace(model, [image, image] if name == "siamese" else image)
