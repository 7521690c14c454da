"""Sites of crystals as tensors and as the text of tables."""

import json

import pytest
import torch

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


def test_texts_are_those_of_tables():
    texts = SITES.texts(GROUP)
    assert json.loads(texts[0]) == [["Mg", "a", 4], ["O", "b", 4]]
    assert json.loads(texts[1]) == [["O", "e", 32], ["Al", "d", 16], ["Mg", "a", 8]]
    assert list(SITES.labels(GROUP)) == ["AB_cF8_225_a_b:Mg-O", "A2BC4_cF56_227_c_b_e:Al-Mg-O"] or list(
        SITES.labels(GROUP)
    ) == ["AB_cF8_225_a_b:Mg-O", "A2BC4_cF56_227_d_a_e:Al-Mg-O"]
    for text, group, counts in zip(texts, (225, 227), ({12: 4, 8: 4}, {8: 32, 13: 16, 12: 8}), strict=True):
        assignment = parse_sites(text, group)
        assert assignment.counts == counts
        check_counts(assignment, counts)
        with pytest.raises(DataError, match="the composition has"):
            check_counts(assignment, {**counts, 8: 5})


def test_sites_go_with_their_crystals():
    second = CRYSTALS[1]
    assert second.sites.letters.tolist() == [[4, 3, 0]]
    joined = Crystals.concatenate([second, CRYSTALS[[0]]])
    assert joined.sites.elements.tolist() == [[8, 13, 12], [12, 8, 0]]
    assert joined.with_columns(x=torch.zeros(2)).sites is joined.sites
    assert joined.with_elements((13, 12, 8)).sites is joined.sites
    bare = Crystals(CRYSTALS.elements, CRYSTALS.space_group, CRYSTALS.counts, CRYSTALS.lattice, CRYSTALS.columns)
    assert Crystals.concatenate([CRYSTALS, bare]).sites is None


def test_narrower_batches_are_padded():
    narrow = Sites(torch.zeros(1, 1, dtype=torch.int64), torch.tensor([[2]]), torch.tensor([[26]]))
    joined = Sites.concatenate([SITES, narrow])
    assert joined.letters.tolist()[2] == [2, -1, -1]
    assert joined.elements.tolist()[2] == [26, 0, 0]
