"""The samples of a round, and the labels that relaxing gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.relaxed_samples import relaxed_samples
from crystalgfn.gflownet.weights import resampled
from crystalgfn.runs.model import Model
from crystalgfn.spaces.site_encoding import crystal_keys
from crystalgfn.structures.candidates.table import TABLE, CandidateTable

POOL, CRYSTALS, CANDIDATES = "pool.parquet", "crystals.parquet", "candidates.parquet"
"""In the folder of a round: what its sampler drew, the samples of the round, and those that are relaxed."""

STRUCTURES, ROWS = "structures", "rows.parquet"
"""In the folder of a round: what became of these, and their labels."""

SAMPLES = 2_000
"""Fewest samples of a round: classes and formulas are counted among them."""

DRAWN_FOR_EACH = 10
"""Crystals that a sampler draws for each sample of a round, where samples are chosen by their weights."""


def draw(model: Model, where: Path, *, candidates: int, earlier: Sequence[Path], seed: int) -> None:
    """Write the samples of a round, and the first of them that have no label yet; what exists is kept.

    Round 0 takes the samples of the first model as they come. Later rounds choose samples from a pool by their
    weights: a hundred labels move the target at once, and the policy only after long training. Where few samples carry
    all the weight, the next ones by weight are relaxed as well, so that a round labels as many as it should.

    Args:
        model: the sampler of the round.
        where: folder of the round.
        candidates: number of crystals to relax.
        earlier: labels that were given, and those of earlier rounds; none in round 0.
        seed: of the samples.
    """
    if (where / CANDIDATES).is_file():
        return
    n = max(SAMPLES, candidates)
    pool = model.sample(n * DRAWN_FOR_EACH if earlier else n, seed=seed)
    pool.to_parquet(where / POOL)
    weights = np.asarray(pool.column("log_weight"), dtype=float)
    rng = np.random.default_rng(seed)
    rows = resampled(weights, n, rng) if earlier else np.arange(len(pool))
    pool[rows].to_parquet(where / CRYSTALS)
    if earlier:
        rows = np.concatenate([rows, in_turn(weights, rng)])
        keys = crystal_keys(pool)
        rows = rows[~_among(keys, earlier)[rows]]
        _, first = np.unique(keys[rows], return_index=True)  # a crystal of large weight is drawn several times
        rows = rows[np.sort(first)]
    pool[rows[:candidates]].to_parquet(where / CANDIDATES)


def in_turn(log_weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """All rows ``(n,)`` in an order in which they are drawn by weight, each once (Gumbel noise on log-weights)."""
    return np.argsort(-(log_weights + rng.gumbel(size=len(log_weights))), kind="stable")


def relaxed_before(samples: Crystals, earlier: Sequence[Path]) -> NDArray[np.bool_]:
    """Return whether each of B crystals is in a table of labels."""
    return _among(crystal_keys(samples), earlier)


def _among(keys: NDArray[np.int64], tables: Sequence[Path]) -> NDArray[np.bool_]:
    """Whether each of the keys of B crystals is that of one in a table."""
    known = [crystal_keys(Crystals.from_file(path)) for path in tables]
    return np.isin(keys, np.concatenate(known) if known else [])


def label(where: Path, *, before: Sequence[Path], together: Path) -> None:
    """Write the labels of a round from its candidates, and all labels together, which only grow.

    Args:
        where: folder of the round.
        before: labels that were given, and those of earlier rounds.
        together: file of all labels.

    Raises:
        DataError: no candidate has an energy above a hull.
    """
    if not (where / ROWS).is_file():
        table = CandidateTable.read(where / STRUCTURES / TABLE)
        rows = relaxed_samples(Crystals.from_file(where / CANDIDATES), table, source=where.name)
        rows.to_parquet(where / ROWS)
    joined = Crystals.concatenate([Crystals.from_file(path) for path in (*before, where / ROWS)])
    if not together.is_file() or len(Crystals.from_file(together)) < len(joined):
        joined.to_parquet(together)
