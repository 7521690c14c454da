"""Rounds of proposing, relaxing and learning, which teach the sampler the outcomes of its own crystals.

Round 0 samples from a trained model. Every further round first learns from all candidates so far: it refines the
property model, and fits the success probability: that a proposal becomes stable, unique and novel. Then it continues
the training of the sampler, whose reward is now computed with the refined model and multiplied by the success
probability; and it samples and relaxes again.

It is the success probability that helps. With a factor for the predicted energy above hull instead, the sampler went
where the model errs: the prediction was 0.01 eV/atom above the hull, the outcome 0.24, and none of 31 was below 0.1.

DIR/loop.json                    the plan; going on with another plan is refused, except for the number of rounds
DIR/rounds.csv                   one row per round: outcomes of the samples, and errors of the models on the samples
DIR/round-1/proxy, success_probability.json, sampler
                                 the models of the round (round 0 uses the initial models)
DIR/round-1/crystals.parquet     samples of the round; the first samples are relaxed, without selection
DIR/round-1/structures/          candidates, as ``crystalgfn structures`` writes them
DIR/round-1/rows.parquet         training rows from the candidates

The result of every step is on disk when the step ends, and a step whose result exists is not repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crystalgfn.config import CONFIG, Config, read_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.files.atomic import write_text
from crystalgfn.files.folders import open_folder
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.proxies.data.labelled import LabelledCrystals, join, read_labelled
from crystalgfn.proxies.models import CARD, ProxyProperty, save_model
from crystalgfn.proxies.refine import AT_REST, errors_by_kind, refine, refined_card
from crystalgfn.rewards.success_probability import SuccessProbability
from crystalgfn.rewards.terms.success_probability import SuccessProbabilityConfig
from crystalgfn.rewards.terms.term import TermConfig
from crystalgfn.runs.loop.learned import CRYSTALS, Lesson, learn
from crystalgfn.runs.model import Model, load
from crystalgfn.runs.training import train
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.table import TABLE, CandidateTable
from crystalgfn.structures.candidates.tally import tally
from crystalgfn.structures.candidates.workers import Tools

MANIFEST, LOG, SUCCESS = "loop.json", "rounds.csv", "success_probability.json"
STRUCTURES = "structures"
LEARNING_RATE = 1e-3
"""Learning rate of samplers, which begin with trained weights; a third of the default for random weights."""


@dataclass(frozen=True)
class Plan:
    """The plan of a loop.

    Attributes:
        start: preset or run folder that round 0 samples from.
        rounds: number of rounds after round 0.
        candidates: number of samples per round that are relaxed.
        seconds: time limit for the relaxations of a round; None for no limit.
        hull: ``"builtin"``, ``"mp"`` or a table of phases: the hull from which energies above hull are measured.
        compare: file of known structures, for novelty; empty for none.
        data: table of real crystals that are rehearsed when the property model is refined; empty for the predictions of
            the model itself.
        power: power of the success probability in the reward; a higher power proposes more crystals like earlier
            successes, and fewer new ones.
        iterations: updates of the sampler per round.
        placements, relaxed: numbers for each candidate, see
            :class:`~crystalgfn.structures.candidates.requests.SearchSettings`.
        seed: seed of the whole loop.
    """

    start: str = "twelve-elements"
    rounds: int = 2
    candidates: int = 100
    seconds: float | None = None
    hull: str = "builtin"
    compare: str = ""
    data: str = ""
    power: float = 2.0
    iterations: int = 2_000
    placements: int = 20
    relaxed: int = 1
    seed: int = 0


def loop(
    plan: Plan,
    folder: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    say: Callable[[str], None] = lambda text: None,
    on_iteration: Callable[[Progress], None] | None = None,
) -> list[dict[str, Any]]:
    """Run the rounds of a plan; the docstring of the module lists the files.

    Args:
        plan: the plan.
        folder: a new or empty folder, or the folder of a loop to go on with.
        workers: number of processes that relax; it changes nothing but the time.
        resume: whether to go on with the loop in the folder.
        say: called with a line of text when a step begins.
        on_iteration: called with the progress of training a sampler.

    Returns:
        the rows of ``rounds.csv``.

    Raises:
        CrystalGFNError: an input cannot be used, or the folder holds something else.
    """
    open_folder(folder, MANIFEST, asdict(plan), resume=resume, may_change=("rounds",))
    first = load(plan.start)
    _check_hull(plan, first.config)
    if all(term.subject() is None for term in first.config.objective):
        raise ConfigError(f"{plan.start}: no term of its objective names a property, allowed: one to refine")
    base = ProxyProperty.load(first.config.first_property)
    rehearsal = read_labelled(Path(plan.data)) if plan.data else None
    log = _read_log(folder / LOG)
    model, proxy, lessons = first, base, list[Lesson]()
    for number in range(plan.rounds + 1):
        where = folder / f"round-{number}"
        where.mkdir(exist_ok=True)
        if number:
            say(f"round {number}: learning from {sum(len(lesson.outcomes.target) for lesson in lessons):,} candidates")
            proxy = _refine_proxy(base, lessons, rehearsal, where / "proxy", plan)
            _fit_success(lessons, where / SUCCESS)
            model = _train_sampler(plan, number, first.config, folder, on_iteration)
        say(f"round {number}: relaxing {plan.candidates} samples")
        start = time.monotonic()
        _sample(model, plan, number, where / CRYSTALS)
        candidates = _relax(plan, where, workers)
        lessons.append(learn(candidates, where))
        if len(log) == number:
            log.append(_row(number, candidates, lessons[-1], base, proxy, time.monotonic() - start))
            _write_log(folder / LOG, log)
    return log


def _check_hull(plan: Plan, config: Config) -> None:
    """Refuse a hull that lacks an element of the space before the first round, not after it."""
    missing = load_hull(plan.hull).missing(config.constraints.elements.allowed)
    if missing:
        raise ConfigError(f"--hull {plan.hull}: has no phase with {', '.join(missing)}, allowed: another hull")


def _refine_proxy(
    base: ProxyProperty, lessons: list[Lesson], rehearsal: LabelledCrystals | None, folder: Path, plan: Plan
) -> ProxyProperty:
    """The property model of a round: the initial model, refined with the lessons of all rounds so far."""
    if not (folder / CARD).is_file():
        outcomes, copies = join([lesson.outcomes for lesson in lessons]), join([lesson.rows for lesson in lessons])
        network = refine(base, outcomes, copies, rehearsal=rehearsal, seed=plan.seed)
        save_model(folder, network, *refined_card(base, outcomes, copies, plan.seed))
    return ProxyProperty.load(folder)


def _fit_success(lessons: list[Lesson], path: Path) -> None:
    """Fit the success probability to the lessons of all rounds so far."""
    if not path.is_file():
        tried = Crystals.concatenate([lesson.tried for lesson in lessons])
        SuccessProbability.fit(tried, np.concatenate([lesson.success for lesson in lessons])).save(path)


def _train_sampler(
    plan: Plan, number: int, first: Config, folder: Path, on_iteration: Callable[[Progress], None] | None
) -> Model:
    """The sampler of a round, which continues the training of the sampler before."""
    where = folder / f"round-{number}"
    before = plan.start if number == 1 else str((folder / f"round-{number - 1}" / "sampler").resolve())
    training = {
        "start": before,
        "iterations": plan.iterations,
        "lr": LEARNING_RATE,
        "checkpoint_every": max(1, plan.iterations // 4),
    }
    config = first.model_copy(
        update={
            "objective": _objective(first, where, plan.power),
            "training": first.training.model_copy(update=training),
            "seed": plan.seed + number,
        }
    )
    sampler = where / "sampler"
    exists = (sampler / CONFIG).is_file()
    if exists and read_config(sampler / CONFIG) != config:
        raise ConfigError(f"{sampler}: holds a run of another configuration; delete the folder of the round")
    train(config, sampler, resume=exists, on_iteration=on_iteration)
    return load(sampler)


def _objective(first: Config, where: Path, power: float) -> list[TermConfig]:
    """The initial objective with the refined property model, and the success probability as a further term."""
    update = {"property": str((where / "proxy").resolve())}
    terms = [
        term.model_copy(update=update) if term.subject() == first.first_property else term
        for term in first.objective
        if not isinstance(term, SuccessProbabilityConfig)
    ]
    return [*terms, SuccessProbabilityConfig(model=str((where / SUCCESS).resolve()), power=power)]


def _sample(model: Model, plan: Plan, number: int, path: Path) -> None:
    if not path.is_file():
        model.sample(max(1_000, plan.candidates), seed=plan.seed + number).to_parquet(path)


def _relax(plan: Plan, where: Path, workers: int) -> Path:
    if not (where / STRUCTURES / TABLE).is_file():
        run(
            where / CRYSTALS,
            where / STRUCTURES,
            Tools(hull=plan.hull),
            SearchSettings(placements=plan.placements, relaxed=plan.relaxed, seed=plan.seed),
            n=plan.candidates,
            workers=workers,
            compare=plan.compare or None,
            resume=(where / STRUCTURES).is_dir(),
            seconds=plan.seconds,
        )
    return where / STRUCTURES


def _row(
    number: int, candidates: Path, lesson: Lesson, base: ProxyProperty, proxy: ProxyProperty, seconds: float
) -> dict[str, Any]:
    row = {"round": number, **tally(CandidateTable.read(candidates / TABLE))}
    for who, model in (("", proxy), (", first model", base)):
        row[f"error of outcomes{who} [eV/atom]"] = errors_by_kind(model, lesson.outcomes)[AT_REST]
        for kind, value in errors_by_kind(model, lesson.rows).items():
            row[f"error {kind}{who} [eV/atom]" if kind != "correlation" else f"correlation{who}"] = value
    return {**row, "wall_seconds": seconds}


def _read_log(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [{str(k): v for k, v in row.items()} for row in pd.read_csv(path).to_dict("records")]


def _write_log(path: Path, log: list[dict[str, Any]]) -> None:
    write_text(path, pd.DataFrame(log).to_csv(index=False))
