"""Training as pictures: errors and gradients through the epochs, and how layers respond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from resnet_inspect.measuring.learning import Epoch, Run, runs
from resnet_inspect.pictures.plots.plot import (
    DASHES,
    Plot,
    called,
    plain_numbers,
    shared_legend,
    side_by_side,
)
from resnet_inspect.pictures.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHED = DASHES[1]
"""Of networks that add nothing, as in He et al. 2015, Figure 6."""


def learning_plots(epochs: Sequence[Epoch]) -> list[Plot]:
    """Errors, gradients and responses of each data that networks were trained on."""
    plots = []
    trained = runs(epochs)
    for data in dict.fromkeys(run[0].recipe.data for run in trained):
        networks = _networks([run for run in trained if run[0].recipe.data == data])
        plots += [_errors(data, networks), _gradients(data, networks)]
        if any(run[-1].responses for each in networks for run in each.runs):
            plots.append(_responses(data, networks))
    return plots


class _Network(NamedTuple):
    """The trainings of one network. number: of its colour, which networks of one depth share."""

    name: str
    number: int
    residual: bool
    runs: tuple[Run, ...]

    def look(self, theme: Theme) -> dict[str, Any]:
        return {
            "color": theme.series[self.number % len(theme.series)],
            "linestyle": "-" if self.residual else DASHED,
            "linewidth": 1.6,
        }


def _networks(trained: Sequence[Run]) -> list[_Network]:
    """By depth; each plain network before the residual one."""
    by_name: dict[tuple[int, bool, str], list[Run]] = {}
    for run in trained:
        by_name.setdefault((run[0].depth, run[0].residual, run[0].model), []).append(run)
    paired = len({kind[:2] for kind in by_name}) == len(by_name)
    depths = sorted({depth for depth, _, _ in by_name})
    ordered = sorted(by_name.items(), key=itemgetter(0))
    return [
        _Network(name, depths.index(depth) if paired else at, residual, tuple(trainings))
        for at, ((depth, residual, name), trainings) in enumerate(ordered)
    ]


def _errors(data: str, networks: Sequence[_Network]) -> Plot:
    """He et al. 2015, Figure 6: error through training."""
    panels: dict[str, Callable[[Epoch], float | None]] = {
        "Train error, %": lambda one: _percent(one.train_error),
        "Test error, %": lambda one: _percent(one.test_error),
    }
    ends = "; ".join(f"{each.name} {_ending(each)}" for each in networks)
    return _curves("errors", data, networks, panels, f"Train and test error by epoch. {ends}")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _ending(network: _Network) -> str:
    errors = [run[-1].train_error for run in network.runs if run[-1].train_error is not None]
    return f"ends at {median(errors):.1%} train error" if errors else "diverges"


def _gradients(data: str, networks: Sequence[_Network]) -> Plot:
    panels: dict[str, Callable[[Epoch], float | None]] = {
        "Gradient of the first block": lambda one: one.gradients[0] if one.gradients else None,
        "Gradient of the last block": lambda one: one.gradients[1] if one.gradients else None,
    }
    alt = "2-norm of the gradient of the first and of the last block's weights by epoch"
    return _curves("gradients", data, networks, panels, alt, logarithmic=True)


def _curves(
    name: str,
    data: str,
    networks: Sequence[_Network],
    panels: dict[str, Callable[[Epoch], float | None]],
    alt: str,
    logarithmic: bool = False,
) -> Plot:
    """A panel for each measure: the middle of all seeds by epoch, and their range shaded."""

    def paint(figure: Figure, theme: Theme) -> None:
        grid = side_by_side(figure, len(panels), sharey=True)
        for axes, (title, measure) in zip(grid, panels.items(), strict=True):
            for network in networks:
                _curve(axes, theme, network, measure)
            axes.set(title=title, xlabel="epoch")
            if logarithmic:
                _logarithmic(axes)
            axes.locator_params(axis="x", integer=True)
        shared_legend(figure, grid[0], loc="outside lower center", ncols=min(5, len(networks)))

    seeds = "; the middle of several seeds, their range shaded" if _several(networks) else ""
    return Plot(f"{name}-{data}", f"{alt}, on {data}{seeds}.", (9.3, 4.4), paint, len(panels))


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    plain_numbers(axes.yaxis, (1,))


def _several(networks: Sequence[_Network]) -> bool:
    return any(len(network.runs) > 1 for network in networks)


def _curve(
    axes: Axes, theme: Theme, network: _Network, measure: Callable[[Epoch], float | None]
) -> None:
    found: dict[int, list[float]] = {}
    for run in network.runs:
        for epoch in run:
            value = measure(epoch)
            if value is not None:
                found.setdefault(epoch.epoch, []).append(value)
    places = sorted(found)
    look = network.look(theme)
    marker = "o" if len(places) == 1 else ""  # one epoch alone is a point, not a line
    middles = [median(found[place]) for place in places]
    axes.plot(places, middles, label=called(network.name), marker=marker, **look)
    if any(len(values) > 1 for values in found.values()):
        low, high = ([pick(found[place]) for place in places] for pick in (min, max))
        axes.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _responses(data: str, networks: Sequence[_Network]) -> Plot:
    """He et al. 2015, Figure 7: the responses of the layers in order, and by their size."""

    def paint(figure: Figure, theme: Theme) -> None:
        grid = side_by_side(figure, 2, sharey=True)
        for network in networks:
            of_seeds = [list(run[-1].responses.values()) for run in network.runs]
            middles = [median(values) for values in zip(*filter(None, of_seeds), strict=False)]
            places, look = range(1, len(middles) + 1), network.look(theme)
            grid[0].plot(places, middles, label=called(network.name), **look)
            grid[1].plot(places, sorted(middles, reverse=True), **look)
        titles = ("Responses of the layers in order", "The same by size")
        for axes, title in zip(grid, titles, strict=True):
            axes.set(title=title, xlabel="layer")
            _logarithmic(axes)
            axes.locator_params(axis="x", integer=True)
        grid[0].set_ylabel("standard deviation")
        shared_legend(figure, grid[0], loc="outside lower center", ncols=min(5, len(networks)))

    return Plot(
        f"responses-{data}",
        f"Standard deviation of each convolution's output after training on {data}, in order and "
        f"by size: {', '.join(network.name for network in networks)}.",
        (9.3, 4.4),
        paint,
        columns=2,
    )
