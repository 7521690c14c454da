"""Crystals with atoms, in Python: ``place(model.sample(100), seed=0).relax("chgnet").write("candidates")``.

Everything works as in ``crystalgfn structures``: workers, duplicates, second opinion and files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.progress import track
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.columns import column, names
from crystalgfn.structures.candidates.display import page, text
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.exporting import export
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.manifest import manifest
from crystalgfn.structures.candidates.matching import match_structures
from crystalgfn.structures.candidates.pipeline import candidates
from crystalgfn.structures.candidates.requests import SearchSettings, phase_steps, requests
from crystalgfn.structures.candidates.search import PlacedRequest, place_request
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.workers import Tools, check_second, hull_of_second
from crystalgfn.structures.export.formats import Written
from crystalgfn.structures.placing.placements import Placement
from crystalgfn.structures.placing.prototype_files import load_library
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.registry import load_potential

if TYPE_CHECKING:
    import pandas as pd

GIVEN = "given"
"""How a manifest names prototypes that the caller had loaded."""


@dataclass(frozen=True, repr=False)
class Placed:
    """Crystals with the initial placements of their atoms, best first.

    Attributes:
        crystals: each crystal with its placements, or the reason why there is none.
        settings: settings with which the atoms were placed.
        library: name of the prototypes by which the atoms were placed; empty for none.
    """

    crystals: tuple[PlacedRequest, ...]
    settings: SearchSettings
    library: str = ""

    def __len__(self) -> int:
        return len(self.crystals)

    def __getitem__(self, index: int) -> list[Placement]:
        return list(self.crystals[index].placements)

    def __repr__(self) -> str:
        placements, none = (
            sum(len(one.placements) for one in self.crystals),
            sum(not x.placements for x in self.crystals),
        )
        without = f", {none:,} of them without any" if none else ""
        return f"Placed: {placements:,} placements of {len(self):,} crystals{without}; relax() makes structures of them"

    def relax(
        self,
        potential: str | Potential | None = "chgnet",
        *,
        references: str | Path | None = None,
        hull: str | Path | Hull | None = "builtin",
        second_opinion: str | Potential | None = None,
        second_references: str | Path | None = None,
        second_below: float | None = None,
        compare: str | Path | Reference | None = None,
        tried: int = 8,
        relaxed: int = 2,
        steps: int | None = None,
        free_steps: int | None = None,
        time_limit_s: float = 300.0,
        workers: int = 1,
    ) -> Structures:
        """Relax the best placements of each crystal and measure how stable it is.

        Args:
            potential: one of :data:`~crystalgfn.structures.relaxing.potentials.registry.POTENTIALS`,
                ``"module:factory"`` of an ASE calculator, a loaded potential, or None to take the best placement
                without relaxation.
            references: file of elemental references, for a potential given by name.
            hull: ``"builtin"``, ``"mp"``, a table of phases, a loaded hull, or None.
            second_opinion: another potential that judges the relaxed structures.
            second_references: file of elemental references of the second potential.
            second_below: highest energy above hull (eV/atom) of structures that it judges; None for all.
            compare: known structures, for novelty: a table with material_id, numbers, cell and fractional.
            tried: placements of each crystal to relax for a few steps.
            relaxed: placements of each crystal to relax to the end, those of lowest energy so far.
            steps: most steps with the symmetry kept, and again without; by default 100 and 500.
            free_steps: most steps without symmetry where they are not to be ``steps``; 0 for none.
            time_limit_s: wall seconds for each relaxation.
            workers: processes; several need everything by name. Their number changes nothing but the time.

        Raises:
            PropertyError: a potential cannot be loaded.
            DataError: hull or known structures cannot be read, the hull is one of another potential, or several workers
                would have to share a loaded object.
        """
        engine = LocalEngine(workers)
        reference = Reference(compare) if isinstance(compare, str | Path) else compare
        settings = replace(
            self.settings,
            tried=tried,
            relaxed=relaxed,
            time_limit_s=time_limit_s,
            **phase_steps(steps, free_steps),
        )
        if potential is None:
            hull = second_opinion = None
        loaded = [x for x in (potential, hull, second_opinion) if not (x is None or isinstance(x, str | Path))]
        if workers > 1 and (loaded or self.library == GIVEN):
            raise DataError(f"workers: found {workers} for what is loaded already, allowed: 1, or everything by name")
        tools = Tools(
            potential=_name(potential),
            references=None if references is None else str(references),
            hull=_name(hull),
            library=self.library,
            second=_name(second_opinion),
            second_references=None if second_references is None else str(second_references),
            second_below=second_below,
        )
        check_second(tools.potential, tools.second)
        hull = load_hull(hull) if isinstance(hull, str | Path) else hull
        hull = None if hull is None else hull.for_potential(tools.potential)
        bench = Bench(
            settings,
            load_potential(potential, references=references) if isinstance(potential, str) else potential,
            hull,
            None,  # the atoms are placed already
            load_potential(second_opinion, references=second_references)
            if isinstance(second_opinion, str)
            else second_opinion,
            second_below,
            hull_of_second(hull, tools.potential, tools.second),
        )
        done = candidates(self.crystals, tools, settings, total=len(self), engine=engine, bench=bench)
        asked = (placed.request for placed in self.crystals)
        known = reference.path if reference is not None else None
        settings_used = manifest(asked, len(self), tools, settings, compare=known)
        return Structures(tuple(sorted(done, key=lambda candidate: candidate.row.row)), settings_used, reference)


@dataclass(frozen=True, repr=False)
class Structures:
    """The candidates of crystals, one for each; in a notebook ten rows, and the best ones in 3D.

    Attributes:
        candidates: candidates in the order of the crystals.
        manifest: crystals, tools and settings of the run, as JSON values.
        reference: known structures that the candidates are compared with, or None.
    """

    candidates: tuple[Candidate, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reference: Reference | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.candidates)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> Structures: ...

    @overload
    def __getitem__(self, index: str) -> np.ndarray: ...

    def __getitem__(self, index: int | slice | str) -> Candidate | Structures | np.ndarray:
        """Return a candidate, some of the candidates, or a column (B,) of their table by name.

        The name of a quantity without its potential is enough: ``structures["e_above_hull"]`` returns the energies
        above hull (eV/atom) by the relaxing potential, NaN where there is none.

        Raises:
            DataError: no such column.
        """
        if isinstance(index, str):
            return column(self.table, index)
        if isinstance(index, slice):
            return replace(self, candidates=self.candidates[index])
        return self.candidates[index]

    def _ipython_key_completions_(self) -> list[str]:
        return names(self.table)

    def __repr__(self) -> str:
        return text(self._seen)

    def _repr_html_(self) -> str:
        structures = {c.row.row: c.structure for c in self.candidates if c.structure is not None}
        return page(self._seen, structures, {c.row.row: c.symprec for c in self.candidates})

    @property
    def _seen(self) -> CandidateTable:
        """The table, without duplicates and novelty unless they have been looked for: a look costs no time."""
        known: CandidateTable | None = self.__dict__.get("table")
        return known or CandidateTable(tuple(candidate.row for candidate in self.candidates))

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)

    @cached_property
    def table(self) -> CandidateTable:
        """The table of the candidates, with duplicates and novelty; failed candidates have their reasons."""
        structures = {c.row.row: c.structure for c in self.candidates if c.structure is not None}
        formulas = {row: structure.composition.reduced_formula for row, structure in structures.items()}
        matches = match_structures(formulas, structures.__getitem__, self.reference)
        rows = (candidate.row for candidate in self.candidates)
        return CandidateTable(tuple(matches[row.row].fill(row) if row.row in matches else row for row in rows))

    def best(self, n: int | None = None) -> Structures:
        """Return the relaxed candidates, best first, one of each group of duplicates; doubtful ones come last.

        They are ranked by the reward that was asked for where the crystals have a column ``log_reward`` or ``reward``,
        else by energy above hull, else by formation energy.

        Args:
            n: most candidates to return; None for all.
        """
        by_row = {candidate.row.row: candidate for candidate in self.candidates}
        return replace(self, candidates=tuple(by_row[row.row] for row in self.table.ranked()[:n]))

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table as a pandas frame with a column for each quantity that was measured."""
        import pandas as pd

        return pd.DataFrame([row.cells() for row in self.table.rows])

    def write(self, folder: str | Path) -> Path:
        """Write the folder that ``crystalgfn structures`` writes; see :mod:`crystalgfn.structures.candidates.folder`.

        Args:
            folder: a new or empty folder.

        Returns:
            the folder.

        Raises:
            DataError: the folder holds other files, another process works in it, or it cannot be written.
        """
        with RunFolder.in_use(folder, lambda: (self.manifest, ()), resume=False) as target:
            for candidate in self.candidates:
                target.write(candidate)
            target.finish(self.reference)
        return target.path

    def export(self, to: str, path: str | Path, **options: Any) -> Written:
        """Write the best candidates for other programs; see :mod:`crystalgfn.structures.candidates.exporting`."""
        return export(self.table, {c.row.row: c for c in self.candidates}.__getitem__, to, path, **options)

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the page of ``crystalgfn report`` and return its path; see :func:`crystalgfn.write_report`."""
        from crystalgfn import write_report

        return write_report(self, path)


def place(
    crystals: Crystals,
    *,
    seed: int = 0,
    placements: int = 30,
    library: str | Path | PrototypeLibrary | None = "builtin",
) -> Placed:
    """Place the atoms of each crystal on Wyckoff positions of its space group, several times over.

    Args:
        crystals: B crystals.
        seed: the same seed gives the same coordinates.
        placements: initial placements of each crystal.
        library: prototypes by which atoms are placed: ``"builtin"``, a file, or None for random coordinates alone.

    Returns:
        the placements; their method ``relax`` returns structures with their stability.
    """
    settings = SearchSettings(placements=placements, seed=seed)
    prototypes = load_library(library) if isinstance(library, str | Path) else library
    tasks = tuple(requests(crystals))
    placed = (place_request(task, settings, prototypes) for task in track(tasks, len(tasks), "placing", "crystals"))
    name = "" if library is None else str(library) if isinstance(library, str | Path) else GIVEN
    return Placed(tuple(placed), settings, name)


def _name(source: Any) -> str:
    """The name of a potential or hull, loaded or not; empty for none."""
    if source is None:
        return ""
    return str(source) if isinstance(source, str | Path) else str(source.name)
