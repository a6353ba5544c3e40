"""What the installed counters report for a network, measured by running them.

Each runs on a new model, because some leave things behind: thop buffers, ptflops attributes, fvcore
in train mode other batch norm statistics. What they patch in torch itself is restored, and what
they print is discarded. All weights are 0, or meta tensors where a tool needs only shapes: counts
do not depend on them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from resnet_inspect.counting.conventions import Reported
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.assemble import assemble
from resnet_inspect.pytorch.bench.backend_flags import settings
from resnet_inspect.pytorch.inputs import arguments, example, results
from resnet_inspect.pytorch.trace.diagnosis import named


class Tool(NamedTuple):
    """A counter that may be installed.

    title: its name in messages; package: the name to import and to install. reports: names of
    conventions, or of `OTHERS`. run: takes the network and the batch, and returns these totals.
    """

    title: str
    package: str
    reports: tuple[str, ...]
    run: Callable[[LayerGraph, int], Sequence[int]]

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    @property
    def version(self) -> str:
        """The installed version, without a local part such as +cpu; '' if it is not known."""
        try:
            return version(self.package).partition("+")[0]
        except PackageNotFoundError:
            return ""


def installed() -> tuple[Tool, ...]:
    """The tools that are installed here."""
    return tuple(tool for tool in TOOLS if tool.installed)


def measure(
    graph: LayerGraph, batch: int = 1, starting: Callable[[Tool], None] = lambda tool: None
) -> dict[str, Reported]:
    """What every installed tool reports of a network; `starting` hears of each before it runs."""
    reports: dict[str, Reported] = {}
    for tool in installed():
        starting(tool)
        reports |= run(tool, graph, batch)
    return reports


def run(tool: Tool, graph: LayerGraph, batch: int = 1) -> dict[str, Reported]:
    """What one tool reports, or how it failed: other people's code may fail in any way."""
    try:
        # For one image one thread is enough, and more contend on a busy CPU.
        with _quiet(), _unpatched(), settings(threads=1 if batch == 1 else None):
            totals = tool.run(graph, batch)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return {name: Reported(tool.version, None, named(error)) for name in tool.reports}
    reported = zip(tool.reports, totals, strict=True)
    return {name: Reported(tool.version, int(total)) for name, total in reported}


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _unpatched() -> Iterator[None]:
    """Put back what a tool patches in torch: TorchLens and calflops replace its functions."""
    places: tuple[type | object, ...] = (torch, nn.functional, Tensor)
    before = [dict(vars(place)) for place in places]
    try:
        yield
    finally:
        for place, names in zip(places, before, strict=True):
            for name, now in dict(vars(place)).items():
                if name not in names and place is Tensor:
                    delattr(place, name)  # patched over what it inherits
                elif name in names and names[name] is not now:
                    setattr(place, name, names[name])


def new_model(graph: LayerGraph, device: str = "cpu", training: bool = False) -> nn.Module:
    """A zero-weight model of the network, built without touching the random state.

    Square pooling windows are written as one number, as torchvision and timm write them: some
    tools read the side for the area.
    """
    with torch.device("meta"):
        model = assemble(graph)
    model = _moved(model, lambda model: model.to("meta"))  # a copy of a user's module has memory
    for part in model.modules():
        if isinstance(part, (nn.MaxPool2d, nn.AvgPool2d)):
            window = part.kernel_size
            if isinstance(window, tuple) and len(set(window)) == 1:
                part.kernel_size = window[0]
    if device != "meta":
        model = _moved(model, lambda model: model.to_empty(device=device))
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.detach().zero_()
    return model.train(training)


def _moved(model: nn.Module, move: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """The model on another device, with the tensors shared that it shared before."""
    before = {name: id(tensor) for name, tensor in _state(model)}
    model = move(model)
    first: dict[int, Tensor] = {}
    for name, tensor in _state(model):
        shared = first.setdefault(before[name], tensor)
        if shared is not tensor:
            owner, _, own = name.rpartition(".")
            setattr(model.get_submodule(owner), own, shared)
    return model


def _state(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Every parameter and buffer under every name."""
    parameters = model.named_parameters(remove_duplicate=False)
    return [*parameters, *model.named_buffers(remove_duplicate=False)]


class _Positional(nn.Module):
    """A network of several inputs, or inputs by name, as tools call it: with tensors in a row."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: Tensor) -> Any:
        args, kwargs = arguments(self.model, self.names, tensors)
        return self.model(*args, **kwargs)


def _called(
    graph: LayerGraph, batch: int, device: str = "cpu", training: bool = False
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The network, and the tensors to call it with."""
    model = new_model(graph, device, training)
    args, kwargs = example(graph, model, batch, device)
    if not kwargs and all(isinstance(value, Tensor) for value in args):
        return model, args
    held = tuple(dict.fromkeys(results((args, kwargs))))
    return _Positional(model, graph.arguments).train(training), held


def _torch(graph: LayerGraph, batch: int) -> Sequence[int]:
    from torch.utils.flop_counter import FlopCounterMode

    model, inputs = _called(graph, batch, "meta")
    with FlopCounterMode(display=False) as counter:
        y = model(*inputs)
        forward = counter.get_total_flops()
        loss = sum(tensor.sum() for tensor in results(y) if tensor.requires_grad)
        if isinstance(loss, Tensor):
            loss.backward()
    return forward, counter.get_total_flops()


def _torch_tensors(graph: LayerGraph, batch: int) -> Sequence[int]:
    model = new_model(graph, "meta")
    state = set(model.state_dict(keep_vars=True).values())  # each once, as parameters() has it
    return [sum(tensor.numel() for tensor in held) for held in (model.parameters(), state)]


def _torch_saved(graph: LayerGraph, batch: int) -> Sequence[int]:
    model, inputs = _called(graph, batch, training=True)
    own = (*model.parameters(), *model.buffers())
    known = {tensor.untyped_storage().data_ptr() for tensor in own}
    kept: dict[int, Tensor] = {}  # keeps the tensors alive, so that no address is reused

    def pack(tensor: Tensor) -> Tensor:
        detached = tensor.detach()  # the tensor itself would hold the graph that holds it
        kept.setdefault(tensor.untyped_storage().data_ptr(), detached)
        return detached

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(*inputs)
    sizes = {place: tensor.untyped_storage().nbytes() for place, tensor in kept.items()}
    return [sum(size for place, size in sizes.items() if place not in known)]


def _torchinfo(graph: LayerGraph, batch: int) -> Sequence[int]:
    import torchinfo

    model, inputs = _called(graph, batch, "meta")
    summary = torchinfo.summary(model, input_data=inputs, device="meta", verbose=0)
    return summary.total_mult_adds, summary.total_output_bytes, summary.total_params


def _fvcore(graph: LayerGraph, batch: int, training: bool = False) -> Sequence[int]:
    from fvcore.nn import FlopCountAnalysis

    # It cannot trace meta tensors under torch 2.13.
    return [FlopCountAnalysis(*_called(graph, batch, training=training)).total()]


def _thop(graph: LayerGraph, batch: int) -> Sequence[int]:
    import thop

    macs, _ = thop.profile(*_called(graph, batch, "meta"), verbose=False)
    return [macs]


def _ptflops(graph: LayerGraph, batch: int) -> Sequence[int]:
    from ptflops import get_model_complexity_info as info

    options = {"print_per_layer_stat": False, "as_strings": False}
    return [
        info(new_model(graph), graph.input_shape, **options, backend=backend)[0]
        for backend in ("pytorch", "aten")
    ]


def _calflops(graph: LayerGraph, batch: int) -> Sequence[int]:
    from calflops import calculate_flops

    shape = (batch, *graph.input_shape)
    options = {"print_results": False, "output_as_string": False}
    flops, macs, _ = calculate_flops(new_model(graph), input_shape=shape, **options)
    return flops, macs


def _torchscan(graph: LayerGraph, batch: int) -> Sequence[int]:
    from torchscan import crawl_module

    model, inputs = _called(graph, batch, "meta")
    totals = crawl_module(model, args=inputs)["totals"]
    # Where a module is unknown to it (option A's padding) it says so, and gives what it knows.
    return [totals[name]["known_value"] for name in ("module_flops", "macs")]


def _torchlens(graph: LayerGraph, batch: int) -> Sequence[int]:
    import torchlens
    from torchlens.options import CaptureOptions

    capture = CaptureOptions(unwrap_when_done=True)
    model, inputs = _called(graph, batch)
    traced = torchlens.trace(
        model, inputs[0] if len(inputs) == 1 else list(inputs), save=None, capture=capture
    )
    return [traced.total_flops_forward]


def _deepspeed(graph: LayerGraph, batch: int) -> Sequence[int]:
    from deepspeed.profiling.flops_profiler import get_model_profile

    shape = (batch, *graph.input_shape)
    options = {"print_profile": False, "as_string": False, "warm_up": 0}
    flops, macs, _ = get_model_profile(new_model(graph), input_shape=shape, **options)
    return flops, macs


TOOLS: tuple[Tool, ...] = (
    Tool("torch parameters", "torch", ("parameters", "state-dict"), _torch_tensors),
    Tool("torch FlopCounterMode", "torch", ("torch", "torch-train"), _torch),
    Tool("torch saved tensors", "torch", ("saved",), _torch_saved),
    Tool(
        "torchinfo",
        "torchinfo",
        ("torchinfo", "torchinfo-memory", "torchinfo-parameters"),
        _torchinfo,
    ),
    Tool("fvcore", "fvcore", ("fvcore",), _fvcore),
    Tool("fvcore in train mode", "fvcore", ("fvcore-train",), partial(_fvcore, training=True)),
    Tool("thop", "thop", ("thop",), _thop),
    Tool("ptflops", "ptflops", ("ptflops", "ptflops-aten"), _ptflops),
    Tool("calflops", "calflops", ("calflops", "calflops-macs"), _calflops),
    Tool("DeepSpeed", "deepspeed", ("deepspeed", "deepspeed-macs"), _deepspeed),
    Tool("torchscan", "torchscan", ("torchscan", "torchscan-macs"), _torchscan),
    Tool("TorchLens", "torchlens", ("torchlens",), _torchlens),
)
"""Every counter that can be run."""

OTHERS: Mapping[str, str] = {
    "parameters": "elements of parameters()",
    "state-dict": "elements of the state dict",
    "torchinfo-parameters": "torchinfo's total of parameters",
    "torchinfo-memory": "torchinfo's forward/backward pass size in bytes",
    "saved": "bytes that a training forward pass saves for the backward pass",
}
"""What is reported besides the operations of conventions.CONVENTIONS."""
