"""Tables of phases: what is written is read back, and elements keep their ground states."""

import pytest

from crystalgfn.stability.hull import Hull
from crystalgfn.stability.phases import ground_states, read_phases, write_phases

ROWS = [
    {"elements": '{"Si": 1}', "formation_energy_per_atom": 0.15, "spacegroup": 194, "source": "element"},
    {"elements": '{"Si": 1}', "formation_energy_per_atom": 0.1, "spacegroup": 227, "source": "element"},
    {"elements": '{"O": 1}', "formation_energy_per_atom": -0.02, "spacegroup": 12, "source": "element"},
    {"elements": '{"Si": 1, "O": 2}', "formation_energy_per_atom": -3.2, "protostructure": "AB2_cF24_227_a_b:Si-O"},
]


def test_a_table_is_read_as_it_was_written(tmp_path):
    write_phases(tmp_path / "phases.parquet", ROWS)
    phases = read_phases(tmp_path / "phases.parquet")
    assert phases == [({"Si": 1.0}, 0.15), ({"Si": 1.0}, 0.1), ({"O": 1.0}, -0.02), ({"Si": 1.0, "O": 2.0}, -3.2)]
    assert ground_states(phases) == {"Si": 0.1, "O": -0.02}


def test_a_hull_ends_at_the_ground_states_that_it_is_given():
    phases = [({"Si": 1}, 0.15), ({"Si": 1}, 0.1), ({"Mg": 2, "Si": 1}, -0.1)]
    given = Hull(phases, elements=ground_states(phases))
    assert given.energy_above_hull({"Si": 8}, 0.15).value == pytest.approx(0.05)
    assert given.energy_above_hull({"Mg": 1}, 0.0).value == 0
    assert given.energy_above_hull({"Mg": 1, "Si": 1}, 0.0).hull == pytest.approx(-0.1 * 3 / 4 + 0.1 / 4)
    # elements of a reference stay at 0, by which its formation energies are defined
    assert Hull(phases).energy_above_hull({"Si": 8}, 0.15).value == 0.15
