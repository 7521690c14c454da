"""The prior of assignments: its order, and the beam search against full enumeration."""

from __future__ import annotations

import pytest

from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.sites import prior
from crystalgfn.crystallography.sites.assignments import Assignment, distinct_assignments
from crystalgfn.crystallography.sites.prior import element_class, log_weight, rank_assignments
from crystalgfn.errors import DataError

CASES = [
    (227, {8: 32, 12: 8, 13: 16}),
    (62, {8: 16, 12: 8, 14: 4}),
    (123, {8: 4, 22: 1, 38: 1}),
    (166, {8: 9, 22: 3, 38: 6}),
    (47, {8: 4, 26: 3}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ranking_is_by_weight_over_all_distinct_assignments(case):
    everything = sorted((log_weight(found) for found in distinct_assignments(*case)), reverse=True)
    ranked = rank_assignments(*case, 50)
    assert [weight for _, weight in ranked] == pytest.approx(everything[:50])
    assert len({assignment for assignment, _ in ranked}) == len(ranked)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_beam_finds_the_best(case, monkeypatch):
    exact = rank_assignments(*case, 10)
    monkeypatch.setattr(prior, "ENUMERATED", 0)
    assert [weight for _, weight in rank_assignments(*case, 10)] == pytest.approx([weight for _, weight in exact])


def test_the_normalizer_keeps_the_weight():
    found = Assignment(221, ((8, "c"), (22, "a"), (38, "b")))
    for images in letter_permutations(221):
        moved = Assignment(221, tuple((z, images[letter]) for z, letter in found.sites))
        assert log_weight(moved) == pytest.approx(log_weight(found))


def test_known_structures_rank_high():
    spinel = Assignment(227, ((8, "e"), (12, "a"), (13, "d")))
    ranked = [assignment for assignment, _ in rank_assignments(227, spinel.counts, 5)]
    assert prior.canonical(spinel) in ranked


def test_elements_have_classes():
    assert [prior.ELEMENT_CLASSES[element_class(z)] for z in (1, 3, 20, 26, 64, 13, 7, 8, 17, 6, 10)] == [
        "hydrogen", "alkali", "alkaline earth", "transition metal", "f block", "p metal", "pnictogen", "chalcogen",
        "halogen", "second row", "noble gas",
    ]  # fmt: skip


def test_bad_input_is_named():
    with pytest.raises(DataError, match="cannot hold"):
        rank_assignments(225, {8: 3}, 1)
    with pytest.raises(DataError, match="asked for 0 assignments"):
        rank_assignments(225, {8: 4}, 0)
