"""Samples with what became of them: the energies of the right rows, and tables that do not belong together."""

import math

import numpy as np
import pytest

from candidate_setup import FORMATION
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.relaxed_samples import relaxed_samples
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from property_data import sited

SAMPLES = Crystals.from_dataframe(sited(6))
ABOVE = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "some hull")


def row(number, above=None, formation=-1.0, formula=None, **more):
    energies = {} if above is None else {ABOVE: above, FORMATION: formation}
    status = Status.FAILED if above is None else Status.RELAXED
    formula = formula or SAMPLES.formulas[number]
    return Row(row=number, formula=formula, status=status, hull="some hull", energies=energies, **more)


def test_rows_stand_in_the_order_of_the_candidates():
    table = CandidateTable((row(4, 0.2, -1.5, group_kept=True), row(1), row(0, -0.1, -2.0, group_kept=False)))
    found = relaxed_samples(SAMPLES, table, source="mine")
    assert found.formulas == [SAMPLES.formulas[i] for i in (4, 1, 0)]
    above = found.column("e_above_hull")
    assert above[[0, 2]].tolist() == [0.2, -0.1]
    assert math.isnan(above[1])
    assert found.column("formation_energy_per_atom")[0] == -1.5
    assert found.column("group_kept").tolist() == [1.0, 0.0, 0.0]
    assert list(found.columns["wyckoff"]) == [SAMPLES.columns["wyckoff"][i] for i in (4, 1, 0)]
    assert set(found.columns["source"]) == {"mine; chgnet, hull some hull"}


def test_tables_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError, match=r"row 2 is .*, its candidate Xe: not these samples"):
        relaxed_samples(SAMPLES, CandidateTable((row(2, 0.0, formula="Xe"),)), source="mine")
    with pytest.raises(DataError, match="a candidate of row 5, allowed: 0 to 2"):
        relaxed_samples(SAMPLES[:3], CandidateTable((row(5, 0.0),)), source="mine")
    with pytest.raises(DataError, match="no energies above a hull"):
        relaxed_samples(SAMPLES, CandidateTable((row(2),)), source="mine")
    with pytest.raises(DataError, match="no column 'wyckoff'"):
        relaxed_samples(
            Crystals.from_dataframe(sited(6).drop(columns="wyckoff")), CandidateTable((row(2, 0.0),)), source="mine"
        )


def test_a_table_survives_a_file(tmp_path):
    found = relaxed_samples(SAMPLES, CandidateTable((row(0, 0.05), row(3))), source="mine")
    found.to_parquet(tmp_path / "relaxed.parquet")
    again = Crystals.from_file(tmp_path / "relaxed.parquet")
    assert np.array_equal(again.column("e_above_hull"), found.column("e_above_hull"), equal_nan=True)
