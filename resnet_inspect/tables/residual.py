"""Why F(x) is easier to learn than H(x), with numbers: He et al. 2015, section 3.1."""

from __future__ import annotations

from resnet_inspect.propagation.growth import (
    NORMED_GRADIENT,
    residual_gradient,
    residual_variance,
    unnormed_variance,
)
from resnet_inspect.tables.columns import Column, Record
from resnet_inspect.tables.table import Table

WORD = "residual"
"""What `explain` is asked for; no layer is called so."""

_X, _BEFORE, _AFTER = 5.0, 5.1, 5.2
"""An input, and what is wanted of it before and after a small change."""

_BLOCKS = 20


_PARTS = (
    "x enters on the shortcut, 'identity'; F(x) is what the block's layers give; F(x) + x leaves "
    "(He et al. 2015, arXiv 1512.03385, Figure 2 and section 3.1)."
)
_IDENTITY = (
    "Where the best a block can do is near the identity, F only has to stay near 0, which small "
    "weights give; a plain block's layers have to copy their input through a ReLU."
)
_GRADIENTS = (
    f"Gradients²: through {2 * _BLOCKS} layers of a plain network with batch norm, by pi / (pi - "
    f"1) a layer; through {_BLOCKS} pre-activation blocks of two layers, by the product of 1 + "
    "1/(a v), v the variance of a block's input."
)
_VARIANCES = (
    "Variances: by He's initialisation a plain layer keeps the mean square, and a block adds to x "
    "as much again; with batch norm a pre-activation block adds a = 1 - 1/pi, however large it is."
)
_GROW = (
    "With batch norm a plain network's gradients do not vanish: they grow towards the input (Yang "
    "et al. 2019, arXiv 1902.08129)."
)


def residual() -> Table:
    """What a block is asked to learn, what a small change of that asks, and what depth does."""
    return Table(
        title="What a residual block learns: H(x) = F(x) + x",
        columns=(
            Column("quantity", "Quantity"),
            Column("plain", "Plain block: H(x)"),
            Column("residual", "Residual block: F(x) = H(x) - x"),
        ),
        rows=tuple(_rows()),
        meta={"x": _X, "wanted": [_BEFORE, _AFTER]},
        notes=(_PARTS, _IDENTITY, _VARIANCES, _GRADIENTS, _GROW),
    )


def _rows() -> list[Record]:
    """Text, as a reader would write it."""
    change, small, large = _AFTER - _BEFORE, _BEFORE - _X, _AFTER - _X
    plain = f"{_BEFORE:g} -> {_AFTER:g}, {change / _BEFORE:.0%}"
    residual = f"{small:.1f} -> {large:.1f}, {change / small:.0%}"
    unnormed, normed = unnormed_variance(_BLOCKS), residual_variance(1, _BLOCKS)
    grown, kept = NORMED_GRADIENT ** (2 * _BLOCKS), residual_gradient(1, _BLOCKS)
    rows = (
        (f"to give {_BEFORE:g} of x = {_X:g}", f"H = {_BEFORE:g}", f"F = {small:.1f}"),
        (f"to give {_AFTER:g} of x = {_X:g}", f"H = {_AFTER:g}", f"F = {large:.1f}"),
        ("what that changes", plain, residual),
        ("to give x itself", "weights that copy x", "weights of 0"),
        ("paths through n blocks", "1", "2^n"),
        ("derivative of a block", "H'", "1 + F'"),
        (f"variance through {_BLOCKS} blocks, no norm", "× 1", f"× {unnormed:,}"),
        (f"variance through {_BLOCKS} blocks, batch norm", "× 1", f"× {normed:.1f}"),
        (f"gradient² through {_BLOCKS} blocks", f"× {grown:,.0f}", f"× {kept:.0f}"),
    )
    return [dict(zip(("quantity", "plain", "residual"), row, strict=True)) for row in rows]
