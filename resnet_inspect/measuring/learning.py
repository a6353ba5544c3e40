"""Training as records: one epoch a line, and the runs that these make up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct, field

from resnet_inspect.errors import InspectError, shown
from resnet_inspect.measuring.measurement import Amount, Count, Environment, Measurement, Size

Share = Annotated[float, Meta(ge=0, le=1)]

CHANCE = 0.9
"""A run has learnt nothing while its train error is above this share of that of guessing."""


class Recipe(Struct, frozen=True, kw_only=True):
    """What a network is trained on, and how; nothing else sets one run apart from another.

    data: its name and, for arrays, a digest of them. train, test: images. SGD with momentum; the
    rate is divided by 10 after half and after three quarters of the epochs (He et al. 2015,
    section 4.2).
    """

    data: str
    train: Size
    test: Size
    classes: Size
    epochs: Size = 20
    batch: Size = 128
    rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: Count = 0

    def checked(self) -> Recipe:
        """This; raises InspectError for a number that cannot be used."""
        for name, value, least in (("epochs", self.epochs, 1), ("batch", self.batch, 2)):
            if not least <= value < 1 << 31:
                raise InspectError(f"{name} is {shown(value)}; give at least {least}")
        if not 0 <= self.weight_decay < 1e6:
            raise InspectError(f"weight_decay is {self.weight_decay:g}; give one from 0, below 1e6")
        if not 0 < self.rate < 1e6:
            raise InspectError(f"rate is {self.rate:g}; give one above 0, below 1e6, such as 0.03")
        return self

    def rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, the first of which is 1."""
        done = epoch - 1
        divisions = int(2 * done >= self.epochs) + int(4 * done >= 3 * self.epochs)
        return self.rate / float(10**divisions)

    @property
    def guessing(self) -> float:
        """The error of who knows nothing, where the classes are equally frequent."""
        return 1 - 1 / self.classes


class Epoch(Measurement, frozen=True, kw_only=True, tag="epoch"):
    """One epoch of a run.

    network: the graph's fingerprint. depth: layers with weights; residual: whether anything is
    added. loss, train_error: means over the epoch's steps, while it learns; test_error: afterwards.
    gradients: root mean square over the steps of the gradient's 2-norm, of the first and the last
    block. responses: after the last epoch, the standard deviation of each convolution's output,
    behind its batch norm (He et al. 2015, Figure 7). seconds: of the clock; cpu: of all cores.
    reason: why the run ended here, where it could not go on; its figures are then unknown.
    """

    model: str
    network: str
    input: tuple[Size, ...]
    depth: Count
    residual: bool
    params: Count
    recipe: Recipe
    epoch: Size
    seconds: Amount
    cpu: Amount
    loss: Amount | None = None
    train_error: Share | None = None
    test_error: Share | None = None
    gradients: tuple[Amount, Amount] | None = None
    responses: dict[str, Amount] = field(default_factory=dict)
    reason: str | None = None

    @property
    def learns(self) -> bool:
        """Whether it does better than guessing."""
        error = self.train_error
        return error is not None and error < CHANCE * self.recipe.guessing

    @property
    def is_last(self) -> bool:
        return self.epoch == self.recipe.epochs or self.reason is not None

    @property
    def words(self) -> str:
        """How it went, for who waits."""
        if self.train_error is None or self.test_error is None:
            return f"ended, as {self.reason}"
        errors = f"train error {self.train_error:.1%}, test error {self.test_error:.1%}"
        hint = "" if self.learns else f" (guessing: {self.recipe.guessing:.1%})"
        return f"loss {self.loss:.3f}, {errors}{hint}"


Run = tuple[Epoch, ...]
"""The epochs of one training, in order."""


def run_key(epoch: Epoch) -> tuple[object, ...]:
    """What two epochs of one run share: a second run would only repeat it."""
    return epoch.model, epoch.network, epoch.recipe, *Environment.of(epoch)


def runs(epochs: Iterable[Epoch]) -> list[Run]:
    """The runs among some epochs; of an epoch that was trained again, the last record."""
    found: dict[tuple[object, ...], dict[int, Epoch]] = {}
    for one in epochs:
        found.setdefault(run_key(one), {})[one.epoch] = one
    return [tuple(of_run[number] for number in sorted(of_run)) for of_run in found.values()]
