"""Shared parts of the benchmarks: options, clocks, the machine, and a line of JSON for docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

import crystalgfn
from crystalgfn.config import Config, load_config
from crystalgfn.gflownet.objectives.registry import WRITTEN_OBJECTIVE
from crystalgfn.gflownet.ranks import ALONE, Ranks
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.runs.build import build_policy, build_recipe, build_space, build_target, load_prior
from crystalgfn.spaces.crystal import CrystalSpace


@dataclass(frozen=True)
class Rate:
    """Rate of some work: the median over calls, since other work on a machine can slow single calls many times over.

    Attributes:
        calls: number of timed calls.
        units: units of work in one call.
        cpu_s: median CPU seconds of a call, all threads of this process together.
        wall_s: median wall-clock seconds of a call.
    """

    calls: int
    units: int
    cpu_s: float
    wall_s: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers of the JSON line, with units per CPU second and per second."""
        return {
            "calls": self.calls,
            "units": self.units,
            "cpu_s": float(f"{self.cpu_s:.4g}"),
            "wall_s": float(f"{self.wall_s:.4g}"),
            "per_cpu_second": round(self.units / max(self.cpu_s, 1e-9), 1),
            "per_second": round(self.units / max(self.wall_s, 1e-9), 1),
        }


def measure(work: Callable[[], object], units: int, *, seconds: float, warmup: int = 2) -> Rate:
    """Run ``work`` repeatedly for about ``seconds`` of CPU time.

    Args:
        work: does ``units`` units of work in a call.
        units: units of work in one call.
        seconds: CPU time to spend; at least one call is timed.
        warmup: calls before the clocks start.
    """
    for _ in range(warmup):
        work()
    clocks = [(time.process_time(), time.perf_counter())]
    while len(clocks) == 1 or clocks[-1][0] - clocks[0][0] < seconds:
        work()
        clocks.append((time.process_time(), time.perf_counter()))
    cpu, wall = zip(*clocks, strict=True)
    return Rate(len(clocks) - 1, units, _median_step(cpu), _median_step(wall))


def _median_step(times: Sequence[float]) -> float:
    return median(later - earlier for earlier, later in pairwise(times))


def parser(description: str | None, *, preset: str = "twelve-elements") -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark, to which the caller adds its own."""
    options_parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    options_parser.add_argument("--preset", default=preset, help="preset, configuration file or run folder")
    options_parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the configuration"
    )
    options_parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options_parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds for each number")
    options_parser.add_argument("--seed", type=int, default=0)
    options_parser.add_argument("--json", type=Path, metavar="FILE", help="append the result as a line of JSON")
    return options_parser


def batches(text: str) -> list[int]:
    """Read ``10,100,1000``."""
    return [int(part) for part in text.split(",")]


def machine(threads: int) -> dict[str, Any]:
    """Return the machine and the versions that a number was measured with."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "crystalgfn": crystalgfn.__version__,
        "commit": _commit(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    def git(*arguments: str) -> str:
        folder = Path(__file__).parent
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "-s", "-uno", "../src") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def report(
    benchmark: str, options: argparse.Namespace, configuration: dict[str, Any], results: Sequence[dict[str, Any]]
) -> None:
    """Print the machine, the configuration and the results, and append them to the JSON file if there is one."""
    where = machine(options.threads)
    print(f"{benchmark}: " + ", ".join(f"{key} {value}" for key, value in where.items()))
    print("configuration: " + ", ".join(f"{key} {value}" for key, value in configuration.items()))
    for result in results:
        print("  " + ", ".join(f"{key} {_shown(value)}" for key, value in result.items()))
    if options.json is not None:
        line = {"benchmark": benchmark, "machine": where, "configuration": configuration, "results": list(results)}
        with options.json.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


def _shown(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Setup:
    """Space, policy and target of a configuration, with untrained networks."""

    config: Config
    space: CrystalSpace
    policy: CrystalPolicy
    target: CrystalTarget

    def trainer(self, batch_size: int, ranks: Ranks = ALONE) -> Trainer:
        """Return a trainer with the configuration's recipe and another batch size."""
        recipe = build_recipe(self.config.training.model_copy(update={"batch_size": batch_size}))
        prior = load_prior(self.config, self.space)
        return Trainer(self.policy, self.space, self.target, recipe, seed=self.config.seed, prior=prior, ranks=ranks)


def setup(where: str, overrides: Sequence[str] = (), *, seed: int = 0) -> Setup:
    """Build space, policy and target of a configuration.

    Args:
        where: preset, configuration file or run folder.
        overrides: ``key=value`` changes.
        seed: seed of the initial weights and of training.
    """
    config = load_config(where, [*overrides, f"seed={seed}"])
    space = build_space(config.constraints)
    return Setup(config, space, build_policy(config, space), build_target(config, space))


def describe(config: Config, name: str) -> dict[str, Any]:
    """Return the part of a configuration that a number depends on."""
    s, p, rollout_batches = config.constraints, config.policy, config.training.rollout_batches
    return {
        "preset": name,
        "elements": len(s.elements.allowed),
        "space groups": len(s.groups),
        "neutrality": s.charge,
        "lattice": s.lattice.kind,
        "networks": f"{p.layers}x{p.width}{' shared' if p.shared else ''}",
        "objective": WRITTEN_OBJECTIVE.name(config.training.objective),
        "a rollout": f"{rollout_batches} batches" if rollout_batches else "5 batches or 200 trajectories",
        "property": config.first_property,
    }
