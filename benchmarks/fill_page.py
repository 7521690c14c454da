"""Write the tables of docs/performance.md from the JSON lines of the benchmarks.

    python benchmarks/fill_page.py results.jsonl --page docs/performance.md

Of several runs with the same benchmark, configuration and threads, the last one counts. The figures of the reference
implementation are constants of this script.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crystalgfn.errors import CrystalGFNError
from crystalgfn.report.pages import fill

REFERENCE = {
    ("train", 10): "98–105",
    ("train", 100): "154",
    ("sample", 100): "248–269",
    ("sample", 1000): "287–300",
}
"""Trajectories per CPU second of the authors' code (their ``gflownet``, August 2026), with the paper's settings and a
constant instead of a proxy, torch 2.13, one thread of a 2-core CPU."""

NAMES = {
    "train": "training, proxy inside",
    "sample": "sampling",
    "sample_scored": "sampling, with properties, log P_F and log P_B",
}
Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """Read the last record of each benchmark, configuration and number of threads."""
    latest: dict[str, Record] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        key = json.dumps((record["benchmark"], record["configuration"], record["machine"]["threads"]))
        latest.pop(key, None)  # a later run stands later
        latest[key] = record
    return list(latest.values())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a markdown table."""
    alignment = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, alignment, *rows))


def where(record: Record) -> str:
    """Return one line on the machine and the configuration of a record."""
    m, c = record["machine"], record["configuration"]
    threads = f"{m['threads']} thread{'s' * (m['threads'] != 1)}"
    machine = f"{m['cpu']}, {m['cores']} cores, {threads}, torch {m['torch']}, Python {m['python']}"
    configuration = ", ".join(f"{key} {value}" for key, value in c.items())
    return f"{machine}; commit {m['commit']}. Configuration: {configuration}."


def per_second(result: Record) -> tuple[str, str]:
    """Return the rates by CPU time and by wall-clock time."""
    return f"{result['per_cpu_second']:,.0f}", f"{result['per_second']:,.0f}"


def throughput(record: Record, kinds: Sequence[str]) -> str:
    """Return the rates of training or sampling beside those of the reference."""
    rows = [
        (f"{NAMES[r['what']]}, batch {r['batch']}", *per_second(r), REFERENCE.get((r["what"], r["batch"]), "–"))
        for what in kinds
        for r in record["results"]
        if r["what"] == what
    ]
    header = ("trajectories", "per CPU second", "per second", "reference, per CPU second")
    return f"{where(record)}\n\n{table(header, rows)}" if rows else ""


def masks(record: Record) -> str:
    """Return the rates of masks."""
    rows = [
        (f"{r['elements']} elements, {r['rule']}", *per_second(r), f"{r['tables_cpu_s']:.1f}")
        for r in record["results"]
    ]
    header = ("masks", "per CPU second", "per second", "CPU seconds to build the tables")
    return f"{where(record)}\n\n{table(header, rows)}"


def proxy(record: Record) -> str:
    """Return the rates of property models."""
    rows = [(f"`{r['property']}`, batch {r['batch']}", *per_second(r)) for r in record["results"]]
    return f"{where(record)}\n\n{table(('crystals', 'per CPU second', 'per second'), rows)}"


def memory(record: Record) -> str:
    """Return the peaks of memory."""
    rows = [
        (
            f"{r['phase']}{', ' + format(r['n'], ',') + ' crystals' if r['n'] else ''}",
            f"{r['peak_mib']:,.0f}",
            f"{r['cpu_s']:,.1f}",
        )
        for r in record["results"]
    ]
    return f"{where(record)}\n\n{table(('process', 'peak memory (MiB)', 'CPU seconds'), rows)}"


def bodies(records: Sequence[Record]) -> dict[str, str]:
    """Return the markdown of every part of the page for which there are numbers."""
    by_part: dict[str, list[str]] = {}

    def add(part: str, body: str) -> None:
        if body:
            by_part.setdefault(part, []).append(body)

    for record in records:
        if record["benchmark"] == "throughput":
            add("training", throughput(record, ("train",)))
            add("sampling", throughput(record, ("sample", "sample_scored")))
        else:
            add(record["benchmark"], {"masks": masks, "proxy": proxy, "memory": memory}[record["benchmark"]](record))
    return {part: "\n\n".join(parts) for part, parts in by_part.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; 2 for an error that the user can mend."""
    options_parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options_parser.add_argument("results", type=Path, help="file that --json of the benchmarks wrote")
    options_parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    options = options_parser.parse_args(arguments)
    try:
        page = options.page.read_text(encoding="utf-8")
        for part, body in bodies(read(options.results)).items():
            page = fill(page, part, body)
        options.page.write_text(page, encoding="utf-8")
    except (CrystalGFNError, OSError, json.JSONDecodeError) as error:
        print("error:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
