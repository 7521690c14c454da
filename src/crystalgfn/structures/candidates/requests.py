"""Requests for structures: the crystals of a table, and the settings of the search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from crystalgfn.crystals.crystal import Crystals


@dataclass(frozen=True)
class SearchSettings:
    """Settings of the search for the structure of a crystal.

    Attributes:
        placements: initial placements of its atoms.
        tried: placements that are relaxed for :data:`~.search.TRY_STEPS` steps.
        relaxed: placements that are relaxed to the end; up to :data:`~.search.SPARE` more where some fail.
        steps, free_steps: most steps with the symmetry kept, and without.
        time_limit_s: wall seconds for each relaxation.
        seed: seed of all random numbers; each row of the table has a stream of its own, whatever else the table holds.
    """

    placements: int = 30
    tried: int = 8
    relaxed: int = 2
    steps: int = 100
    free_steps: int = 100
    time_limit_s: float = 300.0
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One row of a crystals table.

    Attributes:
        row: number of the row.
        formula: reduced formula.
        space_group: international number.
        counts: atoms of each atomic number in the conventional cell.
        lattice: a, b, c in A, alpha, beta, gamma in degree.
        inputs: numbers in further columns, such as properties that a proxy predicted.
        failure: why the row cannot be used; empty otherwise.
    """

    row: int
    formula: str = ""
    space_group: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    lattice: tuple[float, ...] = ()
    inputs: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


def requests(crystals: Crystals, *, first: int = 0) -> Iterator[Request]:
    """Yield the rows of a batch of crystals, numbered from ``first`` on."""
    symbols = list(crystals.elements)
    formulas, groups = crystals.formulas, crystals.space_group.tolist()
    counts, lattices = crystals.counts.tolist(), crystals.lattice.tolist()
    numeric = {name: values for name, values in crystals.columns.items() if values.dtype.kind == "f"}
    for i in range(len(crystals)):
        yield Request(
            row=first + i,
            formula=formulas[i],
            space_group=groups[i],
            counts={z: n for z, n in zip(symbols, counts[i], strict=True) if n},
            lattice=tuple(lattices[i]),
            inputs={name: float(values[i]) for name, values in numeric.items()},
        )


def digest(tasks: Iterable[Request]) -> str:
    """Return the SHA-256 of crystals, which is the same for a table in any format and for crystals in memory."""
    sha = hashlib.sha256()
    for request in tasks:
        sha.update(json.dumps(asdict(request), sort_keys=True).encode())
    return sha.hexdigest()
