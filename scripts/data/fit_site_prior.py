"""Fit the weights of Wyckoff assignments, crystallography/sites/data/site_prior.json, to real crystals.

    python scripts/data/fit_site_prior.py crystals.parquet [--rows 12000] [--candidates 300] [--steps 120] [--seed 0]

The table has the columns ``spacegroup``, ``elements`` (JSON counts in the conventional cell) and ``wyckoff`` (JSON list
of [element, letter, multiplicity]). A fifth of the formulas is held out. For their crystals, the script prints the
rank of the true assignment among all distinct assignments of the same group and counts, by the fitted weights, by
2^-orbits and at random (the mean rank among ties). Only the fitted numbers are written, no row of the data.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.sites.assignments import Assignment, canonical, count_assignments, distinct_assignments
from crystalgfn.crystallography.sites.prior import ELEMENT_CLASSES, element_class, position_classes
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "src" / "crystalgfn" / "crystallography" / "sites" / "data" / "site_prior.json"


class Batch:
    """Crystals with all their distinct assignments, the true assignment first, as flat arrays over sites."""

    def __init__(self, biases: dict[tuple[int, str], int]) -> None:
        self.biases = biases
        self.kind: list[int] = []  # class of the element and degrees of freedom
        self.bias: list[int] = []
        self.log_size: list[float] = []
        self.candidate: list[int] = []
        self.crystal: list[int] = []  # of each candidate
        self.orbits: list[int] = []  # of each candidate
        self.first: list[int] = []  # candidate of the truth, for each crystal

    def add(self, truth: Assignment, others: list[Assignment]) -> None:
        """Add one crystal."""
        self.first.append(len(self.crystal))
        for assignment in (truth, *others):
            classes = position_classes(assignment.space_group)
            for (z, letter), position in zip(assignment.sites, assignment.positions, strict=True):
                self.kind.append(element_class(z) * 4 + position.degrees_of_freedom)
                key = (assignment.space_group, classes[letter])
                self.bias.append(self.biases.setdefault(key, len(self.biases)))
                self.log_size.append(
                    float(np.log(position.multiplicity / CENTERING_MULTIPLICITY[assignment.space_group]))
                )
                self.candidate.append(len(self.crystal))
            self.crystal.append(len(self.first) - 1)
            self.orbits.append(len(assignment.sites))

    def scores(self, weight: torch.Tensor, slope: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Log weight of each candidate."""
        kind = torch.tensor(self.kind)
        own = weight[kind] + slope[kind % 4] * torch.tensor(self.log_size) + bias[torch.tensor(self.bias)]
        return torch.zeros(len(self.crystal)).index_add(0, torch.tensor(self.candidate), own)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """Mean rank, from 1, of each truth among the candidates of its crystal, ties shared."""
        ends = [*self.first[1:], len(self.crystal)]
        rows = [scores[a:b] for a, b in zip(self.first, ends, strict=True)]
        return np.array([1 + (r[1:] > r[0] + 1e-6).sum() + 0.5 * (np.abs(r[1:] - r[0]) <= 1e-6).sum() for r in rows])


def report(name: str, ranks: np.ndarray) -> None:
    """Print a line of ranks."""
    shares = ", ".join(f"top {k}: {np.mean(ranks < k + 0.5):.1%}" for k in (1, 10, 100))
    print(f"  {name}: median rank {np.median(ranks):.1f}, mean {ranks.mean():.1f}, {shares}")


def main() -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path)
    parser.add_argument("--rows", type=int, default=12_000, help="crystals to use, drawn at random")
    parser.add_argument("--candidates", type=int, default=300, help="leave out crystals with more assignments to fit")
    parser.add_argument("--held-out-candidates", type=int, default=3_000, help="leave out held-out crystals with more")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--ridge", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = pd.read_parquet(options.crystals)
    formulas = sorted(set(table["formula"]))
    held_out = set(np.random.default_rng(options.seed).permutation(formulas)[: len(formulas) // 5])
    biases: dict[tuple[int, str], int] = {}
    fit, test = Batch(biases), Batch(biases)
    single = more = refused = 0
    for row in table.sample(min(options.rows, len(table)), random_state=options.seed).itertuples():
        counts = {atomic_number(symbol): n for symbol, n in json.loads(row.elements).items()}
        sites = tuple((atomic_number(symbol), letter) for symbol, letter, _ in json.loads(row.wyckoff))
        try:
            truth = canonical(Assignment(int(row.spacegroup), sites))
        except DataError:
            refused += 1
            continue
        total = count_assignments(truth.space_group, counts)
        batch, limit = (test, options.held_out_candidates) if row.formula in held_out else (fit, options.candidates)
        if total < 2 or total > limit:
            single += total < 2
            more += total > limit
            continue
        others = [found for found in islice(distinct_assignments(truth.space_group, counts), limit) if found != truth]
        if others:
            batch.add(truth, others)
    print(f"{len(fit.first)} crystals to fit, {len(test.first)} held out; {single} have one assignment only, "
          f"{more} too many, {refused} are refused")  # fmt: skip

    weight = torch.zeros(len(ELEMENT_CLASSES) * 4, requires_grad=True)
    slope = torch.zeros(4, requires_grad=True)
    bias = torch.zeros(len(biases), requires_grad=True)
    optimizer = torch.optim.Adam([weight, slope, bias], lr=0.1)
    crystal, first = torch.tensor(fit.crystal), torch.tensor(fit.first)
    for step in range(options.steps):
        scores = fit.scores(weight, slope, bias)
        largest = torch.full((len(first),), -torch.inf).scatter_reduce(0, crystal, scores.detach(), "amax")
        total = torch.zeros(len(first)).index_add(0, crystal, (scores - largest[crystal]).exp())
        loss = (total.log() + largest - scores[first]).sum()
        penalty = options.ridge * (bias.square().sum() + 0.1 * weight.square().sum())
        optimizer.zero_grad()
        ((loss + penalty) / len(first)).backward()
        optimizer.step()
        if step % 50 == 0 or step == options.steps - 1:
            print(f"step {step}: {float(loss.detach()) / len(first):.3f} nats a crystal", flush=True)

    with torch.no_grad():
        for name, batch in (("fitted on", fit), ("held out", test)):
            median = np.median(np.bincount(batch.crystal))
            print(f"{name}, {len(batch.first)} crystals, {median:.0f} candidates in the median:")
            report("weights", batch.ranks(batch.scores(weight, slope, bias).numpy()))
            report("2^-orbits", batch.ranks(-np.array(batch.orbits, dtype=float)))
            report("uniform", batch.ranks(np.zeros(len(batch.orbits))))

    learned = bias.detach().tolist()
    by_group: dict[str, dict[str, float]] = {}
    for (group, letter), i in sorted(biases.items()):
        value = round(learned[i], 2)
        if value:
            by_group.setdefault(str(group), {})[letter] = value
    result = {
        "source": "fitted by scripts/data/fit_site_prior.py to crystals of the Materials Project (CC BY 4.0) and WBM",
        "classes": list(ELEMENT_CLASSES),
        "weight": [[round(float(v), 3) for v in row] for row in weight.detach().reshape(-1, 4)],
        "slope": [round(float(v), 3) for v in slope.detach()],
        "bias": by_group,
    }
    OUTPUT.write_text("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in result.items()) + "\n}\n")
    print(f"wrote {OUTPUT.name}, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
