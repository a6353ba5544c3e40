"""Receptive fields: what the positions of a tensor see of the input, along each axis.

A position i sees `size` input pixels from i * stride + start on, padding included (so start may be
negative). Through a window

    size'   = size + (kernel - 1) * stride
    start'  = start - padding * stride
    stride' = stride * step

(Araujo et al. 2019, 'Computing Receptive Fields of Convolutional Neural Networks', section 2;
Dumoulin & Visin 2016). Behind upsampling neighbours see extents that do not move evenly: these
are then listed, until they repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

from resnet_inspect.networks.shapes import Pair, Shape

if TYPE_CHECKING:
    from fractions import Fraction

Span = tuple[int, int] | None
"""The first and the last pixel that a position sees; None if it sees none."""

Taps = Callable[[int], Iterable[int]]
"""The positions of an input that a position of the output is made of."""

MOST = 4096
"""Fields whose positions see more different extents than that are not followed."""


class UnknownField(Exception):
    """What a position sees cannot be told."""


class Field(NamedTuple):
    """The receptive field along one axis, in input pixels.

    size: the most that a position sees. stride: from a position to the next, on the average.
    start: the first pixel of the first position. spans: what each position sees, where that does
    not move evenly; after them it repeats `step` pixels later, or with None there are no others.
    """

    size: int
    stride: int | Fraction
    start: int
    spans: tuple[Span, ...] = ()
    step: int | None = 0

    @classmethod
    def of(cls, spans: tuple[Span, ...], step: int | None) -> Field:
        """The field of positions that see these pixels, in the simplest form."""
        seen = [(at, span) for at, span in enumerate(spans) if span is not None]
        if not seen:
            raise UnknownField
        count, (at, (first, last)) = len(spans), seen[0]
        if step is not None and step % count == 0:
            even = step // count
            if all(s == (first + i * even, last + i * even) for i, s in enumerate(spans)):
                return cls(last - first + 1, even, first)
        if count == 1:
            return cls(last - first + 1, 0, first)
        size = max(end - start + 1 for _, (start, end) in seen)
        end_at, (end, _) = seen[-1]
        moved = (step, count) if step is not None else (end - first, max(1, end_at - at))
        from fractions import Fraction

        stride = Fraction(*moved)
        return cls(size, int(stride) if stride == int(stride) else stride, first, spans, step)

    @property
    def padding(self) -> int:
        """How far the first position's field reaches beyond the input's edge."""
        return -self.start

    @property
    def centre(self) -> float:
        """Where the first position's field is centred."""
        if not self.spans:
            return self.start + (self.size - 1) / 2
        first, last = next(filter(None, self.spans))
        return (first + last) / 2

    @property
    def period(self) -> int:
        """After how many positions what they see repeats."""
        return len(self.spans) or 1

    def span(self, position: int) -> Span:
        """What a position sees."""
        if not self.spans:
            first = self.start + position * int(self.stride)
            return first, first + self.size - 1
        if self.step is None:
            return self.spans[position] if 0 <= position < len(self.spans) else None
        periods, phase = divmod(position, len(self.spans))
        if (span := self.spans[phase]) is None:
            return None
        return span[0] + periods * self.step, span[1] + periods * self.step

    def window(self, kernel: int, stride: int, padding: int, positions: int = 0) -> Field:
        """The field after a sliding window, which has so many positions."""
        if self.spans:
            ahead = range(-padding, kernel - padding)
            return self.gathered(lambda i: [i * stride + k for k in ahead], (1, stride), positions)
        return Field(
            self.size + (kernel - 1) * int(self.stride),
            self.stride * stride,
            self.start - padding * int(self.stride),
        )

    def gathered(self, taps: Taps, rate: Pair, positions: int) -> Field:
        """The field of so many positions, each made of those that `taps` gives.

        rate: (n, m): the taps of n positions later are m positions later.
        """
        out, into = rate
        step = None
        if self.step is None:
            count = positions
        else:
            rounds = self.period // gcd(self.period, into)
            count = out * rounds
            once_more = self.step if self.spans else int(self.stride)
            step = once_more * (into * rounds // self.period)
        if 2 * count > positions:
            count, step = positions, None  # it would repeat beyond the last position only
        if count > MOST:
            raise UnknownField
        return Field.of(tuple([_hull(map(self.span, taps(i))) for i in range(count)]), step)

    def at(self, position: int) -> Field:
        """The field of one position."""
        return Field.of((self.span(position),), 0)

    def listed(self, positions: int) -> Field:
        """The field of so many positions, each by itself."""
        if positions > MOST:
            raise UnknownField
        return Field.of(tuple(map(self.span, range(positions))), None)

    def all_of(self, positions: int) -> Field:
        """The field of something that looks at all positions."""
        if self.spans:
            ends = {*range(min(positions, self.period)), *range(positions)[-self.period :]}
            return Field.of((_hull(map(self.span, ends)),), 0)
        return Field(self.size + (positions - 1) * int(self.stride), 0, self.start)

    def joined(self, other: Field, positions: int) -> Field:
        """The hull of two branches that meet in `positions` positions."""
        if self.spans or other.spans or self.stride != other.stride:
            return self._merged(other, positions)
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(end - start, self.stride, start)

    def _merged(self, other: Field, positions: int) -> Field:
        if 0 in (self.stride, other.stride):
            return self.all_of(positions).joined(other.all_of(positions), 1)
        repeats = self.step is not None and other.step is not None
        count = lcm(self.period, other.period)
        if not repeats or self.stride != other.stride or count > MOST:
            count, repeats = positions, False
        if count > MOST:
            raise UnknownField
        spans = [_hull((self.span(i), other.span(i))) for i in range(count)]
        return Field.of(tuple(spans), int(self.stride * count) if repeats else None)

    def later(self, step: Field, repeats: int) -> Field:
        """The field so many repeats later, each of which adds the step's size and start."""
        return Field(
            self.size + repeats * step.size, self.stride, self.start + repeats * step.start
        )


def _hull(spans: Iterable[Span]) -> Span:
    seen = [span for span in spans if span is not None]
    if not seen:
        return None
    return min(first for first, _ in seen), max(last for _, last in seen)


FIXED = -1
"""The dimension of an axis along which all positions see the same."""


class ReceptiveField(NamedTuple):
    """What positions of a tensor see of the input along each of its axes.

    dims: the dimension of the tensor, the batch left out, along which each axis runs; `FIXED` where
    none does. Without axes: it depends on other inputs only.
    """

    axes: tuple[Field, ...]
    dims: tuple[int, ...]

    @property
    def height(self) -> Field:
        """The last axis but one."""
        return self.axes[-2]

    @property
    def width(self) -> Field:
        """The last axis."""
        return self.axes[-1]

    @property
    def size(self) -> tuple[int, ...]:
        return tuple([axis.size for axis in self.axes])

    @property
    def stride(self) -> tuple[float, ...]:
        strides = [axis.stride for axis in self.axes]
        return tuple([s if isinstance(s, int) else float(s) for s in strides])

    @property
    def padding(self) -> tuple[int, ...]:
        return tuple([axis.padding for axis in self.axes])

    @property
    def centre(self) -> tuple[float, ...]:
        return tuple([axis.centre for axis in self.axes])

    def along(self, change: Callable[[int, Field], Field]) -> ReceptiveField:
        """With each axis that runs along a dimension changed; equal ones are worked out once."""
        known: dict[tuple[int, Field], Field] = {}
        axes = []
        for axis, dim in zip(self.axes, self.dims, strict=True):
            if dim != FIXED and (dim, axis) not in known:
                known[dim, axis] = change(dim, axis)
            axes.append(known[dim, axis] if dim != FIXED else axis)
        return ReceptiveField(tuple(axes), self.dims)

    def everywhere(self, shape: Shape, over: Iterable[int] | None = None) -> ReceptiveField:
        """The field of something that looks at all positions along some dimensions, or all."""
        over = range(len(shape)) if over is None else over
        axes = self.along(lambda dim, axis: axis.all_of(shape[dim]) if dim in over else axis).axes
        return ReceptiveField(axes, tuple(FIXED if dim in over else dim for dim in self.dims))

    def joined(self, other: ReceptiveField, shape: Shape) -> ReceptiveField:
        """The field where two branches meet in a tensor of this shape."""
        if not self.axes or not other.axes or self == other:
            return self if self.axes else other
        axes: list[Field] = []
        dims: list[int] = []
        last: tuple[Field, Field, int] | None = None
        for mine, theirs, own, its in zip(
            self.axes, other.axes, self.dims, other.dims, strict=True
        ):
            if FIXED not in (own, its) and own != its:
                raise UnknownField
            dim = max(own, its)
            pair = (mine, theirs, 1 if dim == FIXED else shape[dim])
            joined = axes[-1] if pair == last else mine.joined(*pair[1:])  # nearly always equal
            last = pair
            axes.append(joined)
            dims.append(dim if joined.stride or joined.spans else FIXED)
        return ReceptiveField(tuple(axes), tuple(dims))

    def later(self, step: ReceptiveField, repeats: int) -> ReceptiveField:
        """The field so many repeats later."""
        first, *rest = zip(self.axes, step.axes, strict=True)
        axes = [first[0].later(first[1], repeats)]
        axes += [axes[0] if pair == first else pair[0].later(pair[1], repeats) for pair in rest]
        return ReceptiveField(tuple(axes), self.dims)


def pixels(axes: int) -> ReceptiveField:
    """The field of an input of (channels, positions along so many axes)."""
    return ReceptiveField((Field(1, 1, 0),) * axes, tuple(range(1, axes + 1)))


NOTHING = ReceptiveField((), ())
