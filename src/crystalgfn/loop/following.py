"""The sampler of a round: trained on from the round before, to prior x reward with what the round has learned."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from crystalgfn.config import CONFIG, Config, read_config
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.files.folders import work_folder
from crystalgfn.files.trust import opened
from crystalgfn.gflownet.checkpoint import load_policy, save_policy
from crystalgfn.gflownet.weights import effective_share
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.progress import progress_bar
from crystalgfn.rewards.terms.chemical_classes import ChemicalClassesConfig
from crystalgfn.rewards.terms.novelty import NoveltyConfig
from crystalgfn.rewards.terms.stability import StabilityConfig
from crystalgfn.rewards.terms.term import TermConfig
from crystalgfn.runs.build import POLICY, build_target
from crystalgfn.runs.class_factors import class_factors, weighted_shares
from crystalgfn.runs.folder import begin
from crystalgfn.runs.model import Model

SAMPLER = "sampler"
"""In the folder of a round: the run folder of its sampler."""

CPU_SECONDS, TRAINED = "cpu_seconds", "trained"
"""In the header of its weights: what the training took, and whether it was kept."""

DRAWN = 4_000
"""Samples from which the factors of chemical classes are worked out."""

STABILITY = StabilityConfig(beta=40.0, floor=0.0, caution=1.0)
"""The term of stability where the first model has none."""


def follow(
    before: Model,
    where: Path,
    *,
    whole: Config,
    energy: Path,
    known: Sequence[Path],
    wanted: Mapping[str, float],
    iterations: int,
    seed: int,
    trust: bool = False,
) -> Model:
    """Write the sampler of a round, or read it where it exists.

    Some hundred updates can make the weights of its samples less even: then the policy of the round before is kept.

    Its run folder has the constraints of the first model: as that one, it can be sampled under any narrower ones.

    Args:
        before: the sampler of the round before, in the space of the loop.
        where: folder of the round.
        whole: configuration of the first model, with the constraints of its training.
        energy: folder of the model of the energy above the hull.
        known: labels of earlier rounds, whose crystals are known now.
        wanted: share of each chemical class.
        iterations: number of updates.
        seed: of the training.
        trust: whether the files of a sampler that exists may be links that lead out of the loop.

    Raises:
        TrustError: one of them is, and is not trusted.
    """
    folder = where / SAMPLER
    if not (folder / POLICY).is_file():
        start = time.process_time()
        terms = objective(whole.objective, energy=energy, known=known)
        assert before.prior is not None
        target = build_target(before.config.model_copy(update={"objective": terms}), before.space)
        factors = class_factors(
            before.prior, before.space, target, proposal=before.policy, wanted=wanted, n=DRAWN, seed=seed
        )
        terms.append(ChemicalClassesConfig(factors=factors))
        untrained = _with(before, terms)
        with progress_bar(100, "training the sampler", "%") as bar:
            tuned = untrained.finetuned(
                iterations=iterations,
                seed=seed,
                report=lambda _, done: bar.advance(int(100 * done) - bar.completed),
            )
        better = evenness(tuned, seed=seed) > evenness(untrained, seed=seed)
        work_folder(folder)
        begin(whole.model_copy(update={"objective": terms, "seed": seed}), folder)
        header = {CPU_SECONDS: time.process_time() - start, TRAINED: better}
        save_policy(folder / POLICY, (tuned if better else untrained).policy, header)
    policy = copy.deepcopy(before.policy)
    with opened(where, trust=trust):
        written = read_config(folder / CONFIG).objective
        load_policy(folder / POLICY, policy)
    # of the folder the factors alone: the other terms follow from the first model and from where the loop is now
    own = [term for term in written if isinstance(term, ChemicalClassesConfig)]
    return _with(before, [*objective(whole.objective, energy=energy, known=known), *own], policy=policy)


def evenness(model: Model, *, seed: int) -> float:
    """Return the effective sample size of samples of a model, as a share."""
    samples = model.sample(DRAWN, seed=seed)
    return effective_share(np.asarray(samples.column("log_weight"), dtype=float))


def objective(terms: Sequence[TermConfig], *, energy: Path, known: Sequence[Path]) -> list[TermConfig]:
    """Return terms with another model of the energy above the hull and further known crystals, without class factors.

    Stability and novelty join the terms where they are missing.
    """
    kept = [term for term in terms if not isinstance(term, ChemicalClassesConfig)]
    for kind, usual in ((StabilityConfig, STABILITY), (NoveltyConfig, NoveltyConfig())):
        if not any(isinstance(term, kind) for term in kept):
            kept.append(usual)
    return [_changed(term, energy, known) for term in kept]


def _changed(term: TermConfig, energy: Path, known: Sequence[Path]) -> TermConfig:
    if isinstance(term, StabilityConfig):
        return term.model_copy(update={"property": str(energy.resolve())})
    if isinstance(term, NoveltyConfig):
        return term.model_copy(update={"known": [*term.known, *(str(path.resolve()) for path in known)]})
    return term


def _with(model: Model, terms: list[TermConfig], policy: CrystalPolicy | None = None) -> Model:
    """The model with another objective, and another policy if one is given."""
    config = model.config.model_copy(update={"objective": terms})
    return Model(
        config,
        model.space,
        policy or model.policy,
        build_target(config, model.space),
        model.fingerprint,
        prior=model.prior,
        trained=model.trained,
    )


def class_shares(crystals: Crystals, log_weights: np.ndarray | None = None) -> dict[str, float]:
    """Return the share of each chemical class among crystals, which weigh alike unless weights (B,) are given."""
    logs = np.zeros(len(crystals)) if log_weights is None else log_weights
    return weighted_shares(classes_of(crystals), logs)
