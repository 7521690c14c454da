"""Structure types: read from labels and files, and no crystal of a type is lost with its other writings."""

import pytest
import torch
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.errors import DataError
from crystalgfn.spaces.structure_types import StructureType, structure_type_label
from direct_sites import enumerate_sites
from policy_setup import site_space

SPINEL = "AB2C4_cF56_227_a_d_e"


@pytest.fixture(scope="module")
def spinel():
    sites = [[0] * 3, [0.625] * 3, [0.3874] * 3]  # first origin, as pymatgen has it
    return Structure.from_spacegroup(227, Lattice.cubic(8.08), ["Mg", "Al", "O"], sites)


@pytest.mark.parametrize("cell", ["conventional", "primitive", "moved", "inverse"])
def test_a_file_is_read_in_any_setting(spinel, tmp_path, cell):
    structure = spinel if cell == "conventional" else spinel.get_primitive_structure()
    if cell == "moved":
        structure = structure.copy().translate_sites(range(len(structure)), [0.3, 0.1, 0.7])
    if cell == "inverse":
        structure = structure.copy().replace_species({"Mg": "Al", "Al": "Mg"})
    path = tmp_path / ("POSCAR" if cell == "primitive" else "spinel.cif")
    structure.to(filename=str(path), fmt="poscar" if cell == "primitive" else "cif")
    assert StructureType.parse(structure_type_label(str(path))) == StructureType.parse(SPINEL)


def test_labels_of_one_type_in_other_words_are_equal():
    assert StructureType.parse("A2BC4_cF56_227_d_a_e:Al-Mg-O") == StructureType.parse(SPINEL)
    assert StructureType.parse("AB2C4_cF56_227_b_c_e") == StructureType.parse(SPINEL)  # from the other origin
    assert StructureType.parse("A2BC4_cF56_227_c_a_e") != StructureType.parse(SPINEL)
    assert structure_type_label("A2BC4_cF56_227_d_a_e:Al-Mg-O") == "A2BC4_cF56_227_d_a_e"
    spinel = StructureType.parse(SPINEL)
    assert (spinel.counts, spinel.orbits, spinel.free_coordinates) == ((8, 4, 2), 3, 1)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nowhere.cif", r"no such file, allowed: a file with a structure \(CIF, .* or a protostructure label such as"),
        ("spinel", r"no protostructure label: .*; or the path of a file with a structure \(CIF, "),
        ("AB2C4_cF56_227_a_d_f", "anonymous formula"),
        ("AB_cF8_225_a_z", "no Wyckoff position"),
    ],
)
def test_what_is_no_type_is_refused_in_one_line(written, words):
    with pytest.raises(DataError, match=words) as error:
        structure_type_label(written)
    assert "\n" not in str(error.value)


def test_broken_and_disordered_files_are_refused(tmp_path):
    path = tmp_path / "broken.cif"
    path.write_text("no structure")
    with pytest.raises(DataError, match=r"broken\.cif: no CIF: line 1 has 'no' without a name"):
        structure_type_label(str(path))
    (tmp_path / "POSCAR").write_text("no structure")
    with pytest.raises(DataError, match="no structure that pymatgen can read"):
        structure_type_label(str(tmp_path / "POSCAR"))
    Structure(Lattice.cubic(4), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]]).to(filename=str(path))
    with pytest.raises(DataError, match=r"broken\.cif: disordered: site Fe0 has occupancy 0\.5"):
        structure_type_label(str(path))


def test_atoms_on_top_of_each_other_are_refused(tmp_path):
    path = tmp_path / "POSCAR"
    Structure(Lattice.cubic(4), ["Cu", "Au"], [[0, 0, 0], [0.02, 0, 0]]).to(filename=str(path), fmt="poscar")
    with pytest.raises(DataError, match="POSCAR: atoms on top of each other"):
        structure_type_label(str(path))


def test_a_cif_of_several_crystals_is_no_type(tmp_path, spinel):
    path = tmp_path / "two.cif"
    path.write_text(2 * spinel.to(fmt="cif"))
    with pytest.raises(DataError, match="2 data blocks with a crystal"):
        structure_type_label(str(path))


@pytest.mark.parametrize(
    ("label", "group", "atoms"),
    [
        ("ABC3_cP5_221_a_b_c", 221, 5),
        ("AB_tP2_123_a_d", 123, 2),
        ("A2B_hR9_166_c_a", 166, 3),
        ("AB_cF8_216_a_c", 216, 2),
    ],
)
def test_every_crystal_of_a_type_is_there_in_one_pattern(label, group, atoms):
    """All patterns by brute force, those of the type by their key: the one pattern holds all their crystals."""
    wide = site_space((group,), (3, 8, 9, 26), n_atoms_primitive=(atoms, atoms), charge=None, n_elements=(1, 3))
    found = sorted(enumerate_sites(wide.elements, [group], wide.composition.constraints))
    pattern = StructureType.parse(label)
    own = _keys([(group, pattern.slots, tuple(range(1, len(pattern.slots) + 1)))], pattern_keys)[0]
    of_type = [crystal for crystal, key in zip(found, _keys(found, pattern_keys), strict=True) if key == own]
    fixed = [crystal for crystal in of_type if crystal[1] == pattern.slots]
    assert 0 < len(fixed) < len(of_type)
    assert set(_keys(fixed, site_keys)) == set(_keys(of_type, site_keys))


def _keys(crystals, key):
    """Keys of crystals or of their patterns."""
    orbits = max(sum(map(len, slots)) for _, slots, _ in crystals)
    groups = torch.tensor([group for group, *_ in crystals])
    slots, letters, elements = (torch.zeros(len(crystals), orbits, dtype=torch.int64) for _ in range(3))
    letters.fill_(-1)
    for row, (_, pattern, numbers) in enumerate(crystals):
        flat = [(slot, letter, numbers[slot]) for slot, each in enumerate(pattern) for letter in each]
        for tensor, values in zip((slots, letters, elements), zip(*flat, strict=True), strict=True):
            tensor[row, : len(flat)] = torch.tensor(values)
    kinds = slots if key is pattern_keys else elements
    return (key(groups, kinds, letters)).tolist()
