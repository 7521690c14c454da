"""Rounds of proposing, relaxing and learning, which teach a sampler the outcomes of its own crystals.

Round 0 samples the first model in the space that is asked for, and relaxes the samples as they come. Every further
round first learns from all labels so far, those that a plan names among them: the correction of the model of the energy
above the hull is fitted again (:mod:`crystalgfn.proxies.refine`). Then the sampler is trained on, to prior x reward
with that model; and it samples and relaxes again, crystals that have no label yet. The loop stops when the error for
labels that were not learned from no longer falls. Where training did not help the sampler, its weights stay; from round
1 on, the samples are chosen by their weights from ten times as many, so that they follow the corrected target in any
case.

DIR/loop.json                    the plan; going on with another plan is refused, except for the number of rounds
DIR/rounds.csv                   a row for each round (:func:`~crystalgfn.loop.log.row_of`)
DIR/given-labels.parquet         labels that the plan names, with energies above the hull of the loop
DIR/labels.parquet               relaxed samples of all rounds and these, for ``crystalgfn proxy train --relaxed``
DIR/round-1/energy_above_hull, sampler
                                 the models of the round (round 0 uses the first models)
DIR/round-1/pool.parquet         what the sampler drew
DIR/round-1/crystals.parquet     samples of the round: the pool, from round 1 on chosen by their weights
DIR/round-1/candidates.parquet   the first samples that are new: these are relaxed
DIR/round-1/structures/          what became of them, as ``crystalgfn structures`` writes it
DIR/round-1/rows.parquet         labels of the round

The result of every step is on disk when the step ends, and a step whose result exists is not repeated.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import sweep, write_text
from crystalgfn.files.folders import open_folder, work_folder
from crystalgfn.files.locks import in_use
from crystalgfn.files.reading import read_text
from crystalgfn.files.trust import LOOP, check_links, opened
from crystalgfn.loop.following import follow
from crystalgfn.loop.labels import CANDIDATES, CRYSTALS, ROWS, STRUCTURES, draw, label
from crystalgfn.loop.learning import MODEL, learn_round
from crystalgfn.loop.log import prior_in_space, row_of
from crystalgfn.loop.plan import Plan, energy_model, first_models, given_labels
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.folder import is_finished
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.workers import Tools

MANIFEST, LOG, LABELS, GIVEN = LOOP, "rounds.csv", "labels.parquet", "given-labels.parquet"


def loop(
    plan: Plan,
    folder: str | Path,
    *,
    workers: int = 2,
    resume: bool = False,
    trust: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Run the rounds of a plan; the docstring of the module lists the files.

    Args:
        plan: the plan.
        folder: a new or empty folder, or the folder of a loop to go on with.
        workers: number of processes that relax; it changes nothing but the time.
        resume: whether to go on with the loop in the folder.
        trust: whether the first model and the folder may name code, networks and files outside of them.
        say: called with a line of text when a step begins, and when the loop stops before its last round.

    Returns:
        the rows of ``rounds.csv``.

    Raises:
        CrystalGFNError: an input cannot be used, the folder holds something else, or another process works in it.
        TrustError: a folder that is not trusted asks for something; names it.
    """
    whole, model = first_models(plan, trust=trust)
    folder, request = Path(folder), plan.request
    given = None if (folder / GIVEN).is_file() else given_labels(plan, whole.config)
    with in_use(folder):
        with opened(folder, trust=trust):
            check_links(folder)
            open_folder(folder, MANIFEST, request, resume=resume, may_change=("rounds", "labels"))
            sweep(folder)
        for note in given.notes if given else ():
            say(note)
        if given:
            given.crystals.to_parquet(folder / GIVEN)
        taken = [folder / GIVEN] if plan.labels else []
        places = [folder / f"round-{number}" for number in range(plan.rounds + 1)]
        log = _read_log(folder / LOG)
        for number, where in enumerate(places):
            work_folder(where)
            before, lesson = [*taken, *(place / ROWS for place in places[:number])], None
            earlier = before if number else []
            if number:
                beside = f", and {len(Crystals.from_file(taken[0])):,} given ones" if taken else ""
                say(f"round {number}: learning from the labels of {number} round{'s' * (number > 1)}{beside}")
                newest = sum(len(Crystals.from_file(path)) for path in (before if number == 1 else before[-1:]))
                lesson = learn_round(folder / LABELS, where, base=energy_model(whole.config), new=newest, trust=trust)
                if number > 1 and not lesson.helps:
                    say(f"stopped before round {number}: {lesson}")
                    break
                say(f"round {number}: {lesson}; training the sampler on")
                model = follow(
                    model,
                    where,
                    whole=whole.config,
                    energy=where / MODEL,
                    known=earlier,
                    wanted=prior_in_space(Crystals.from_file(places[0] / CRYSTALS))[0],
                    iterations=plan.iterations,
                    seed=plan.seed + number,
                    trust=trust,
                )
            draw(model, where, candidates=plan.candidates, earlier=earlier, seed=plan.seed + number)
            say(f"round {number}: relaxing {len(Crystals.from_file(where / CANDIDATES)):,} samples")
            _relax(plan, where, workers)
            label(where, before=before, together=folder / LABELS)
            if len(log) == number:
                first = places[0] / CRYSTALS
                log.append(
                    row_of(
                        number, where, first=first, earlier=earlier, hull=plan.hull, compare=plan.compare, lesson=lesson
                    )
                )
                write_text(folder / LOG, pd.DataFrame(log).to_csv(index=False))
    return log


def _relax(plan: Plan, where: Path, workers: int) -> None:
    if not is_finished(where / STRUCTURES):
        run(
            where / CANDIDATES,
            where / STRUCTURES,
            Tools(hull=plan.hull),
            SearchSettings(seed=plan.seed),
            engine=LocalEngine(workers),
            compare=plan.compare or None,
            resume=work_folder(where / STRUCTURES).is_dir(),
        )


def _read_log(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), float_precision="round_trip")
    except ValueError as error:
        raise DataError(f"{path}: not readable as CSV ({' '.join(str(error).split())[:150]})") from None
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if texts or "round" not in table:
        raise DataError(f"{path}: found {f'text in {texts[0]!r}' if texts else 'no column round'}, allowed: numbers")
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
