"""What is timed: networks, inputs and steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from benching import CASE, CPU, GRAPH
from msgspec.structs import replace
from torch import nn

import resnet_inspect as ri
from resnet_inspect.errors import InspectError
from resnet_inspect.pytorch.bench import workload
from resnet_inspect.pytorch.inputs import Arguments


def only(tensor: torch.Tensor) -> Arguments:
    return Arguments((tensor,), {})


def test_inputs_are_random_and_larger_than_the_cache() -> None:
    model = nn.Identity()
    batches = workload.inputs(GRAPH, model, CASE, CPU)
    assert sum(map(workload.nbytes, batches)) >= 2 * workload.cache_size(CPU)
    first, second = (batch.args[0] for batch in batches[:2])
    assert not torch.equal(first, second)
    assert first.std() > 0.9
    case = replace(CASE, memory_format="nhwc", dtype="bf16")
    ((nhwc,), _) = workload.inputs(GRAPH, model, case, CPU)[0]
    assert nhwc.dtype == torch.bfloat16
    assert nhwc.is_contiguous(memory_format=torch.channels_last)


def test_every_step_takes_the_next_input() -> None:
    batches = [only(torch.full((1, *GRAPH.input_shape), float(k))) for k in range(3)]
    seen: list[float] = []

    class Spy(nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(float(batch[0, 0, 0, 0]))
            return batch

    step = workload.step(Spy(), replace(CASE, batch=1), batches)
    for _ in range(5):
        step()
    assert seen == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("name", ["resnet20_cifar", "resnet18", "resnetv2_18"])
def test_folding_batch_norm_keeps_the_outputs(name: str) -> None:
    graph = ri.graph(name, (3, 32, 32))
    model = workload.network(graph, CPU)
    example = torch.randn(2, *graph.input_shape)
    with torch.inference_mode():
        before = model(example)
        folded = workload.fold_batch_norm(model, graph)(example)
    assert (folded - before).norm() <= 1e-4 * before.norm()
    left = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert bool(left) == (name == "resnetv2_18"), "what follows an addition cannot be folded"


def test_calibrated_networks_stay_finite_in_half_precision() -> None:
    graph = ri.graph("resnet56_cifar")
    model = workload.network(graph, CPU)
    with torch.inference_mode():
        assert model(torch.randn(2, *graph.input_shape)).abs().max() < 1e3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "fp8"}, "unknown dtype 'fp8'"),
        ({"memory_format": "nwhc"}, "did you mean nhwc"),
        ({"mode": "compiled"}, "did you mean compile"),
        ({"batch": 0}, "batch is 0"),
        ({"mode": "cudagraph"}, "needs an NVIDIA GPU"),
        ({"dtype": "tf32"}, "needs an NVIDIA GPU"),
    ],
)
def test_cases_that_a_cpu_cannot_run(changes: dict[str, object], words: str) -> None:
    workload.check(CASE, CPU)
    with pytest.raises(InspectError, match=words):
        workload.check(replace(CASE, **changes), CPU)  # type: ignore[arg-type]


class FakeCuda:
    """Notes what capturing a CUDA graph asks of torch, where there is no GPU to ask."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        monkeypatch.setattr(torch, "cuda", self)
        # A build for CPUs only does not have it.
        workspaces = self.__getattr__("clear_workspaces")
        monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", workspaces, raising=False)

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> Any:
            self.said.append(name)
            return self

        return call

    @contextmanager
    def stream(self, *_: object) -> Iterator[None]:
        self.said.append("stream")
        try:
            yield
        finally:
            self.said.append("back")

    @contextmanager
    def graph(self, *_: object, **__: object) -> Iterator[None]:
        self.said.append("capture")
        yield  # a failed capture does not leave torch's own stream context either
        self.said.append("captured")


def test_a_replay_reads_the_next_input(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    batches = [only(torch.full((1, 2), float(value))) for value in range(3)]
    seen: list[Arguments] = []
    replay = workload.captured(seen.append, batches)
    static = seen[-1]
    for batch in (*batches, batches[0]):
        replay()
        assert cuda.said[-1] == "replay"
        assert torch.equal(static.args[0], batch.args[0])
        assert static.args[0] is not batch.args[0]


def test_a_capture_that_fails_gives_the_stream_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)

    def run(_: Arguments) -> None:
        if cuda.said[-1] == "capture":
            raise RuntimeError("no capture of this")

    with pytest.raises(RuntimeError, match="no capture"):
        workload.captured(run, [only(torch.zeros(1))])
    assert cuda.said[-2:] == ["capture", "back"]
