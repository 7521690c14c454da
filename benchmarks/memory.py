"""Peak resident memory of importing, building a space, sampling and training, each in a process of its own.

    python benchmarks/memory.py --preset twelve-elements --stream 1000000 --json results.jsonl

``--stream N`` also measures ``crystalgfn sample PRESET -n N`` to a table on disk, for presets with trained weights.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from _common import describe, parser, report, setup

from crystalgfn.config import load_config

PHASES = ("import", "build", "sample", "train")


def run_phase(phase: str, preset: str, overrides: Sequence[str], n: int, threads: int, seed: int) -> None:
    """Run one phase in this process, whose peak memory the parent reads."""
    torch.set_num_threads(threads)
    if phase == "import":
        return
    built = setup(preset, overrides, seed=seed)
    if phase == "sample":
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, n, 1000):
            batch = min(1000, n - start)
            built.space.crystals(built.policy.sample(batch, built.space, generator=generator).states)
    elif phase == "train":
        built.trainer(100).run(max(1, n // 100))


def peak(command: Sequence[str]) -> tuple[float, float]:
    """Run a command and return its peak resident memory (MiB) and its CPU seconds.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    kibibytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return kibibytes / 1024, usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("-n", type=int, default=10_000, help="trajectories to sample, and to train on")
    options_parser.add_argument("--stream", type=int, default=0, metavar="N", help="samples to write to disk")
    options_parser.add_argument("--phase", choices=PHASES, help="do one phase in this process, and nothing else")
    options = options_parser.parse_args(arguments)
    if options.phase:
        run_phase(options.phase, options.preset, options.set, options.n, options.threads, options.seed)
        return 0
    shared = ["--preset", options.preset, "-n", str(options.n), "--threads", str(options.threads)]
    shared += [part for value in options.set for part in ("--set", value)]
    results = []
    for phase in PHASES:
        mebibytes, cpu_s = peak([sys.executable, __file__, "--phase", phase, *shared])
        n = options.n if phase in ("sample", "train") else 0
        results.append({"phase": phase, "n": n, "peak_mib": round(mebibytes, 1), "cpu_s": round(cpu_s, 2)})
    if options.stream:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "crystals.parquet"
            count = ["-n", str(options.stream), "-o", str(table)]
            start = time.perf_counter()
            mebibytes, cpu_s = peak([sys.executable, "-m", "crystalgfn", "sample", options.preset, *count])
            wall_s = time.perf_counter() - start
            megabytes = table.stat().st_size / 1e6
        row = {"phase": "sample to disk", "n": options.stream, "peak_mib": round(mebibytes, 1)}
        results.append({**row, "cpu_s": round(cpu_s, 2), "wall_s": round(wall_s, 2), "file_mb": round(megabytes, 1)})
    report("memory", options, describe(load_config(options.preset, options.set), options.preset), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
