"""The same crystals by every engine and as shards: seconds, ratios, and the SHA-256 of what was written.

    crystalgfn sample prior -o crystals.parquet -n 2000
    python benchmarks/engines.py crystals.parquet -n 2000
    python benchmarks/engines.py crystals.parquet -n 2000 --relax chgnet --steps 3
    python benchmarks/engines.py crystals.parquet -n 40 --relax chgnet --only one pool ray

One process; a pool of two; eight shards, of which two are killed and go on, joined; a Ray cluster of two nodes on this
machine, of which one is killed (``--keep-nodes``: none is). Ratios are relative to the first. The hash is that of all
files without the seconds that rows took.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from _common import machine

SHARDS = 8
KILLED = (2, 5)
"""Shards that are killed once in the middle of their work."""


def digest(folder: Path) -> str:
    """Return the SHA-256 of a folder of candidates, without the seconds in its tables and parts."""
    sha = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        sha.update(str(path.relative_to(folder)).encode())
        if path.suffix == ".parquet":
            sha.update(pd.read_parquet(path).filter(regex="^(?!seconds)").to_csv().encode())
        elif path.name == "structures.csv":
            sha.update(pd.read_csv(path).filter(regex="^(?!seconds)").to_csv().encode())
        elif path.parent.name == "parts":
            part = json.loads(path.read_text())
            part["row"] = {key: value for key, value in part["row"].items() if not key.startswith("seconds")}
            sha.update(json.dumps(part).encode())
        else:
            sha.update(path.read_bytes())
    return sha.hexdigest()


def command(*arguments: object) -> list[str]:
    """Return ``crystalgfn structures`` with arguments, as a user calls it."""
    return [sys.executable, "-m", "crystalgfn", "structures", *map(str, arguments)]


def call(*arguments: object) -> None:
    """Run it, without what it prints."""
    subprocess.run(command(*arguments), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def parts(folder: Path) -> int:
    """Return how many rows a folder holds so far."""
    return sum(1 for _ in (folder / "parts").glob("0*.json"))


def shards(folder: Path, options: Sequence[object], n: int) -> None:
    """Work on shards one after the other, kill two of them midway, go on, and join all."""
    made = []
    for number in range(1, SHARDS + 1):
        made.append(folder.with_name(f"shard-{number}"))
        words = (*options, "-o", made[-1], "--shard", f"{number}/{SHARDS}", "--workers", 1)
        if number in KILLED:
            process = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while parts(made[-1]) < n // SHARDS // 3 and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"  shard {number} was killed after {parts(made[-1])} of {n // SHARDS} rows", flush=True)
            call(*words, "--resume")
        else:
            call(*words)
    call("merge", *made, "-o", folder)


def on_ray(folder: Path, options: Sequence[object], n: int, *, kill: bool) -> None:
    """Work on a cluster of two nodes, of which one is killed after a third of the rows."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = cluster.add_node(num_cpus=1)

    def end_node() -> None:
        while parts(folder) < n // 3:
            time.sleep(0.05)
        cluster.remove_node(other, allow_graceful=False)
        print(f"  a node was killed after {parts(folder)} of {n} rows", flush=True)

    if kill:
        threading.Thread(target=end_node, daemon=True).start()
    start = time.perf_counter()
    call(*options, "-o", folder, "--engine", "ray", "--address", cluster.address)
    print(f"  without the start of the cluster: {time.perf_counter() - start:.1f} s", flush=True)
    cluster.shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("-n", type=int, default=2_000, help="crystals, from the first")
    parser.add_argument("--relax", default="none", help="potential; none to place atoms only")
    parser.add_argument("--placements", type=int, default=1)
    parser.add_argument("--steps", type=int, help="most steps of each phase of relaxation")
    parser.add_argument("--only", nargs="+", help="some of: one, pool, shards, ray")
    parser.add_argument("--keep-nodes", action="store_true", help="kill no node of the Ray cluster")
    options = parser.parse_args(arguments)
    os.environ.update(OMP_NUM_THREADS="1", RAY_USAGE_STATS_ENABLED="0")
    words = (options.table.resolve(), "-n", options.n, "--relax", options.relax, "--placements", options.placements)
    words = (*words, "--library", "none", "--hull", "none", "--best", 0)
    words = (*words, *(["--steps", options.steps] if options.steps is not None else []))
    runs: dict[str, Callable[[Path], Any]] = {
        "one": lambda folder: call(*words, "-o", folder, "--workers", 1),
        "pool": lambda folder: call(*words, "-o", folder, "--workers", 2),
        "shards": lambda folder: shards(folder, words, options.n),
        "ray": lambda folder: on_ray(folder, words, options.n, kill=not options.keep_nodes),
    }
    print("engines: " + ", ".join(f"{key} {value}" for key, value in machine(1).items()))
    print(f"configuration: {options.n} crystals, {options.relax}, {options.placements} placements", flush=True)
    hashes, first = set(), 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only or runs:
            folder, start = Path(scratch) / name, time.perf_counter()
            runs[name](folder)
            seconds = time.perf_counter() - start
            first = first or seconds
            found = digest(folder)
            hashes.add(found)
            print(f"  {name}: {seconds:.1f} s, {seconds / first:.2f} of the first, SHA-256 {found}", flush=True)
    print("the same was written" if len(hashes) == 1 else "DIFFERENT RESULTS")
    return int(len(hashes) != 1)


if __name__ == "__main__":
    sys.exit(main())
