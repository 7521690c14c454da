"""Propose, relax, learn, and again: rounds that teach the sampler what its crystals turned out to be.

Round 0 samples a trained model as it is. Every further round first learns from all candidates so far: it refines the
property model, and fits the success probability: that a proposal ends stable, unique and novel. Then it trains the
sampler on, with the reward it had, by the refined model, times that probability; and samples and relaxes again.

The success probability is what helps. With a factor for the predicted energy above hull instead, the sampler went where
the model errs: predicted 0.01 eV/atom above the hull, found 0.24, and none of 31 below 0.1.

DIR/loop.json                    what was asked for; going on with anything else is refused
DIR/rounds.csv                   a row a round: what its samples became, and how wrong the models were about them
DIR/round-1/proxy, success_probability.json, sampler
                                 the models of a round (round 0: those it was started with)
DIR/round-1/crystals.parquet     its samples; the first ones are relaxed, without choosing
DIR/round-1/structures/          candidates, as ``crystalgfn structures`` writes them
DIR/round-1/rows.parquet         what they teach

Every step is on disk when it is done, and a step that is there is not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crystalgfn.config import Config, read_config
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
from crystalgfn.runs.loop.learned import CRYSTALS, Learned, learn
from crystalgfn.runs.model import Model, load
from crystalgfn.runs.training import CONFIG, train
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import tally
from crystalgfn.structures.candidates.workers import Tools

MANIFEST, LOG, SUCCESS = "loop.json", "rounds.csv", "success_probability.json"
STRUCTURES = "structures"
LEARNING_RATE = 1e-3
"""Of samplers that go on from trained weights; a third of that for random ones."""


@dataclass(frozen=True)
class Plan:
    """What a loop does.

    Attributes:
        start: preset or run folder that round 0 samples from.
        rounds: after round 0.
        candidates: samples of a round that are relaxed.
        seconds: of relaxing, a round; None for as long as it takes.
        hull: ``"builtin"``, ``"mp"`` or a table: what energies above hull are measured from.
        compare: known structures, for novelty; empty for none.
        data: real crystals that are rehearsed when the property model is refined; empty for its own predictions.
        power: of the success probability in the reward; more is more of what worked, and less new.
        iterations: of training the sampler, a round.
        placements, relaxed: of each candidate, see
            :class:`~crystalgfn.structures.candidates.requests.SearchSettings`.
        seed: of everything.
    """

    start: str = "default"
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
    """Run the rounds of a plan; see the module's docstring for what is written.

    Args:
        plan: what to do.
        folder: new or empty, or one to go on with.
        workers: processes that relax; their number changes nothing but the time.
        resume: go on with what is there.
        say: told what begins.
        on_iteration: told how the training of a sampler goes.

    Returns:
        The rows of ``rounds.csv``.

    Raises:
        CrystalGFNError: an input that cannot be used, or a folder that holds something else.
    """
    open_folder(folder, MANIFEST, asdict(plan), resume=resume, may_change=("rounds",))
    first = load(plan.start)
    _check_hull(plan, first.config)
    if all(term.subject() is None for term in first.config.objective):
        raise ConfigError(f"{plan.start}: no term of its objective names a property, allowed: one to refine")
    base = ProxyProperty.load(first.config.first_property)
    rehearsal = read_labelled(Path(plan.data)) if plan.data else None
    log = _read_log(folder / LOG)
    model, proxy, lessons = first, base, list[Learned]()
    for number in range(plan.rounds + 1):
        where = folder / f"round-{number}"
        where.mkdir(exist_ok=True)
        if number:
            say(f"round {number}: learning from {sum(len(lesson.outcomes.target) for lesson in lessons):,} candidates")
            proxy = _refined(base, lessons, rehearsal, where / "proxy", plan)
            _fit_success(lessons, where / SUCCESS)
            model = _trained(plan, number, first.config, folder, on_iteration)
        say(f"round {number}: relaxing {plan.candidates} samples")
        started = time.monotonic()
        _sample(model, plan, number, where / CRYSTALS)
        candidates = _relax(plan, where, workers)
        lessons.append(learn(candidates, where))
        if len(log) == number:
            log.append(_row(number, candidates, lessons[-1], base, proxy, time.monotonic() - started))
            _write_log(folder / LOG, log)
    return log


def _check_hull(plan: Plan, config: Config) -> None:
    """Refuse a hull without an element of the space now, not after the first round."""
    missing = load_hull(plan.hull).missing(config.constraints.elements.allowed)
    if missing:
        raise ConfigError(f"--hull {plan.hull}: has no phase with {', '.join(missing)}, allowed: another hull")


def _refined(
    base: ProxyProperty, lessons: list[Learned], rehearsal: LabelledCrystals | None, folder: Path, plan: Plan
) -> ProxyProperty:
    """The property model of a round: always the first one, refined with everything so far."""
    if not (folder / CARD).is_file():
        outcomes, copies = join([lesson.outcomes for lesson in lessons]), join([lesson.rows for lesson in lessons])
        network = refine(base, outcomes, copies, rehearsal=rehearsal, seed=plan.seed)
        save_model(folder, network, *refined_card(base, outcomes, copies, plan.seed))
    return ProxyProperty.load(folder)


def _fit_success(lessons: list[Learned], path: Path) -> None:
    """Fit the success probability to everything so far."""
    if not path.is_file():
        tried = Crystals.concatenate([lesson.tried for lesson in lessons])
        SuccessProbability.fit(tried, np.concatenate([lesson.success for lesson in lessons])).save(path)


def _trained(
    plan: Plan, number: int, first: Config, folder: Path, on_iteration: Callable[[Progress], None] | None
) -> Model:
    """The sampler of a round, trained on from that of the round before."""
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
    started = (sampler / CONFIG).is_file()
    if started and read_config(sampler / CONFIG) != config:
        raise ConfigError(f"{sampler}: holds a run of another configuration; delete the folder of the round")
    train(config, sampler, resume=started, on_iteration=on_iteration)
    return load(sampler)


def _objective(first: Config, where: Path, power: float) -> list[TermConfig]:
    """The objective of a round: that of the start, by the refined property model, times the success probability."""
    refined = {"property": str((where / "proxy").resolve())}
    terms = [
        term.model_copy(update=refined) if term.subject() == first.first_property else term
        for term in first.objective
        if not isinstance(term, SuccessProbabilityConfig)
    ]
    return [*terms, SuccessProbabilityConfig(model=str((where / SUCCESS).resolve()), power=power)]


def _sample(model: Model, plan: Plan, number: int, path: Path) -> None:
    if not path.is_file():
        model.sample(max(1_000, plan.candidates), seed=plan.seed + number).to_parquet(path)


def _relax(plan: Plan, where: Path, workers: int) -> Path:
    done = (where / STRUCTURES / "structures.parquet").is_file()
    if not done:
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
    number: int, candidates: Path, learned: Learned, base: ProxyProperty, proxy: ProxyProperty, seconds: float
) -> dict[str, Any]:
    row = {"round": number, **tally(CandidateTable.read(candidates / "structures.parquet"))}
    for who, model in (("", proxy), (", first model", base)):
        row[f"error of outcomes{who} [eV/atom]"] = errors_by_kind(model, learned.outcomes)[AT_REST]
        for kind, value in errors_by_kind(model, learned.rows).items():
            row[f"error {kind}{who} [eV/atom]" if kind != "correlation" else f"correlation{who}"] = value
    return {**row, "wall_seconds": seconds}


def _read_log(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [{str(k): v for k, v in row.items()} for row in pd.read_csv(path).to_dict("records")]


def _write_log(path: Path, log: list[dict[str, Any]]) -> None:
    write_text(path, pd.DataFrame(log).to_csv(index=False))
