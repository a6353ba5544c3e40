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
from torch.utils._pytree import tree_map_only

from resnet_inspect.counting.costs import checked_batch
from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.measuring.records import Case
from resnet_inspect.measuring.sampling import Step
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.ops import BatchNorm2d, Conv2d
from resnet_inspect.networks.wiring import residual_ends
from resnet_inspect.pytorch.assemble import build
from resnet_inspect.pytorch.bench.backend_flags import DTYPES, seeded, settings
from resnet_inspect.pytorch.bench.clock import collector_off
from resnet_inspect.pytorch.bench.machine import cache_size
from resnet_inspect.pytorch.bench.peak_memory import clear_workspaces
from resnet_inspect.pytorch.inputs import Arguments, example, results

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
    with seeded(SEED, device):
        model = build(graph).to(device)
        if graph.maker is None:
            _damp(model, graph)
        with settings():  # in fp32 whatever is measured, so that all cases have the same network
            _calibrate(model, graph, device)
    return model.eval()


def _damp(model: nn.Module, graph: LayerGraph) -> None:
    with torch.no_grad():
        for layer in residual_ends(graph):
            end = model.get_submodule(layer.path)
            assert isinstance(end.weight, torch.Tensor)
            end.weight.mul_(RESIDUAL_SCALE)


def _calibrate(model: nn.Module, graph: LayerGraph, device: torch.device) -> None:
    momentum = {part: part.momentum for part in model.modules() if isinstance(part, nn.BatchNorm2d)}
    if not momentum:
        return
    for norm in momentum:
        norm.momentum = None  # average over all that is seen
    generator = torch.Generator(device=device).manual_seed(SEED)
    with torch.no_grad():
        args, kwargs = example(graph, model, CALIBRATION, device, generator=generator)
        model.train()(*args, **kwargs)
    for norm, value in momentum.items():
        norm.momentum = value


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


def inputs(
    graph: LayerGraph, model: nn.Module, case: Case, device: torch.device
) -> list[Arguments]:
    """Random inputs, enough of them that one is out of the cache when its turn comes again."""
    generator = torch.Generator(device=device).manual_seed(SEED)
    first = random_input(graph, model, case, device, generator)
    count = max(2, -(-2 * cache_size(device) // nbytes(first)))
    others = (random_input(graph, model, case, device, generator) for _ in range(count - 1))
    return [first, *others]


def random_input(
    graph: LayerGraph,
    model: nn.Module,
    case: Case,
    device: torch.device,
    generator: torch.Generator,
) -> Arguments:
    """One random input as the case wants it: standard normal numbers, and zeros for whole ones."""
    # Numbers are drawn in fp32 and rounded, so that all dtypes get the same ones.
    drawn = example(graph, model, case.batch, device, generator=generator)
    dtype = torch.float32 if case.step == "training" else DTYPES[case.dtype]
    own = {entry.dtype for entry in graph.entering}
    layout = FORMATS[case.memory_format]

    def formatted(tensor: torch.Tensor) -> torch.Tensor:
        given = str(tensor.dtype).removeprefix("torch.") in own
        laid_out = layout if tensor.dim() == 4 else torch.preserve_format
        return tensor.to(tensor.dtype if given else dtype, memory_format=laid_out)

    return tree_map_only(torch.Tensor, formatted, drawn)  # type: ignore[no-any-return]


def nbytes(batch: Arguments) -> int:
    """Bytes of the tensors in an input."""
    return sum(tensor.nbytes for tensor in results(batch))


def prepared(model: nn.Module, graph: LayerGraph, case: Case) -> nn.Module:
    """The network as the case wants it: folded, in its dtype and memory format. Changes `model`."""
    if case.folded:
        fold_batch_norm(model, graph)
    if case.step == "inference":
        model = model.to(DTYPES[case.dtype])
    return model.to(memory_format=FORMATS[case.memory_format])  # type: ignore[call-overload,no-any-return]


def step(model: nn.Module, case: Case, batches: Sequence[Arguments]) -> Step:
    """One step of the case, to be called again and again; each takes the next input.

    With a CUDA graph, the input's copy to where the graph reads it is part of the step, and leaves
    it in the cache. Run it under `mode_of(case)`.
    """
    if case.step == "training":
        run = _training(model, case, batches[0])
    else:
        forward = _compiled(model.eval(), case)

        def run(batch: Arguments) -> Any:
            return forward(*batch.args, **batch.kwargs)

    if "cudagraph" in case.mode:
        return captured(run, batches)
    following = cycle(batches)
    return lambda: run(next(following))


def mode_of(case: Case) -> AbstractContextManager[Any]:
    """What steps of the case run under: inference_mode, or autograd as it is."""
    return torch.inference_mode() if case.step == "inference" else nullcontext()


Run = Callable[[Arguments], Any]


def _compiled(model: nn.Module, case: Case) -> Callable[..., Any]:
    return torch.compile(model, dynamic=False) if "compile" in case.mode else model


def check_trainable(graph: LayerGraph) -> None:
    """Raise InspectError for a user's network that gives nothing to make a loss of."""
    if graph.maker is None:
        return
    try:
        model = build(graph, device="meta").to("meta").train()
        args, kwargs = example(graph, model, 2, "meta")
        found = _learned(model(*args, **kwargs))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return  # it needs data, and is tried with some
    if not found:
        raise InspectError(
            f"{graph.name} gives no tensor of fractions that its parameters went into, so there "
            "is no loss to train it with; leave out --train"
        )


def _learned(result: Any) -> list[torch.Tensor]:
    """The tensors of a result that have a gradient."""
    return [t for t in results(result) if t.is_floating_point() and t.requires_grad]


def _loss(result: Any) -> torch.Tensor:
    """Cross entropy of scores for each class against the first one; the sum of other outputs."""
    learned = _learned(result)
    if not learned:
        raise RuntimeError("a training step needs an output with a gradient")
    if len(learned) == 1 and learned[0].dim() == 2:
        targets = torch.zeros(len(learned[0]), dtype=torch.int64, device=learned[0].device)
        return nn.functional.cross_entropy(learned[0], targets)
    return torch.stack([tensor.float().sum() for tensor in learned]).sum()


def _training(model: nn.Module, case: Case, example: Arguments) -> Run:
    """Forward, loss, backward and a step of SGD with momentum; half precision by autocast."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    (kind,) = {tensor.device.type for tensor in results(example)}
    half = case.dtype in ("fp16", "bf16")
    scaler = torch.amp.GradScaler(kind, enabled=case.dtype == "fp16")
    forward = _compiled(model.train(), case)

    def run(batch: Arguments) -> Any:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(kind, DTYPES[case.dtype] if half else None, enabled=half):
            loss = _loss(forward(*batch.args, **batch.kwargs))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return run


def captured(run: Run, batches: Sequence[Arguments]) -> Step:
    """A CUDA graph of one step, and its replay on the next input."""
    static: Arguments = tree_map_only(torch.Tensor, torch.clone, batches[0])
    places = list(results(static))
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
        for place, tensor in zip(places, results(next(following)), strict=True):
            place.copy_(tensor)
        graph.replay()
        return result

    return replay
