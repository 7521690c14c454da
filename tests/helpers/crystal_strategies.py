"""Hypothesis strategies of valid crystals, shared by the tests of crystals, tables and importers."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from crystalgfn.crystallography import space_groups
from crystalgfn.crystals.crystal import Crystals

LENGTH = st.floats(0.5, 200, allow_nan=False)
# text that CSV can hold; what a spreadsheet, a number parser or an apostrophe makes of it is the tables' business
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
TRICKY = st.sampled_from(
    [
        "=cmd()",
        "+1",
        "-1",
        "@x",
        "'=x",
        "''",
        "'",
        "",
        " ",
        "1",
        "007",
        "1e5",
        "nan",
        "NA",
        "null",
        "true",
        "a,b",
        'q"q',
    ]
)


def lattice_of(group: int, lengths: tuple[float, ...], angles: tuple[float, ...]) -> list[float]:
    """Return a conventional cell (6,) of a space group from three lengths (A) and three angles (degree) near 90."""
    system = space_groups.CRYSTAL_LATTICE_SYSTEM[group]
    a, b, c = lengths
    if system == 1:
        return [a, b, c, *angles]
    if system == 2:
        return [a, b, c, 90.0, angles[1], 90.0]
    b = b if system == 3 else a
    c = c if system != 8 else a
    return [a, b, c, 90.0, 90.0, 120.0 if 5 <= system <= 7 else 90.0]


@st.composite
def crystals(draw: st.DrawFn, min_size: int = 0, max_size: int = 6, columns: bool = True) -> Crystals:
    """Valid crystals: conventional cells, counts that the centering allows, and columns of every kind."""
    elements = draw(st.lists(st.integers(1, 118), min_size=1, max_size=5, unique=True))
    size = draw(st.integers(min_size, max_size))
    groups = draw(st.lists(st.integers(1, 230), min_size=size, max_size=size))
    counts, lattice = [], []
    for group in groups:
        row = draw(st.lists(st.integers(0, 9), min_size=len(elements), max_size=len(elements)).filter(any))
        counts.append([n * int(space_groups.CENTERING_MULTIPLICITY[group]) for n in row])
        lengths, angles = draw(st.tuples(LENGTH, LENGTH, LENGTH)), draw(st.tuples(*[st.floats(75, 105)] * 3))
        lattice.append(lattice_of(group, lengths, angles))
    kinds = {
        "band_gap [eV]": st.floats(width=32),
        "log_pf": st.floats(),
        "log_reward": st.floats(),
        "rank": st.integers(-(2**63), 2**63 - 1),
        "kept": st.booleans(),
        "note": st.one_of(TEXT, TRICKY),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(kinds)))) if columns else ()
    return Crystals(
        elements=tuple(elements),
        space_group=torch.tensor(groups, dtype=torch.int64),
        counts=torch.tensor(counts, dtype=torch.int64).reshape(size, len(elements)),
        lattice=torch.tensor(lattice, dtype=torch.float64).reshape(size, 6),
        columns={name: _column(draw(st.lists(kinds[name], min_size=size, max_size=size)), name) for name in chosen},
    )


def _column(values: list, name: str) -> np.ndarray:
    kind = {"rank": np.int64, "kept": bool, "note": object, "band_gap [eV]": np.float32}.get(name, np.float64)
    return np.array(values, dtype=kind)
