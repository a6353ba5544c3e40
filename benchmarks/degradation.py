"""Whether plain networks degrade with depth here, and how long it takes to see it.

    python benchmarks/degradation.py [--threads N]

Trains plain and residual networks of 20 and 56 layers on scanned digits from three seeds. Fails
where plain-56 does not end at least 30 points of train error above ResNet-56 on each seed, or where
all takes four minutes or more; these are of two idle cores.
"""

from __future__ import annotations

import argparse
import time

import resnet_inspect as ri
from resnet_inspect.measuring.learning import Epoch

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
SECONDS = 240
POINTS = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="default: as `learn` has it")
    before = time.perf_counter()
    learnt = ri.learn(*NETWORKS, device="cpu", threads=parser.parse_args().threads)
    seconds = time.perf_counter() - before
    errors: dict[tuple[str, int], float] = {}
    for epoch in learnt.records:
        if isinstance(epoch, Epoch):  # the last of a run stays; a loss that is not finite is 100%
            error = 1.0 if epoch.train_error is None else epoch.train_error
            errors[epoch.model, epoch.recipe.seed] = error
    for (model, seed), error in errors.items():
        print(f"{model:16} seed {seed}  train error {error:.1%}")
    print(f"{seconds:.0f} s in all")
    apart = [
        plain - errors[model.replace("plain", "resnet"), seed]
        for (model, seed), plain in errors.items()
        if model.startswith("plain56")
    ]
    if len(apart) < 3 or min(apart) < POINTS:
        raise SystemExit(f"plain-56 ends {min(apart, default=0):.0%} above ResNet-56 on a seed")
    if seconds >= SECONDS:
        raise SystemExit(f"it took {seconds:.0f} s, not less than {SECONDS}")


if __name__ == "__main__":
    main()
