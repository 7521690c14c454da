"""What a round found, as a row of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.inputs import Data, read_data, read_references, summarised, with_references
from crystalgfn.files.tensors import read_tensors
from crystalgfn.gflownet.weights import effective_share
from crystalgfn.loop.following import CPU_SECONDS, SAMPLER, TRAINED, class_shares
from crystalgfn.loop.labels import CANDIDATES, CRYSTALS, POOL, STRUCTURES, relaxed_before
from crystalgfn.properties.known import Known
from crystalgfn.proxies.refine import Lesson
from crystalgfn.runs.build import POLICY
from crystalgfn.spaces.site_encoding import crystal_keys
from crystalgfn.structures.candidates.table import CandidateTable

OUTCOMES = {
    "outcome": ("relaxed", "converged", "flagged"),
    "symmetry": ("p1", "group_kept"),
    "stability": ("e_above_hull", "stable_0.08", "stable_0.1"),
}
"""Numbers of :func:`~crystalgfn.evaluation.structures.evaluate_structures` in the log, beside those of S.U.N."""


def prior_in_space(first: Crystals) -> tuple[dict[str, float], float]:
    """Return the share of each chemical class under the prior in a space, and the logarithm of the space's share.

    Args:
        first: samples of a policy over the space, with log-probabilities under policy and prior.
    """
    logs = np.asarray(first.column("log_prior"), dtype=float) - np.asarray(first.column("log_pf"), dtype=float)
    return class_shares(first, logs), float(logsumexp(logs) - np.log(len(logs)))


def row_of(
    number: int, where: Path, *, first: Path, earlier: Sequence[Path], hull: str, compare: str, lesson: Lesson | None
) -> dict[str, Any]:
    """Return the row of a round, for ``rounds.csv``.

    Args:
        number: number of the round.
        where: folder of the round.
        first: samples of round 0, from which what is said of the prior is estimated.
        earlier: labels that were given, and those of earlier rounds; none in round 0.
        hull: hull of the energies.
        compare: file of known structures, or empty.
        lesson: what the round learned; None in round 0.

    Returns:
        ``labels`` that were learned from; shares of the relaxed crystals (S.U.N. with its corrections,
        :data:`~crystalgfn.evaluation.sun.CORRECTIONS`); ``repeated`` (the share that had a label), ``formulas``,
        ``keys`` and class shares of all samples, with those of the prior; held-back errors (eV/atom) and rank
        correlations before and after learning; KL of the sampler to the prior in the space (nats) and its effective
        sample size as a share, from the pool; whether the training was kept; CPU seconds of training the sampler and of
        relaxing.
    """
    samples = Crystals.from_file(where / CRYSTALS)
    data, references = with_references(
        read_data(where / STRUCTURES), read_references([compare] if compare else [], hull=hull)
    )
    if not compare:
        data = _novel_by_sites(data, Crystals.from_file(where / CANDIDATES))
    assert data.candidates is not None
    table = data.candidates.table
    found = summarised(data, references, smact=False)["metrics"]
    shares, log_space = prior_in_space(Crystals.from_file(first))
    pool = Crystals.from_file(where / POOL)
    log_weight, log_pf, log_prior = (
        np.asarray(pool.column(name), dtype=float) for name in ("log_weight", "log_pf", "log_prior")
    )
    training = {} if lesson is None else read_tensors(where / SAMPLER / POLICY)[1]
    own = class_shares(samples)
    return {
        "round": number,
        "labels": sum(len(Crystals.from_file(path)) for path in earlier),
        "candidates": len(table),
        **{name: found[group][name]["value"] for group, names in OUTCOMES.items() for name in names},
        **{name: measured["value"] for name, measured in found["stability"].items() if name.startswith("sun_")},
        "samples": len(samples),
        "repeated": float(relaxed_before(samples, earlier).mean()),
        "formulas": len(set(samples.formulas)),
        "keys": len(set(crystal_keys(samples).tolist())),
        **{f"{name}{of}": part[name] for name in own for of, part in (("", own), ("_prior", shares))},
        **_errors(lesson),
        "kl_to_prior": float((log_pf - log_prior).mean()) + log_space,
        "ess": effective_share(log_weight),
        "trained": training.get(TRAINED, False),
        "cpu_seconds_training": training.get(CPU_SECONDS, 0.0),
        "cpu_seconds_relaxing": float(sum(row.seconds_cpu or 0.0 for row in table.rows)),
    }


def _errors(lesson: Lesson | None) -> dict[str, float]:
    sides: Mapping[str, Mapping[str, float]] = {"before": lesson.before, "after": lesson.after} if lesson else {}
    measures = {"held_back_error": "mae", "held_back_rank": "rank_correlation"}
    return {
        f"{name}_{side}": sides.get(side, {}).get(measure, float("nan"))
        for name, measure in measures.items()
        for side in ("before", "after")
    }


def _novel_by_sites(data: Data, tried: Crystals) -> Data:
    """The candidates that count as novel where their group and sites are those of no known crystal."""
    assert data.candidates is not None
    known = np.asarray(tried.column(Known.name), dtype=bool)
    rows = tuple(
        replace(row, novel=not known[row.row]) if row.row in data.candidates.structures else row
        for row in data.candidates.rows
    )
    return replace(data, candidates=replace(data.candidates, table=CandidateTable(rows)))
