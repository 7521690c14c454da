"""Sites as tensors and as text, and which texts are refused."""

from __future__ import annotations

import json

import pytest
import torch

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import Sites, check_counts, parse_sites
from crystalgfn.errors import DataError

GROUP = torch.tensor([225, 227])
SITES = Sites(
    torch.tensor([[0, 1, 0], [0, 1, 2]]),
    torch.tensor([[0, 1, -1], [4, 3, 0]]),
    torch.tensor([[12, 8, 0], [8, 13, 12]]),
)
CRYSTALS = Crystals(
    (8, 12, 13),
    GROUP,
    torch.tensor([[4, 4, 0], [32, 8, 16]]),
    torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0], [8.1, 8.1, 8.1, 90.0, 90.0, 90.0]]),
    {"wyckoff": SITES.texts(GROUP)},
    SITES,
)

SPINEL = Assignment(227, ((8, "e"), (12, "a"), (13, "d")))
BRUCITE = Assignment(164, ((1, "d"), (8, "d"), (12, "a"), (12, "b")))


def test_assignments_become_tensors_with_a_slot_for_each_element():
    sites = Sites.from_assignments([SPINEL, BRUCITE])
    assert sites.slots.tolist() == [[0, 1, 2, 0], [0, 1, 2, 2]]
    assert sites.letters.tolist() == [[4, 0, 3, -1], [3, 3, 0, 1]]
    assert sites.elements.tolist() == [[8, 12, 13, 0], [1, 8, 12, 12]]
    assert len(Sites.from_assignments([])) == 0


def test_labels_are_those_of_the_field():
    assert list(SITES.labels(GROUP)) == ["AB_cF8_225_a_b:Mg-O", "A2BC4_cF56_227_c_b_e:Al-Mg-O"]


def test_what_is_written_is_read_back():
    both = [SPINEL, BRUCITE]
    texts = Sites.from_assignments(both).texts(torch.tensor([227, 164]))
    assert json.loads(texts[0]) == [["O", "e", 32], ["Mg", "a", 8], ["Al", "d", 16]]
    assert [parse_sites(text, a.space_group) for text, a in zip(texts, both, strict=True)] == both


def test_batches_are_joined_and_chosen_from():
    joined = Sites.concatenate([Sites.from_assignments([SPINEL]), Sites.from_assignments([BRUCITE])])
    expected = Sites.from_assignments([SPINEL, BRUCITE])
    for part, whole in ((joined, expected), (joined[torch.tensor([1])], expected[torch.tensor([1])])):
        assert torch.equal(part.slots, whole.slots)
        assert torch.equal(part.letters, whole.letters)
        assert torch.equal(part.elements, whole.elements)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MgO", "sites: found 'MgO', allowed: a JSON list such as"),
        (None, "sites: found 'None', allowed: a JSON list such as"),
        ("[]", "sites: found an empty list, allowed: a JSON list such as"),
        ('[["Mg", "z", 4]]', "space group 225 has no Wyckoff position 'z'"),
        ('[["Mx", "a", 4]]', "unknown element 'Mx'"),
        ('[["Mg", "a", 8]]', "sites: Mg on 8a, but the multiplicity of a in space group 225 is 4"),
        ('[["Mg", "a", 4], ["O", "a", 4]]', "positions a have no free coordinates and are taken twice"),
    ],
)
def test_texts_that_cannot_be_are_refused(text, message):
    with pytest.raises(DataError) as found:
        parse_sites(text, 225)
    assert str(found.value).startswith(message)


def test_sites_have_the_atoms_of_the_composition():
    check_counts(SPINEL, {8: 32, 12: 8, 13: 16})
    with pytest.raises(DataError, match="sites hold 16 atoms of Al in the conventional cell, the composition has 8"):
        check_counts(SPINEL, {8: 32, 12: 8, 13: 8})
    with pytest.raises(DataError, match="sites hold 0 atoms of Fe"):
        check_counts(SPINEL, {8: 32, 12: 8, 13: 16, 26: 1})


def test_sites_go_with_their_crystals():
    second = CRYSTALS[1]
    assert second.sites.letters.tolist() == [[4, 3, 0]]
    joined = Crystals.concatenate([second, CRYSTALS[[0]]])
    assert joined.sites.elements.tolist() == [[8, 13, 12], [12, 8, 0]]
    assert joined.with_columns(x=torch.zeros(2)).sites is joined.sites
    assert joined.with_elements((13, 12, 8)).sites is joined.sites
    bare = Crystals(CRYSTALS.elements, CRYSTALS.space_group, CRYSTALS.counts, CRYSTALS.lattice, CRYSTALS.columns)
    assert Crystals.concatenate([CRYSTALS, bare]).sites is None
