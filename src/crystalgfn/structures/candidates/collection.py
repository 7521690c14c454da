"""Crystals with atoms, in Python: ``place(model.sample(100), seed=0).relax("chgnet")[0].structure``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.progress import track
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.candidate import Candidate, realise
from crystalgfn.structures.candidates.requests import Recipe, Request, requests
from crystalgfn.structures.candidates.search import place_request
from crystalgfn.structures.candidates.table import ranked
from crystalgfn.structures.placing.placements import Placement
from crystalgfn.structures.placing.prototype_files import load_library
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.relaxing.potentials import Potential, load_potential

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Placed:
    """Ways to place the atoms of crystals, best first.

    Attributes:
        requests: the crystals.
        placements: of each, with the reason where there is none.
        recipe: how they were placed.
    """

    requests: tuple[Request, ...]
    placements: tuple[tuple[list[Placement], str], ...]
    recipe: Recipe

    def __len__(self) -> int:
        return len(self.requests)

    def __getitem__(self, index: int) -> list[Placement]:
        return self.placements[index][0]

    def relax(
        self,
        potential: str | Potential = "chgnet",
        *,
        hull: str | Path | Hull | None = "builtin",
        relaxed: int = 2,
        steps: int = 100,
        free_steps: int = 100,
    ) -> Structures:
        """Relax the best placements of each crystal and say how stable it is.

        Args:
            potential: ``"chgnet"``, ``"module:factory"`` of an ASE calculator, or a loaded one.
            hull: ``"builtin"``, ``"mp"``, a table of phases, a loaded one, or None.
            relaxed: placements to relax of each crystal, those of lowest energy.
            steps, free_steps: most steps with the symmetry kept, and without.

        Raises:
            PropertyError: the potential cannot be loaded.
            DataError: the hull cannot be read.
        """
        recipe = replace(self.recipe, relaxed=relaxed, steps=steps, free_steps=free_steps)
        model = load_potential(potential) if isinstance(potential, str) else potential
        phases = load_hull(hull) if isinstance(hull, str | Path) else hull
        work = zip(self.requests, self.placements, strict=True)
        return Structures(
            tuple(
                realise(request, recipe, model, phases, placed=placed)
                for request, placed in track(work, len(self), "relaxing", "crystals")
            )
        )


@dataclass(frozen=True)
class Structures:
    """Candidates, one for each crystal that went in.

    Attributes:
        candidates: in the order of the crystals.
    """

    candidates: tuple[Candidate, ...]

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, index: int) -> Candidate:
        return self.candidates[index]

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)

    def best(self) -> list[Candidate]:
        """Those with an energy above hull, lowest first; doubtful ones (flags) at the end."""
        rows = ranked(candidate.row for candidate in self.candidates)
        by_row = {candidate.row["row"]: candidate for candidate in self.candidates}
        return [by_row[row["row"]] for row in rows]

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table of :mod:`crystalgfn.structures.candidates.table`, failed ones with their reasons."""
        import pandas as pd

        return pd.DataFrame([candidate.row for candidate in self.candidates])


def place(
    crystals: Crystals, *, seed: int = 0, starts: int = 30, library: str | Path | PrototypeLibrary | None = "builtin"
) -> Placed:
    """Place the atoms of each crystal on Wyckoff positions of its space group, in several ways.

    Args:
        crystals: B of them.
        seed: same seed, same coordinates.
        starts: ways to place the atoms of each.
        library: prototypes to place them by: ``"builtin"``, a file, or None for random coordinates alone.

    Returns:
        placements, whose method ``relax`` gives structures with their stability.
    """
    recipe = Recipe(starts=starts, seed=seed)
    known = load_library(library) if isinstance(library, str | Path) else library
    asked = tuple(requests(crystals))
    found = tuple(place_request(r, recipe, known) for r in track(asked, len(asked), "placing", "crystals"))
    return Placed(asked, found, recipe)
