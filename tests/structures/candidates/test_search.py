"""The search for a structure: whatever placing does, a crystal gives placements or a reason."""

import numpy as np
import pytest

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates import search
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxed

SALT = Request(row=0, formula="MgO", space_group=225, counts={12: 4, 8: 4}, lattice=(4.2, 4.2, 4.2, 90.0, 90.0, 90.0))
SETTINGS = SearchSettings(placements=3)


def test_a_crystal_is_placed_in_its_group_and_else_without_symmetry(monkeypatch):
    placed = search.place_request(SALT, SETTINGS)
    assert placed.reason == ""
    assert {placement.space_group for placement in placed.placements} == {225}
    real = search.place
    monkeypatch.setattr(search, "place", lambda group, *rest, **more: real(group, *rest, **more) if group == 1 else [])
    placed = search.place_request(SALT, SETTINGS)
    assert placed.reason == ""
    assert {placement.source for placement in placed.placements} == {search.WITHOUT_SYMMETRY}
    assert len(placed.placements[0].structure) == 2


@pytest.mark.parametrize("error", [DataError("no cell"), RuntimeError("panic")])
def test_an_error_of_placing_is_a_reason_in_either_way(monkeypatch, error):
    def fails(*given, **more):
        raise error

    monkeypatch.setattr(search, "place", fails)
    placed = search.place_request(SALT, SETTINGS)
    assert placed.placements == ()
    assert str(error) in placed.reason
    assert search.place_without_symmetry(SALT, SETTINGS) == []


class Batches:
    """A potential that fails for the placements it thinks best, and notes how many it is asked to relax at once."""

    name = "batches"

    def __init__(self, failures):
        self.failures, self.sizes = failures, []

    def energies(self, structures):
        return np.array([structure.volume for structure in structures])

    def prerelax(self, structures, *, steps):
        return [Prerelaxed(structure, 1.0, 0.0, float(i)) for i, structure in enumerate(structures)]

    def relax(self, structures, *, seed, schedule, prerelaxed):
        self.sizes.append(len(structures))
        assert [start.structure for start in prerelaxed] == list(structures)
        failing = [start.energy < self.failures for start in prerelaxed]
        return [
            Relaxed(s, failure="no") if fails else Relaxed(s, energy=start.energy, chosen="symmetric")
            for s, start, fails in zip(structures, prerelaxed, failing, strict=True)
        ]


@pytest.mark.parametrize(
    ("failures", "sizes", "energy"), [(0, [2], 0.0), (1, [2, 1], 1.0), (3, [2, 2], 3.0), (4, [2, 2], None)]
)
def test_placements_are_relaxed_together_and_spare_ones_only_where_some_fail(monkeypatch, failures, sizes, energy):
    monkeypatch.setattr(search, "screen", lambda placements, potential, keep: list(placements)[:keep])
    placements = 6 * [search.place_request(SALT, SETTINGS).placements[0]]
    potential = Batches(failures)
    best, reasons = search.best_of(SALT, SETTINGS, potential, placements)
    assert potential.sizes == sizes
    assert (None if best is None else best[1].energy) == energy
    assert reasons == (["no"] if failures else [])


def test_a_potential_without_an_energy_is_a_reason():
    class Silent(Batches):
        def energies(self, structures):
            return np.full(len(structures), np.nan)

    placements = search.place_request(SALT, SETTINGS).placements
    assert search.best_of(SALT, SETTINGS, Silent(0), placements) == (
        None,
        ["the potential gives no energy of any placement"],
    )
