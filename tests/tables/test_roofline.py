"""Least times, what bounds them, and fusing: worked by hand, and against published counts."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import ceilings as ceilings_record

import resnet_inspect as ri
from resnet_inspect.counting.roofline import Ceilings, bounds, floor, fused, roofline, works
from resnet_inspect.errors import InspectError
from resnet_inspect.measuring.records import SCHEMA, append
from resnet_inspect.networks.fusion import fuse
from resnet_inspect.networks.ops import BatchNorm2d
from resnet_inspect.tables.roofline import LEVELS, table

CEILINGS = Ceilings(
    "a device", "cpu", {"fp32": 1e12, "bf16": 8e12}, ((1 << 20, 4e11), (1 << 30, 1e11)), 1e-6
)
FACTS = json.loads((Path(__file__).parents[1] / "facts" / "counters.json").read_text())["terms"]
NETWORKS = ("resnet18", "resnet50", "resnet20_cifar", "resnetv2_18", "seresnet50")


def test_a_convolution_by_hand() -> None:
    layers = {work.name: work for work in works(ri.graph("resnet18"), batch=2)}
    work = layers["layer1.0.conv1"]
    moved = 2 * 64 * 56 * 56
    assert work.macs == 2 * 64 * 64 * 9 * 56 * 56
    assert work.flops == 2 * work.macs
    assert work.bytes == 4 * (moved + moved + 64 * 64 * 9)
    (bound,) = bounds([work], CEILINGS)
    assert bound.compute == work.flops / 1e12
    assert bound.memory == work.bytes / 1e11  # more than a mebibyte: the large copy's speed
    assert bound.by == "compute"
    assert bound.least == bound.compute


def test_an_activation_waits_for_memory_and_a_view_for_nothing() -> None:
    found = {b.work.name: b for b in bounds(works(ri.graph("resnet18")), CEILINGS)}
    assert found["relu"].by == "memory"
    assert found["flatten"].by == ""
    assert found["flatten"].least == 0
    assert found["flatten"].work.intensity is None


def test_half_the_bytes_in_half_precision() -> None:
    graph = ri.graph("resnet18")
    pairs = zip(works(graph), works(graph, dtype="bf16"), strict=True)
    assert all(single.bytes == 2 * half.bytes for single, half in pairs)


def test_bandwidth_is_that_of_the_fastest_copy_of_as_many_bytes() -> None:
    assert CEILINGS.bandwidth_of(1) == 4e11
    assert CEILINGS.bandwidth_of(1 << 20) == 4e11
    assert CEILINGS.bandwidth_of((1 << 20) + 1) == 1e11
    assert CEILINGS.bandwidth_of(1 << 40) == CEILINGS.bandwidth == 1e11
    assert CEILINGS.cache_bandwidth == 4e11


@pytest.mark.parametrize("name", NETWORKS)
def test_fusing_loses_and_repeats_no_layer(name: str) -> None:
    graph = ri.graph(name)
    kernels = fuse(graph)
    assert sorted(layer.name for kernel in kernels for layer in kernel) == sorted(graph.by_name)
    readers = [source for layer in graph.layers for source in layer.inputs]
    for kernel in kernels:
        for before, after in pairwise(kernel):
            assert before.name in after.inputs
            assert readers.count(before.name) == 1, "somebody else needs what was not written"


def test_the_kernels_of_a_bottleneck() -> None:
    block = {k[0].name: [layer.name.split(".", 2)[-1] for layer in k]
             for k in fuse(ri.graph("resnet50")) if k[0].name.startswith("layer1.0")}  # fmt: skip
    assert block == {
        "layer1.0.conv1": ["conv1", "bn1", "relu1"],
        "layer1.0.conv2": ["conv2", "bn2", "relu2"],
        "layer1.0.conv3": ["conv3", "bn3", "add", "relu3"],
        "layer1.0.downsample.0": ["downsample.0", "downsample.1"],
    }


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_folding_turns_two_operations_of_batch_norm_into_one_of_a_bias(name: str) -> None:
    graph = ri.graph(name)
    before, after = works(graph), fused(graph)
    assert sum(w.macs for w in after) == sum(w.macs for w in before)
    assert sum(w.flops for w in before) - sum(w.flops for w in after) == FACTS["K"][name]


def test_what_a_fused_kernel_moves_by_hand() -> None:
    kernel = {work.name: work for work in fused(ri.graph("resnet18"))}["layer1.0.conv2"]
    one = 64 * 56 * 56
    # In: the residual and the shortcut; out: the block's output; weights, and one bias a channel.
    assert kernel.bytes == 4 * (one + one + one + 64 * 64 * 9 + 64)
    assert kernel.flops == 2 * one * 64 * 9 + one + one + one  # bias, addition, activation


def test_batch_norm_of_what_others_read_too_is_a_kernel_of_its_own() -> None:
    """Before a convolution (pre-activation) it cannot be folded into the sum it reads."""
    graph = ri.graph("resnetv2_18")
    readers = [source for layer in graph.layers for source in layer.inputs]
    heads = {kernel[0].name for kernel in fuse(graph)}
    shared = [
        layer.name
        for layer in graph.layers
        if isinstance(layer.op, BatchNorm2d) and readers.count(layer.inputs[0]) > 1
    ]
    assert shared
    assert heads >= set(shared)


@given(
    st.sampled_from(NETWORKS),
    st.integers(1, 300),
    st.floats(1e9, 1e15),
    st.floats(1e9, 1e13),
)
def test_fusing_never_raises_the_floor_of_one_memory(
    name: str, batch: int, rate: float, bandwidth: float
) -> None:
    ceilings = Ceilings("d", "cpu", {"fp32": rate}, ((1 << 20, bandwidth),), 0.0)
    both = roofline(ri.graph(name), ceilings, batch)
    assert both.fused_floor <= both.floor * (1 + 1e-12)
    assert both.floor == floor(bounds(works(ri.graph(name), batch), ceilings))


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_adds_up_to_the_network(level: str) -> None:
    made = table(roofline(ri.graph("resnet50"), CEILINGS, 8), level)
    assert made.total is not None
    for key in ("macs", "flops", "bytes"):
        assert sum(row[key] for row in made.rows) == made.total[key]  # type: ignore[misc]
    assert math.isclose(sum(row["least"] for row in made.rows), made.total["least"])  # type: ignore[misc]


def test_what_cannot_be_asked() -> None:
    graph = ri.graph("resnet18")
    for wrong, words in (
        (lambda: works(graph, 0), "batch is 0"),
        (lambda: works(graph, 1, "fp8"), "unknown dtype 'fp8'"),
        (lambda: roofline(graph, CEILINGS, dtype="fp16"), "ceilings of a device"),
        (lambda: table(roofline(graph, CEILINGS), "blok"), "did you mean block"),
    ):
        with pytest.raises(InspectError, match=words):
            wrong()


def stored(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    append(path, ceilings_record(copies=((1 << 20, 4e11), (1 << 30, 1e11))))
    return path


def command(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom resnet_inspect.cli.main import run\nstatus = run(sys.argv[1:])\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys()\nsys.exit(status)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )


def test_the_command_uses_stored_ceilings_and_no_torch(tmp_path: Path) -> None:
    stored(tmp_path / "resnet-inspect" / f"ceilings-{SCHEMA}.jsonl")
    done = command("roofline", "resnet50", "--level", "stage", "--batch", "8", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a device" in done.stdout
    assert "Floor:" in done.stdout


def test_without_ceilings_the_command_says_what_measures_them(tmp_path: Path) -> None:
    done = command("roofline", "resnet50", cache=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "resnet-inspect: no ceilings stored; 'resnet-inspect device' measures them"
    ]
