"""The zoo as test parameters: one network of each family in every run, the others if slow ones run.

For tests that take networks through other tools; `pytest -m ""` runs them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from resnet_inspect.networks import zoo


def one_of_each_family(names: Iterable[str] = zoo.ZOO) -> list[Any]:
    """The names as parameters; all but the first of each family are marked slow."""
    families: set[str] = set()
    parameters = []
    for name in names:
        family = zoo.ZOO[name].family
        marks = [pytest.mark.slow] if family in families else []
        parameters.append(pytest.param(name, marks=marks))
        families.add(family)
    return parameters
