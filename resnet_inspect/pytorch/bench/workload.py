"""What is timed: a network made ready for a case, and a step of it on inputs not yet cached."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from resnet_inspect.counting.costs import checked_batch
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.measuring.records import Case
from resnet_inspect.measuring.sampling import Step
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import Add, BatchNorm2d, Conv2d, elements
from resnet_inspect.pytorch.assemble import build, residual_end
from resnet_inspect.pytorch.bench.backend_flags import DTYPES, settings
from resnet_inspect.pytorch.bench.clock import collector_off
from resnet_inspect.pytorch.bench.machine import cache_size
from resnet_inspect.pytorch.bench.peak_memory import clear_workspaces

MODES = ("eager", "compile", "cudagraph", "compile+cudagraph")

FORMATS: dict[str, torch.memory_format] = {
    "nchw": torch.contiguous_format,
    "nhwc": torch.channels_last,
}

STEPS = ("inference", "training")

SEED = 0

CALIBRATION = 8
"""Samples from which batch norm takes its statistics."""

RESIDUAL_SCALE = 0.2
"""Of the last batch norm (or convolution) of each residual branch; 0 is where Goyal et al. 2017
(arXiv 1706.02677, section 5.1) start training."""


def check(case: Case, device: torch.device) -> None:
    """Raise InspectError for a case that this device cannot run at all."""
    for what, name, known in (
        ("dtype", case.dtype, DTYPES),
        ("memory format", case.memory_format, FORMATS),
        ("mode", case.mode, MODES),
    ):
        if name not in known:
            raise unknown(what, name, known)
    checked_batch(case.batch)
    on_gpu = device.type == "cuda"
    if not on_gpu and "cudagraph" in case.mode:
        raise InspectError(f"mode {case.mode!r} needs an NVIDIA GPU; the CPU has eager and compile")
    if case.dtype == "tf32" and not has_tf32(device):
        raise InspectError(
            "dtype 'tf32' needs an NVIDIA GPU of compute capability 8.0 or later; use fp32"
        )
    if case.step == "training" and case.dtype == "fp16" and "cudagraph" in case.mode:
        raise InspectError(
            "training in fp16 looks at the gradients' scale in every step, which a CUDA graph "
            "cannot; use bf16, or mode eager or compile"
        )


def has_tf32(device: torch.device) -> bool:
    """Whether a device has tensor cores that round fp32 to TF32."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def network(graph: LayerGraph, device: torch.device) -> nn.Module:
    """A random network in eval mode whose numbers behave as a trained one's.

    Batch norm takes its statistics from random input, so activations do not grow until half
    precision overflows. Every residual branch ends in a scale of RESIDUAL_SCALE: with full
    branches rounding errors grow a hundredfold through fifty layers (bf16 is then 20% off), which
    says more of random weights than of the arithmetic. A traced network keeps the weights that its
    own code gives it.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(SEED)
        model = build(graph).to(device)
        if graph.maker is None:
            _damp(model, graph)
        with settings():  # in fp32 whatever is measured, so that all cases have the same network
            _calibrate(model, graph, device)
    return model.eval()


def _damp(model: nn.Module, graph: LayerGraph) -> None:
    with torch.no_grad():
        for layer in graph.layers:
            if isinstance(layer.op, Add):
                end = model.get_submodule(residual_end(graph, layer.inputs[0]).path)
                assert isinstance(end.weight, torch.Tensor)
                end.weight.mul_(RESIDUAL_SCALE)


def _calibrate(model: nn.Module, graph: LayerGraph, device: torch.device) -> None:
    momentum = {part: part.momentum for part in model.modules() if isinstance(part, nn.BatchNorm2d)}
    if not momentum:
        return
    for norm in momentum:
        norm.momentum = None  # average over all that is seen
    with torch.no_grad():
        model.train()(random(device, CALIBRATION, *graph.input_shape))
    for norm, value in momentum.items():
        norm.momentum = value


def random(device: torch.device, *shape: int, seed: int = SEED) -> torch.Tensor:
    """Standard normal numbers, the same each time."""
    generator = torch.Generator(device=device).manual_seed(seed)
    return torch.randn(shape, device=device, generator=generator)


def fold_batch_norm(model: nn.Module, graph: LayerGraph) -> nn.Module:
    """Fold every batch norm that follows a convolution alone into it, in place; for eval mode.

    torch.nn.utils.fusion does the arithmetic; an identity stays where the batch norm was.
    """
    readers = [source for layer in graph.layers for source in layer.inputs]
    for layer in graph.layers:
        before = graph.by_name.get(layer.inputs[0])
        if (
            isinstance(layer.op, BatchNorm2d)
            and before is not None
            and isinstance(before.op, Conv2d)
            and readers.count(before.name) == 1
        ):
            convolution, norm = model.get_submodule(before.path), model.get_submodule(layer.path)
            if type(convolution) is not nn.Conv2d or type(norm) is not nn.BatchNorm2d:
                continue  # a subclass may do more than its op
            model.set_submodule(before.path, fuse_conv_bn_eval(convolution, norm))
            model.set_submodule(layer.path, nn.Identity())
    return model


def inputs(case: Case, device: torch.device) -> list[torch.Tensor]:
    """Random inputs, enough of them that one is out of the cache when its turn comes again."""
    dtype = torch.float32 if case.step == "training" else DTYPES[case.dtype]
    each = case.batch * elements(case.input) * dtype.itemsize
    count = max(2, -(-2 * cache_size(device) // each))
    generator = torch.Generator(device=device).manual_seed(SEED)
    return [
        torch.randn(case.batch, *case.input, device=device, generator=generator).to(
            dtype, memory_format=FORMATS[case.memory_format]
        )
        for _ in range(count)
    ]


def prepared(model: nn.Module, graph: LayerGraph, case: Case) -> nn.Module:
    """The network as the case wants it: folded, in its dtype and memory format. Changes `model`."""
    if case.folded:
        fold_batch_norm(model, graph)
    if case.step == "inference":
        model = model.to(DTYPES[case.dtype])
    return model.to(memory_format=FORMATS[case.memory_format])  # type: ignore[call-overload,no-any-return]


def step(model: nn.Module, case: Case, batches: Sequence[torch.Tensor]) -> Step:
    """One step of the case, to be called again and again; each takes the next input.

    With a CUDA graph, the input's copy to where the graph reads it is part of the step, and leaves
    it in the cache. Run it under `mode_of(case)`.
    """
    if case.step == "training":
        run = _training(model, case, batches[0])
    else:
        run = _compiled(model.eval(), case)
    if "cudagraph" in case.mode:
        return captured(run, batches)
    following = cycle(batches)
    return lambda: run(next(following))


def mode_of(case: Case) -> AbstractContextManager[Any]:
    """What steps of the case run under: inference_mode, or autograd as it is."""
    return torch.inference_mode() if case.step == "inference" else nullcontext()


Run = Callable[[torch.Tensor], Any]


def _compiled(model: nn.Module, case: Case) -> Run:
    return torch.compile(model, dynamic=False) if "compile" in case.mode else model


def _training(model: nn.Module, case: Case, example: torch.Tensor) -> Run:
    """Forward, loss, backward and a step of SGD with momentum; half precision by autocast."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    kind = example.device.type
    half = case.dtype in ("fp16", "bf16")
    scaler = torch.amp.GradScaler(kind, enabled=case.dtype == "fp16")
    with torch.no_grad():
        scores = model.eval()(example[:1])
    if not (isinstance(scores, torch.Tensor) and scores.dim() == 2):
        raise RuntimeError("a training step needs a score for each class, as one tensor")
    forward = _compiled(model.train(), case)
    generator = torch.Generator(device=example.device).manual_seed(SEED)
    targets = torch.randint(
        scores.shape[1], (case.batch,), device=example.device, generator=generator
    )
    loss_of = nn.CrossEntropyLoss()

    def run(batch: torch.Tensor) -> Any:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(kind, DTYPES[case.dtype] if half else None, enabled=half):
            loss = loss_of(forward(batch), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return run


def captured(run: Run, batches: Sequence[torch.Tensor]) -> Step:
    """A CUDA graph of one step, and its replay on the next input."""
    static = batches[0].clone(memory_format=torch.preserve_format)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # capturing wants a few runs beforehand, off the main stream
        for _ in range(3):
            run(static)
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    gc.collect()  # what a finalizer frees within a capture would end it
    clear_workspaces()
    torch.cuda.reset_peak_memory_stats()  # what tuning took is no part of a replay
    graph = torch.cuda.CUDAGraph()
    # An error in a capture leaves the capture's stream current; the outer context restores it.
    restored = torch.cuda.stream(torch.cuda.current_stream())
    # On the stream of the runs before it, for which all that torch keeps by stream is there.
    with collector_off(), restored, torch.cuda.graph(graph, stream=side):
        result = run(static)
    following = cycle(batches)

    def replay() -> Any:
        static.copy_(next(following))
        graph.replay()
        return result

    return replay
