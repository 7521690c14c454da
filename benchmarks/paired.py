"""Speed of training in two or more checkouts in turn, and the ratios of medians, which other work disturbs little.

    git worktree add ../before COMMIT
    python benchmarks/paired.py ../before . --batch 10,100 --rounds 5

Each round runs the ``throughput.py`` of every checkout in a process of its own, with the current Python. Ratios are
relative to the first checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _common import batches


def trajectories_a_second(checkout: Path, preset: str, batch: int, seconds: float) -> float:
    """Return the trajectories of training per CPU second, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.jsonl"
        options = ["--preset", preset, "--threads", "1", "--seconds", str(seconds), "--only", "train"]
        command = [sys.executable, str(checkout / "benchmarks" / "throughput.py"), *options]
        source = {**os.environ, "PYTHONPATH": str(checkout / "src")}
        command += ["--batch", str(batch), "--json", str(found)]
        subprocess.run(command, env=source, check=True, stdout=subprocess.DEVNULL)
        return float(json.loads(found.read_text())["results"][0]["per_cpu_second"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="+")
    parser.add_argument("--preset", default="paper-fast")
    parser.add_argument("--batch", type=batches, default=[10, 100], metavar="N,N,...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args(arguments)
    checkouts = [checkout.resolve() for checkout in options.checkouts]
    for batch in options.batch:
        rates: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
        for _ in range(options.rounds):
            for checkout in checkouts:
                rates[checkout].append(trajectories_a_second(checkout, options.preset, batch, options.seconds))
        first = statistics.median(rates[checkouts[0]])
        for checkout in checkouts:
            values = rates[checkout]
            print(
                f"batch {batch}, {checkout.name}: {statistics.median(values):,.0f} a CPU second "
                f"({min(values):,.0f} to {max(values):,.0f}), {statistics.median(values) / first:.2f} of the first"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
