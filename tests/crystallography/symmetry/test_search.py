"""The search for symmetry: one error for whatever cannot be searched, and no cell in which it never ends."""

import subprocess
import sys

import moyopy
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.symmetry import search
from crystalgfn.crystallography.symmetry.search import find_group, find_symmetry, group_symbol, reduced_cell
from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.errors import DataError

CUBE = np.eye(3) * 4.0
NAN = float("nan")
FLAT = Lattice.from_parameters(4, 4, 4, 120, 120, 120).matrix
"""Three vectors of a plane, but for rounding: moyopy does not return."""

THIN = Lattice.from_parameters(4, 4, 4, 119.9, 119.9, 119.9).matrix
"""A cell with a lattice vector of 0.38 A: within 0.05 A moyopy does not return."""

IMPOSSIBLE = {
    "no atoms": (CUBE, np.zeros((0, 3)), [], "no atoms"),
    "plane": ([[4, 0, 0], [0, 4, 0], [4, 4, 0]], [[0, 0, 0]], [26], "flat cell.*no volume"),
    "point": (np.zeros((3, 3)), [[0, 0, 0]], [26], "flat cell.*no volume"),
    "nearly flat": (FLAT, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], r"flat cell.*allowed: 0.75 A"),
    "thin": (THIN, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], r"shortest lattice vector is 0.38 A, allowed: 0.75 A"),
    "NaN cell": (CUBE * NAN, [[0, 0, 0]], [26], "not finite"),
    "NaN position": (CUBE, [[NAN, 0, 0]], [26], "not finite"),
    "infinite": (CUBE, [[np.inf, 0, 0]], [26], "not finite"),
    "numbers": (CUBE, [[0, 0, 0]], [26, 27], r"positions of shape \(1, 3\).*\(2, 3\)"),
    "same place": (CUBE, [[0, 0, 0], [0, 0, 0]], [26, 27], "moyopy: Primitive symmetry search failed"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_searched_is_one_error(case):
    cell, fractional, numbers, message = IMPOSSIBLE[case]
    with pytest.raises(DataError, match=message):
        find_symmetry(cell, fractional, numbers, symprec=0.05)


def test_moyopy_itself_never_returns_from_a_nearly_flat_cell():
    # the reason for the check: where this fails, a newer moyopy may do without it
    code = (
        "import moyopy; from pymatgen.core import Lattice; m = Lattice.from_parameters(4, 4, 4, 120, 120, 120).matrix;"
        "c = moyopy.Cell(m.tolist(), [[0, 0, 0], [.5, .5, .5]], [11, 17]); moyopy.MoyoDataset(c, symprec=0.05)"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=10, check=False)


def test_a_panic_becomes_an_error_and_an_interruption_stays_one(monkeypatch):
    class PanicException(BaseException):
        """Of the name and the kind of pyo3's."""

    for raised, expected in (
        (PanicException("called `Option::unwrap()`"), DataError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(1), SystemExit),
        (MemoryError(), MemoryError),
    ):

        def failing(*_, error=raised, **__):
            raise error

        monkeypatch.setattr(moyopy, "MoyoDataset", failing)
        with pytest.raises(expected):
            find_symmetry(CUBE, [[0, 0, 0]], [26], symprec=0.01)


def test_the_panic_of_an_empty_cell_is_known_by_its_name():
    with pytest.raises(BaseException, match="unwrap") as caught:
        moyopy.MoyoDataset(moyopy.Cell(CUBE.tolist(), [], []), symprec=0.01)
    assert not isinstance(caught.value, Exception)
    assert isinstance(search._refusal(caught.value), DataError)


def test_the_group_is_the_number_or_0():
    iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert find_group(iron, 0.01) == 229
    assert find_group(Structure(FLAT, ["Fe"], [[0, 0, 0]]), 0.01) == 0
    assert find_group(Structure(Lattice.cubic(3), [], []), 0.01) == 0
    assert group_symbol(225) == "F m -3 m"


def test_symmetrise_says_why_there_is_no_symmetry():
    with pytest.raises(DataError, match="no atoms"):
        symmetrise(Structure(Lattice.cubic(3), [], []))
    with pytest.raises(DataError, match="not finite"):
        symmetrise(Structure(Lattice.cubic(3), ["Fe"], [[NAN, 0, 0]]))
    with pytest.raises(DataError, match="flat cell"):
        symmetrise(Structure(Lattice([[4, 0, 0], [0, 4, 0], [4, 4, 0]]), ["Fe"], [[0, 0, 0]]))


def test_reduced_cells_keep_the_lattice():
    skew = np.array([[4.0, 0, 0], [40.0, 5.0, 0], [-12.0, 25.0, 6.0]])
    reduced = reduced_cell(skew)
    change = reduced @ np.linalg.inv(skew)
    assert np.allclose(change, np.rint(change))
    assert abs(np.linalg.det(change)) == pytest.approx(1)
    assert sorted(np.linalg.norm(reduced, axis=1)) == pytest.approx([4, 5, 6])
