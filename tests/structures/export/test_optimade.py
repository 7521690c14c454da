"""OPTIMADE JSON Lines, validated by the models of optimade-python-tools and read back by pymatgen."""

import json

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.optimade import OptimadeStructureAdapter

from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.structures.export.optimade import VERSION
from export_setup import RANKED, structures

STRUCTURES = structures()


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("optimade") / "candidates.jsonl"
    assert STRUCTURES.export("optimade", path).structures == 4
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_header_description_and_structures(lines):
    assert lines[0] == {"x-optimade": {"meta": {"api_version": VERSION}}}
    assert [(line["type"], line["id"]) for line in lines[1:]] == [
        ("info", "structures"),
        *(("structures", row) for row in ("5", "3", "1", "0")),
    ]
    described = lines[1]["properties"]
    assert {name for line in lines[2:] for name in line["attributes"]} == set(described)
    assert described["_crystalgfn_e_above_hull_chgnet_per_atom"]["unit"] == "eV"
    assert [line["attributes"]["_crystalgfn_formula"] for line in lines[2:]] == RANKED
    assert lines[3]["attributes"]["_crystalgfn_e_above_hull_chgnet_per_atom"] == 0.02


def test_the_models_of_optimade_accept_them(lines):
    models = pytest.importorskip("optimade.models", reason="optimade is not installed")
    models.EntryInfoResource.model_validate(lines[1])
    for line in lines[2:]:
        resource = models.StructureResource.model_validate(line)
        assert resource.attributes.nsites == 2
        assert resource.attributes.nperiodic_dimensions == 3


def test_the_same_crystals(lines):
    for line, row in zip(lines[2:], (5, 3, 1, 0), strict=True):
        again = OptimadeStructureAdapter.get_structure(line)
        assert StructureMatcher(scale=False, primitive_cell=False).fit(again, STRUCTURES[row].structure)
        assert symmetrise(again).space_group == 225
