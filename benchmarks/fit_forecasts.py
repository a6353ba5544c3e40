"""Make resnet_inspect/forecasting/fitted.toml anew from the public measurements.

    python benchmarks/fit_forecasts.py [-o fitted.toml]

For each way of running: what fits all devices (prior), what fits the newest run of each device
(run), and the errors on held-out networks and devices (error). Takes some minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from resnet_inspect.forecasting import fitted, validation
from resnet_inspect.forecasting.efficiency import Efficiency
from resnet_inspect.forecasting.measured import Run, public_runs

HOME = Path(fitted.__file__).with_name("fitted.toml")


def fields(efficiency: Efficiency) -> list[str]:
    return [f"{name} = {value:.4g}" for name, value in efficiency._asdict().items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HOME)
    options = parser.parse_args()
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in public_runs().values():
        groups[fitted.key_of(run.way, run.precision)].append(run)
    lines = ["# Made by benchmarks/fit_forecasts.py from forecasting/public; do not edit."]
    for key, runs in sorted(groups.items()):
        first = max(runs, key=lambda run: len(validation.alike(run)))  # of whom published most
        known = validation.shared(validation.newest(validation.alike(first)))
        lines += ["", f"[prior.{key}]", *fields(known)]
        newest = sorted(validation.newest(runs), key=lambda run: run.device)
        for run in newest:
            lines += ["", f"[run.{key}.{run.device}]", f'run = "{run.name}"']
            lines += fields(validation.best(run))
        networks = [row for run in runs for row in validation.held_out_networks(run)]
        low, high = validation.interval(networks)
        lines += ["", f"[error.device.{key}]", f"low = {low:.4g}", f"high = {high:.4g}"]
        elsewhere = [row for run in newest for row in validation.held_out_device(run)]
        low, high = validation.unseen_interval(elsewhere)
        lines += ["", f"[error.datasheet.{key}]", f"low = {low:.4g}", f"high = {high:.4g}"]
        print(key, len(runs), "runs", f"{low:.3f} {high:.3f}", flush=True)
    options.output.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
