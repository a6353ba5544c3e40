"""Torch's settings during a measurement, and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from resnet_inspect.pytorch.bench.backend_flags import settings


def set_precision(value: str, *where: str) -> None:
    holder: Any = torch.backends
    for name in where:
        holder = getattr(holder, name)
    holder.fp32_precision = value


def precisions() -> dict[str, str]:
    """What torch multiplies in, whichever of its flags said so."""
    kinds = [("cuda", "matmul"), ("cudnn", "conv"), ("cudnn", "rnn"), ("mkldnn", "matmul")]
    found = {}
    for parent, kind in kinds:
        found[f"{parent}.{kind}"] = getattr(getattr(torch.backends, parent), kind).fp32_precision
    return found | {"all": torch.backends.fp32_precision}


@pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "conv"), reason="before torch 2.9 there were only flags"
)
@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
@pytest.mark.parametrize(
    "set_before",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
        # Newer settings, with which the older flags cannot even be read.
        lambda: set_precision("tf32", "cuda", "matmul"),
        lambda: set_precision("ieee", "cudnn", "conv"),
        lambda: set_precision("tf32", "cudnn"),
        lambda: set_precision("tf32"),
    ],
    ids=["default", "medium", "old flag", "matmul", "conv", "GPU", "everything"],
)
def test_arithmetic_is_that_of_the_case_whatever_was_set(
    set_before: Callable[[], None], dtype: str
) -> None:
    try:
        set_before()
        before = precisions()
        with settings(dtype) as held:
            assert held.cudnn_allow_tf32 == held.matmul_allow_tf32 == (dtype == "tf32")
            on_gpu = "tf32" if dtype == "tf32" else "ieee"
            assert precisions() == {
                "cuda.matmul": on_gpu,
                "cudnn.conv": on_gpu,
                "cudnn.rnn": on_gpu,
                "mkldnn.matmul": "ieee",
                "all": before["all"],
            }
        assert precisions() == before
    finally:  # torch's defaults
        set_precision("none")
        set_precision("none", "cudnn")
        set_precision("none", "mkldnn", "matmul")
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True


def test_settings_are_set_and_put_back() -> None:
    before = (torch.backends.cudnn.benchmark, torch.get_num_threads())
    with settings("tf32", threads=1) as held:
        assert torch.backends.cudnn.benchmark
        assert torch.get_num_threads() == held.threads == 1
        assert held.cudnn_allow_tf32
    with settings("fp32") as held:
        assert not held.cudnn_allow_tf32
        assert not held.matmul_allow_tf32
    with pytest.raises(KeyError), settings(threads=1):
        raise KeyError
    assert (torch.backends.cudnn.benchmark, torch.get_num_threads()) == before
