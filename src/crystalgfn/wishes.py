"""From a wish to ranked structures in one folder: ``crystalgfn design``.

DIR/design.json         the wish; going on with another one is refused
DIR/samples.parquet     what the model drew under the limits of the wish
DIR/crystals.parquet    the crystals that were chosen from the samples
DIR/structures/         what became of them, as ``crystalgfn structures`` writes it
DIR/wanted.csv          where ranges of properties are wanted: these properties of the structures

A model is not trained for a narrow space, where its plain samples are far from its target. So many more are drawn than
are wanted, and those that the target itself, prior x reward, finds most probable are placed and relaxed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crystalgfn.crystallography.chemical_classes import CHALCOGENS, HALOGENS, OXYGEN
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN as SITES
from crystalgfn.errors import ConfigError, DataError, PropertyError
from crystalgfn.evaluation.assortment import PRIOR, best_of_each
from crystalgfn.evaluation.candidates import read_candidates
from crystalgfn.files.folders import open_folder, work_folder
from crystalgfn.files.locks import in_use
from crystalgfn.files.trust import check_links, opened
from crystalgfn.progress import track
from crystalgfn.properties.known import KnownFormula
from crystalgfn.runs.model import Model, load
from crystalgfn.runs.restrict import symbols_in
from crystalgfn.runs.wanted import Bounds, Wanted, fingerprints
from crystalgfn.spaces.site_encoding import crystal_keys
from crystalgfn.spaces.structure_types import structure_type_label
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.schema import INPUT
from crystalgfn.structures.candidates.table import TABLE, CandidateTable
from crystalgfn.structures.candidates.workers import Tools

MANIFEST, SAMPLES, CRYSTALS, STRUCTURES = "design.json", "samples.parquet", "crystals.parquet", "structures"
WANTED = "wanted.csv"
"""In the folder of a wish: see the module."""

FEWEST_SAMPLES = 2_000
"""Samples that are drawn for a wish, unless ranges are wanted: then each sample takes many draws."""

ASKED = ("chemsys", "required")
"""Limits that ask for elements."""

CHARGE = "common"
"""Rule of charges for compounds of oxygen, chalcogens and halogens, where the wish names none."""

SALT_FORMERS = {SYMBOLS[z] for z in OXYGEN | CHALCOGENS | HALOGENS}
"""Elements whose compounds count as salts where a wish asks for them. Alloys and Zintl phases balance no charges."""

DRAWN_FOR_EACH = 20
"""Samples that are drawn for each crystal of a larger wish."""


@dataclass(frozen=True)
class Wish:
    """What a user wishes for.

    Attributes:
        model: preset or run folder to sample.
        n: number of crystals to choose.
        limits: constraints, in the keys of :meth:`~crystalgfn.runs.model.Model.restricted`. Where elements are asked
            for (``chemsys``, ``required``) with oxygen, a chalcogen or a halogen among them, and there is neither
            ``charge`` nor ``formula``, charges balance by the rule ``common``; ``charge="none"`` asks for no balance.
        formula: the one composition of all crystals, such as ``"Li6PS5Cl"``; empty for many.
        like: a structure file or protostructure label whose group and sites all crystals have; empty for any.
        want: ranges of properties that all samples are predicted to lie in, by name
            (:meth:`crystalgfn.runs.model.Model.within`).
        with_known: whether crystals may have known formulas; those of a ``formula`` always may.
        known: tables of further known crystals, with a column ``wyckoff``.
        samples: number of samples to choose from; None for 20 n, and at least 2,000 where no ranges are wanted.
        seed: of the samples and their structures.
    """

    model: str = "default"
    n: int = 20
    limits: Mapping[str, Any] = field(default_factory=dict)
    formula: str = ""
    like: str = ""
    want: Mapping[str, Bounds] = field(default_factory=dict)
    with_known: bool = False
    known: tuple[str, ...] = ()
    samples: int | None = None
    seed: int = 0

    @property
    def all_limits(self) -> dict[str, Any]:
        """The limits, with those that ``formula`` and ``like`` stand for, and the rule of charges.

        Raises:
            ConfigError: a limit is given twice, or the formula leaves elements open.
            DataError: ``like`` is neither a label nor a file with a structure.
        """
        limits = dict(self.limits)
        for name, limit, value in (("formula", "stoichiometry", self.formula), ("like", "structure_type", self.like)):
            if value and limit in limits:
                raise ConfigError(f"{name}: found beside {limit}, which says the same, allowed: one of them")
        if self.formula:
            if Stoichiometry.parse(self.formula).open:
                raise ConfigError(
                    f"formula: found {self.formula!r} with elements left open, allowed: one composition, such as "
                    "Li6PS5Cl; the limit stoichiometry takes open letters"
                )
            limits["stoichiometry"] = self.formula
        if self.like:
            limits["structure_type"] = structure_type_label(self.like)
        if not self.formula and "charge" not in limits and SALT_FORMERS.intersection(self._asked):
            limits["charge"] = CHARGE
        return limits

    @property
    def _asked(self) -> list[str]:
        """Symbols of the elements that are asked for."""
        return [symbol for name in ASKED for symbol in symbols_in(self.limits.get(name))]

    @property
    def takes_known(self) -> bool:
        """Whether known formulas may be chosen."""
        return self.with_known or bool(self.formula)

    @property
    def pool(self) -> int:
        """Number of samples to choose from."""
        return self.samples or max(1 if self.want else FEWEST_SAMPLES, DRAWN_FOR_EACH * self.n)

    @property
    def name(self) -> str:
        """A name for a folder: the formula or elements that are asked for, and the structure type."""
        asked = self.formula or next((self.limits[key] for key in ASKED if self.limits.get(key)), "")
        parts = [asked if isinstance(asked, str) else "-".join(asked), Path(self.like).stem]
        return re.sub(r"[^\w-]+", "-", "-".join(filter(None, parts))).strip("-") or "design"

    @property
    def request(self) -> dict[str, Any]:
        """The wish as JSON values, with hashes of the models of its own that it names."""
        own = fingerprints(self.want)
        models = {"wanted_models": own} if own else {}
        return dict(json.loads(json.dumps({**asdict(self), "limits": self.all_limits, **models})))


def design(
    wish: Wish,
    folder: Path,
    tools: Tools | None = None,
    *,
    workers: int = 2,
    resume: bool = False,
    trust: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> CandidateTable:
    """Sample, choose, place, relax and rank; what is on disk when a step ends is not made again.

    Args:
        wish: the wish.
        folder: a new or empty folder, or the folder of the same wish to go on with.
        tools: potential, hull and prototypes; by default CHGNet and those that ship.
        workers: processes that relax; their number changes nothing but the time.
        resume: whether to go on with what the folder holds.
        trust: whether the model and the folder may name code, networks and files outside of them.
        say: called with a line of text after a step.

    Returns:
        the table of candidates.

    Raises:
        CrystalGFNError: the limits leave no crystal, there is no sample to choose, an input cannot be used, the folder
            holds something else, or another process works in it.
        TrustError: a folder that is not trusted asks for something; names it.
    """
    request = wish.request  # a wrong wish leaves no folder behind
    wanted = [Wanted.of(name, bounds) for name, bounds in wish.want.items()]  # a lost model is said before the work
    chosen = folder / CRYSTALS
    with in_use(folder):
        with opened(folder, trust=trust):
            check_links(folder)
        drawn = resume and chosen.is_file()
        model = None if drawn else wished_model(wish, trust=trust)
        open_folder(folder, MANIFEST, request, resume=resume)
        if model is not None:
            _draw(model, wish, folder, say)
        where = work_folder(folder / STRUCTURES)
        settings, engine = SearchSettings(seed=wish.seed), LocalEngine(workers)
        run(chosen, where, tools or Tools(), settings, engine=engine, resume=any(where.iterdir()), trust=trust)
        _predict_again(wanted, folder, say)
        with opened(folder, trust=trust):
            return CandidateTable.read(where / TABLE)


def _predict_again(wanted: Sequence[Wanted], folder: Path, say: Callable[[str], None]) -> None:
    """Write the wanted properties of the structures, whose cells are no longer those that were sampled."""
    if not wanted:
        return
    sampled = Crystals.from_file(folder / CRYSTALS)
    crystals, rows = read_candidates(folder / STRUCTURES).crystals(sites=SITES in sampled.columns)
    if not rows:
        return
    columns: dict[str, Any] = {"row": np.array(rows)}
    for each in wanted:
        columns[f"{INPUT}{each.column}"] = sampled.column(each.column)[rows]
        try:
            values = each.prop(crystals)
        except PropertyError as error:  # the structures are there all the same
            say(f"{each.name} {each.range}: not predicted again for the structures: {error}")
            columns[each.column] = np.full(len(rows), np.nan)
            continue
        columns[each.column] = values.cpu().numpy()
        inside = int(each.holds(values).sum())
        after = f"predicted again for the structures, {inside} of {len(rows)} lie there"
        say(f"{each.name} {each.range}: {after} ({WANTED})")
    crystals.with_columns(**columns).to_csv(folder / WANTED)


def wanted_columns(folder: Path) -> dict[str, dict[int, float]]:
    """The wanted properties of the structures of a design, by name of the column and row; empty where none are wanted.

    Raises:
        DataError: the file cannot be read.
    """
    if not (folder / WANTED).is_file():
        return {}
    told = Crystals.from_file(folder / WANTED)
    rows = told.numbers("row").astype(int).tolist()
    names = [name for name in told.columns if f"{INPUT}{name}" in told.columns]
    return {name: dict(zip(rows, told.numbers(name).tolist(), strict=True)) for name in names}


def _draw(model: Model, wish: Wish, folder: Path, say: Callable[[str], None]) -> None:
    """Write the samples of a wish, and those that are chosen from them."""
    chunks = track(model.chunks(wish.pool, seed=wish.seed), wish.pool, "sampling", "crystals", size=len)
    samples = Crystals.concatenate(list(chunks))
    found = choose(samples, wish)  # before anything is written: where all are known, the folder can be used again
    samples.to_parquet(folder / SAMPLES)
    found.to_parquet(folder / CRYSTALS)
    few = f" (no more of them are {'distinct' if wish.takes_known else 'new'})" if len(found) < wish.n else ""
    say(f"{len(found)} chosen from {len(samples):,} samples{few}")


def wished_model(wish: Wish, *, trust: bool = False) -> Model:
    """The model of a wish, under its limits; raises the errors of :func:`design`."""
    limits, model = wish.all_limits, load(wish.model, trust=trust)
    if limits:
        model = model.restricted(**limits)
    if wish.want:
        model = model.within(**wish.want)
    if wish.known:
        model = model.knowing(*wish.known)
    return model.indifferent_to_known() if wish.takes_known else model


def choose(samples: Crystals, wish: Wish) -> Crystals:
    """Return the samples to relax: the most probable by prior x reward (by the reward, where there is no prior).

    One crystal of each formula that is not known; where the wish is a formula, one of each group with its sites.

    Raises:
        DataError: all samples are known.
    """
    wanted = np.ones(len(samples), dtype=bool)
    if not wish.takes_known and KnownFormula.name in samples.columns:
        wanted = samples.column(KnownFormula.name) == 0
    if not wanted.any():
        raise DataError(
            f"design: the formulas of all {len(samples):,} samples are known, allowed: wider limits, more samples, or "
            "known formulas as well (--with-known)"
        )
    kinds = np.array(samples.formulas)
    if wish.formula:
        kinds = crystal_keys(samples) if samples.sites is not None else samples.space_group.numpy()
    target = samples.column("log_reward") + samples.columns.get(PRIOR, 0.0)
    return samples[np.array(best_of_each(kinds, target, wanted)[: wish.n])]
