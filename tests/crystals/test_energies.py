"""Which column is an energy: exact names and units, what was given before what was predicted, rows that hold text."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import Energy, energies, find_energy, is_prediction, kind_of, other_units
from crystalgfn.errors import DataError


def crystals(**columns) -> Crystals:
    """Two rock salts with columns; names are given as ``{"name": values}``."""
    cells = torch.tensor([[5.64, 5.64, 5.64, 90, 90, 90], [4.2, 4.2, 4.2, 90, 90, 90]], dtype=torch.float64)
    counts = torch.tensor([[4, 4, 0, 0], [0, 0, 4, 4]])
    return Crystals((11, 17, 12, 8), torch.tensor([225, 225]), counts, cells, columns)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("formation_energy_per_atom", Energy.FORMATION),
        ("formation_energy [eV/atom]", Energy.FORMATION),
        ("formation_energy_chgnet [eV/atom]", Energy.FORMATION),
        ("formation_energy_predicted [eV/atom]", Energy.FORMATION),
        ("e_form", Energy.FORMATION),
        ("e_above_hull", Energy.ABOVE_HULL),
        ("energy_above_hull [eV/atom]", Energy.ABOVE_HULL),
        ("e_above_hull_sevennet [eV/atom]", Energy.ABOVE_HULL),
        ("formation_energy_std [eV/atom]", None),
        ("formation_energy_error [eV/atom]", None),
        ("formation_energy_deviation [eV/atom]", None),
        ("formation_energy_predicted_deviation [eV/atom]", None),
        ("formation_energy_uncertainty", None),
        ("formation_energy_per_cell [eV/atom]", None),
        ("formation_energy_pbe", None),
        ("energy_per_atom", None),
        ("total_energy [eV/atom]", None),
        ("band_gap [eV]", None),
    ],
)
def test_a_column_is_an_energy_by_its_exact_name(name, kind):
    assert kind_of(name) is kind


def test_spreads_and_other_units_are_passed_over():
    table = crystals(**{"formation_energy_std [eV/atom]": [0.1, 0.1], "formation_energy [eV/atom]": [-2.1, -3.0]})
    assert find_energy(table) == "formation_energy [eV/atom]"
    joules = crystals(**{"formation_energy [kJ/mol]": [-203.0, -289.0]})
    assert find_energy(joules) is None
    assert other_units(joules, Energy.FORMATION) == ["formation_energy [kJ/mol]"]
    assert find_energy(crystals(**{"total_energy [eV/atom]": [-3.0, -6.0]})) is None


def test_what_was_given_goes_before_what_was_predicted():
    given = crystals(formation_energy_per_atom=[-2.1, -3.0])
    both = given.with_predictions("property model x", **{"formation_energy [eV/atom]": [0.0, 0.0]})
    assert find_energy(both) == "formation_energy_per_atom"
    assert is_prediction(both, "formation_energy [eV/atom]")
    assert not is_prediction(both, "formation_energy_per_atom")
    assert is_prediction(crystals(**{"formation_energy_predicted [eV/atom]": [0.0, 0.0]}), "formation_energy_predicted")
    samples = crystals(log_reward=[0.0, 1.0], **{"formation_energy [eV/atom]": [-1.0, -2.0]})
    assert is_prediction(samples, "formation_energy [eV/atom]")
    assert find_energy(crystals(e_above_hull=[0.0, 0.1]), Energy.FORMATION, Energy.ABOVE_HULL) == "e_above_hull"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_predictions_are_known_as_such_in_every_file(suffix, tmp_path):
    table = crystals(band_gap=[8.5, 7.8]).with_predictions("property model b", **{"e_form_predicted [eV/atom]": [0, 1]})
    table.to_file(tmp_path / f"x{suffix}")
    read = Crystals.from_file(tmp_path / f"x{suffix}")
    assert is_prediction(read, "e_form_predicted [eV/atom]")
    assert not is_prediction(read, "band_gap")


def test_origins_follow_the_rows_and_the_columns(tmp_path):
    table = crystals().with_predictions("property model b", **{"band_gap [eV]": [5.0, 4.4]})
    for same in (table[[1]], table[:0], Crystals.concatenate([table, table]), table.with_elements((8, 11, 12, 17))):
        assert same.origins == {"band_gap [eV]": "property model b"}
    assert table.with_columns(**{"band_gap [eV]": [8.5, 7.8]}).origins == {}  # replaced by numbers that are given
    table.to_parquet(tmp_path / "x.parquet")
    assert Crystals.from_file(tmp_path / "x.parquet").origins == table.origins
    assert Crystals.from_dataframe(table.to_dataframe()).origins == table.origins


def test_a_column_of_exactly_the_name_goes_first_and_two_units_are_an_error():
    table = crystals(**{"band_gap [eV]": [5.0, 4.4], "band_gap": [8.5, 7.8]})
    assert table.column("band_gap").tolist() == [8.5, 7.8]
    assert table.column("band_gap [eV]").tolist() == [5.0, 4.4]
    assert crystals(**{"band_gap [eV]": [5.0, 4.4]}).column("band_gap").tolist() == [5.0, 4.4]
    units = crystals(**{"band_gap [eV]": [5.0, 4.4], "band_gap [meV]": [5000.0, 4400.0]})
    with pytest.raises(DataError, match=r"'band_gap': found band_gap \[eV\], band_gap \[meV\], allowed: one unit"):
        units.column("band_gap")


def test_infinities_are_missing_and_text_is_named_by_its_row():
    table = crystals(e_form=[-np.inf, -3.0])
    assert np.isnan(energies(table, "e_form")).tolist() == [True, False]
    assert energies(crystals(e_form=["-2.1", " NA "]), "e_form")[0] == -2.1
    for text in ("5;6", "0x1F", "2024-01-01", "1_0", "-3.1 eV"):
        with pytest.raises(DataError, match=f"row 2, column 'e_form': found '{text}', allowed: numbers, or empty"):
            energies(crystals(e_form=["-2.1", text]), "e_form")
    with pytest.raises(DataError, match="row 1, column 'e_form': found"):
        energies(crystals(e_form=[True, False]), "e_form")
    assert len(energies(crystals(e_form=[0.0, 0.0])[:0], "e_form")) == 0
