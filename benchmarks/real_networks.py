"""Whether real networks are counted exactly: one of each architecture file of timm, torchvision.

    python benchmarks/real_networks.py [--of-each 1] [--only PATTERN] [-o result.md]

Each network is built without memory, run once under torch's FlopCounterMode and traced. Right are
the parameters (distinct tensors, those that inference does not use among them) and the MACs (half
of FlopCounterMode's count, which takes fused attention as its two products). A network that is not
exact is listed with its difference, or with what the table says of itself: partial, or refused.
"""

from __future__ import annotations

import argparse
import fnmatch
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resnet_inspect
from resnet_inspect.errors import InspectError


class Candidate(NamedTuple):
    """A network: its library's file, its name, and what makes it."""

    file: str
    name: str
    make: Callable[[], nn.Module]


def timm_networks(of_each: int) -> Iterator[Candidate]:
    """The smallest networks of each of timm's files, as its lists have them."""
    import timm

    by_file = defaultdict(list)
    for name in timm.list_models():
        by_file[timm.models._registry._model_to_module[name]].append(name)
    for file, names in sorted(by_file.items()):
        for name in sorted(names, key=lambda name: (len(name), name))[:of_each]:
            yield Candidate(f"timm {file}", name, partial(timm.create_model, name))


def torchvision_networks(of_each: int) -> Iterator[Candidate]:
    """The first networks of each of torchvision's files, detectors among them."""
    from torchvision import models

    by_file = defaultdict(list)
    for name in models.list_models():
        by_file[models.get_model_builder(name).__module__].append(name)
    for file, names in sorted(by_file.items()):
        for name in names[:of_each]:
            untrained = {"weights": None}
            if "segmentation" in file or "detection" in file:
                untrained["weights_backbone"] = None
            yield Candidate(file, name, partial(models.get_model, name, **untrained))


def input_shapes(file: str, model: nn.Module) -> list[tuple[int, ...]]:
    if file.startswith("timm"):
        return [tuple(model.pretrained_cfg["input_size"])]
    if ".video" in file:
        return [(3, 16, 224, 224)]
    side = 299 if "inception" in file else 224
    return [(3, side, side)] * (2 if ".optical_flow" in file else 1)


def truth(model: nn.Module, shapes: list[tuple[int, ...]]) -> tuple[int, int]:
    """Distinct parameters, and MACs of one inference pass of one sample."""
    model.requires_grad_(False)  # torch's counter fails on views of parameters with gradients
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*(torch.empty(1, *shape, device="meta") for shape in shapes))
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def verdict(candidate: Candidate) -> tuple[str, str]:
    """'exact', 'partial', 'WRONG' or 'refused', and what there is to say."""
    try:
        with torch.device("meta"):
            model = candidate.make().eval()
    except (NotImplementedError, RuntimeError):  # it looks at values while it is made
        model = candidate.make().eval().to("meta")
    shapes = input_shapes(candidate.file, model)
    try:
        right = truth(model, shapes)
    except Exception as error:
        right = None
        why = f"no run on meta tensors: {first_line(error)[:80]}"
    try:
        graph = resnet_inspect.trace(model, shapes)
        table = resnet_inspect.table(graph, level="network")
    except InspectError as error:
        return "refused", str(error)
    held = sum(tensor.entries for tensor in graph.run.unused.values()) if graph.run else 0
    got = table.total["params"] + held, table.total["macs"]
    if right is None:
        return "unknown", why
    if table.partial:
        notes = [gap.where or gap.operation for gap in graph.run.gaps] if graph.run else []
        return "partial", f"{got} for {right}: {', '.join(notes) or table.notes}"
    return ("exact", "") if got == right else ("WRONG", f"{got} for {right}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of-each", type=int, default=1)
    parser.add_argument("--only", default="*", help="a pattern of names")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines, counts = [], defaultdict(int)
    for source in (torchvision_networks, timm_networks):
        for candidate in source(options.of_each):
            if not fnmatch.fnmatch(candidate.name, options.only):
                continue
            start = time.perf_counter()
            try:
                what, said = verdict(candidate)
            except Exception as error:
                what, said = "CRASH", f"{type(error).__name__}: {error}"[:200]
            counts[what] += 1
            spent = time.perf_counter() - start
            print(f"{what:8} {candidate.name:40} {spent:5.1f} s  {said[:160]}", flush=True)
            if what != "exact":
                lines.append(f"| {candidate.file} | {candidate.name} | {what} | {said} |")
    summary = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    print(summary)
    if options.output:
        heading = "| file | network | | |\n|---|---|---|---|"
        options.output.write_text("\n".join([summary, "", heading, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    # torchvision's wheels ask a CPU build of torch for two operators that it lacks.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    main()
