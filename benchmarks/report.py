"""How long the report of the five classics takes, against a Python process that does nothing.

    python benchmarks/report.py [--runs 5]

The bare process, one that imports matplotlib's figures alone, and `resnet-inspect report` run in
turn; figures are medians. Fails where the report takes 5 seconds or more, or loads torch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 5.0
BARE = "pass"
MATPLOTLIB = "import matplotlib.figure, matplotlib.font_manager, matplotlib.backends.backend_svg"
REPORT = """
import sys
from resnet_inspect.cli.main import run
status = run(["report", "-o", sys.argv[1]])
assert status == 0
assert "torch" not in sys.modules, "the report loaded torch"
"""


def process(code: str, folder: Path) -> tuple[float, int]:
    """Seconds, and peak memory in KiB, of a Python process that runs `code`."""
    before = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return time.perf_counter() - before, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    codes = {"bare process": BARE, "matplotlib alone": MATPLOTLIB, "report": REPORT}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    peak: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "report"
        for _ in range(runs):
            for name, code in codes.items():
                spent, memory = process(code, folder)
                seconds[name].append(spent)
                peak[name] = max(peak.get(name, 0), memory)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        page = (folder / "index.html").stat().st_size
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in middle.items():
        print(f"{name:18} {value:6.3f} s  {peak[name] / 1024:6.1f} MiB")
    print(f"the page {page / 2**20:.2f} MiB, the folder {size / 2**20:.2f} MiB")
    if middle["report"] >= LIMIT:
        raise SystemExit(f"the report took {middle['report']:.2f} s; the limit is {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
