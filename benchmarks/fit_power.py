"""Make resnet_inspect/forecasting/power.toml anew from the public measurements of energy.

    python benchmarks/fit_power.py [-o power.toml]

The law of power limits, what devices draw (those measured, and one of which only the datasheet is
known), and between what the measured watts of rows that were held out lay. Takes seconds.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from pathlib import Path

from resnet_inspect.forecasting import power
from resnet_inspect.forecasting.power import Draw, Law
from resnet_inspect.forecasting.power_fit import (
    DEVICES,
    Trained,
    calibrated,
    calibrating,
    foretold,
    held_out,
    public_energy,
    shared,
)

HOME = Path(power.__file__).with_name("power.toml")

LEAST = 1.15
"""One network was measured, in fp32: an interval is at least this factor either way."""


def fields(values: Law | Draw) -> list[str]:
    return [f"{name} = {value:.4g}" for name, value in values._asdict().items()]


def interval(ratios: Iterable[float]) -> list[str]:
    """measured / forecast watts that 5% and 95% of rows come to."""
    ordered = sorted(ratios)
    last = len(ordered) - 1
    low, high = ordered[math.floor(0.05 * last)], ordered[math.ceil(0.95 * last)]
    return [f"low = {min(low, 1 / LEAST):.4g}", f"high = {max(high, LEAST):.4g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HOME)
    options = parser.parse_args()
    known = shared()
    lines = ["# Made by benchmarks/fit_power.py from forecasting/public/energy.csv; do not edit."]
    lines += ["", "[law]", *fields(known.law), "", "[prior]", *fields(known.prior)]
    seen, unseen = [], []
    for name in DEVICES:
        of = calibrated(calibrating(name), known)
        lines += ["", f"[device.{name}]", *fields(of.draw)]
        others = shared(tuple(other for other in DEVICES if other != name))
        rows = [row for row in public_energy() if row.device == name]
        seen += [
            row.watts / foretold(row, known.law, of).watts
            for row in rows
            if row not in calibrating(name)
        ]
        blind = Trained(others.prior)
        full = [row for row in rows if row.limit == max(row.limit for row in rows)]
        unseen += [row.watts / foretold(row, others.law, blind).watts for row in full]
    lines += ["", "[error.device]", *interval(seen), "", "[error.datasheet]", *interval(unseen)]
    options.output.write_text("\n".join([*lines, ""]), encoding="utf-8")
    for unseen_law in (False, True):
        errors = sorted(map(abs, held_out(unseen=unseen_law).values()))
        median, most = errors[len(errors) // 2], errors[math.ceil(0.9 * len(errors)) - 1]
        within = sum(error <= 0.15 for error in errors)
        law = "other devices" if unseen_law else "all devices"
        print(f"law of {law}: median {median:.1%}, 90% within {most:.1%}, ", end="")
        print(f"{within} of {len(errors)} rows within 15%")


if __name__ == "__main__":
    main()
