"""The zoo as test parameters: one network of each family in every run, the others if slow ones run.

For tests that take networks through other tools; `pytest -m ""` runs them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from resnet_inspect.networks import zoo

SHORTER = {"legacy_seresnet18", "res2net50_26w_4s"}
"""Taken for families whose first network has hundreds of layers more."""


def one_of_each_family(names: Iterable[str] = zoo.ZOO) -> list[Any]:
    """The names as parameters; all but one of each family, mostly its first, are marked slow."""
    names = list(names)
    chosen: dict[str, str] = {}
    for name in names:
        family = zoo.ZOO[name].family
        if family not in chosen or name in SHORTER:
            chosen[family] = name
    always = set(chosen.values())
    return [pytest.param(n, marks=() if n in always else pytest.mark.slow) for n in names]


def shortened_of_each_family(names: Iterable[str] = zoo.ZOO) -> list[Any]:
    """One network of each family with at most two blocks in a stage, and all of them as they are.

    A stage's third block is built as its second; only what is shortened is not marked slow.
    """
    short = [shortened(each.values[0]) for each in one_of_each_family(names) if not each.marks]
    whole = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in short]
    return [*short, *whole]


def shortened(name: str) -> str:
    """A network of the zoo with at most two blocks in a stage."""
    blocks = zoo.spec(name).blocks
    kept = ",".join(str(min(2, count)) for count in blocks)
    return f"{name}[blocks={kept}]" if max(blocks) > 2 else name
