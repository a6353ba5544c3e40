"""The measurements under reports/latency: ceilings, the classics, a ladder, a roofline by layer.

    python benchmarks/latency.py [--device cpu|cuda] [--threads N] [--fresh] [--into FOLDER]

Every step is a resnet-inspect command, which is printed; JSON Lines, Markdown tables and SVG plots
go to reports/latency/<device>. Run again after an interruption, it goes on; with --fresh it starts
anew. More than an hour on two CPU cores (a pass of ResNet-152 at 256 images takes a minute), half
an hour on a GPU, most of it compiling.
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
from pathlib import Path

from resnet_inspect.cli.main import run
from resnet_inspect.networks.zoo import CLASSICS

REPEATED = ("resnet18", "resnet50")
"""Measured a second time, to see how far two runs agree."""

SWEEPS = {
    "cpu": (
        [
            *("--batch", "1,8", "--dtype", "fp32,bf16", "--mode", "eager,compile"),
            *("--budget", "10", "--cross-check"),
        ],
        # A run takes up to a minute here, so there is time for the fewest runs alone.
        ["--batch", "64,256", "--mode", "eager,compile", "--budget", "6"],
    ),
    "cuda": (
        [
            *("--batch", "1,8,64,256", "--dtype", "fp32,bf16", "--memory-format", "nhwc"),
            *("--mode", "eager,cudagraph", "--budget", "1", "--cross-check"),
        ],
        [
            *("--batch", "1,8,64,256", "--dtype", "bf16", "--memory-format", "nhwc"),
            *("--mode", "compile,compile+cudagraph", "--budget", "1", "--cross-check"),
        ],
    ),
}
REPEATS = {
    "cpu": ["--batch", "1,8", "--budget", "10"],
    "cuda": ["--batch", "1,64", "--dtype", "fp32,bf16", "--memory-format", "nhwc", "--budget", "1"],
}
LADDER = {
    "cpu": ["--batch", "8", "--budget", "10"],
    "cuda": ["--batch", "256", "--budget", "2"],
}
LAYERS = {
    "cpu": ["--batch", "1", "--budget", "10"],
    "cuda": ["--batch", "64", "--budget", "2", "--dtype", "fp32"],
}


WRITTEN = (
    *("ceilings.*", "layers.*", "layers-by-block.md", "roofline-*.svg", "ladder.*", "ladder-*.svg"),
    *("latency.*", "batch*.svg", "throughput*.svg", "repeats.*", "again.md"),
)
"""What is made here, and removed with --fresh."""


def command(*arguments: str) -> None:
    """Run a resnet-inspect command, and end where it fails."""
    print("$ resnet-inspect", shlex.join(arguments), flush=True)
    before = time.perf_counter()
    status = run(arguments)
    print(f"  {time.perf_counter() - before:.0f} s", flush=True)
    if status:
        raise SystemExit(status)


def measure(device: str, threads: int | None, into: Path) -> None:
    on = ["--device", device, *(["--threads", str(threads)] if threads else [])]
    ceilings, latency = into / "ceilings.jsonl", into / "latency.jsonl"
    repeats, ladder, layers = (into / f"{name}.jsonl" for name in ("repeats", "ladder", "layers"))

    def to(record: Path, name: str) -> list[str]:
        return ["--record", str(record), "-o", str(into / name)]

    if not ceilings.exists():
        command("device", *on, "--refresh", *to(ceilings, "ceilings.md"))
    plots = ["--plots", str(into)]
    on.append("--resume")
    command(
        *("bench", "resnet50", "--per-layer", "--level", "block", *LAYERS[device], *on),
        *(*to(layers, "layers-by-block.md"), *plots),
    )
    command("results", str(layers), "-o", str(into / "layers.md"))
    command("ladder", "resnet50", *LADDER[device], *on, *to(ladder, "ladder.md"), *plots)
    first, *others = SWEEPS[device]
    command("bench", *CLASSICS, *first, *on, *to(latency, "latency.md"))
    command("bench", *REPEATED, *REPEATS[device], *on, *to(repeats, "again.md"))
    compared = [str(latency), *REPEATED, "--against", str(repeats)]
    command("results", *compared, "-o", str(into / "repeats.md"))
    for sweep in others:
        command("bench", *CLASSICS, *sweep, *on, *to(latency, "latency.md"))
    command("results", str(latency), "-o", str(into / "latency.md"), *plots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=sorted(SWEEPS), default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fresh", action="store_true", help="remove what is there first")
    parser.add_argument("--into", type=Path, help="folder (default: reports/latency/<device>)")
    asked = parser.parse_args()
    into = asked.into or Path("reports", "latency", asked.device)
    if asked.into is None:  # what is committed names no folder above the repository
        os.chdir(Path(__file__).parents[1])
    into.mkdir(parents=True, exist_ok=True)
    if asked.fresh:
        for name in WRITTEN:
            for path in into.glob(name):
                path.unlink()
    measure(asked.device, asked.threads, into)


if __name__ == "__main__":
    main()
