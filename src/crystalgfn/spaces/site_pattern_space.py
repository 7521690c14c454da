"""The subspace of anonymous site patterns: which Wyckoff positions the elements to come will occupy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.spaces.constraints.limits import SiteLimits
from crystalgfn.spaces.element_sites import ElementSites, roles_of_letters
from crystalgfn.spaces.one_pattern import OnePattern
from crystalgfn.spaces.reservations import SlotCounts, role_choices
from crystalgfn.spaces.site_encoding import writings_of
from crystalgfn.spaces.site_pattern_tables import Budget
from crystalgfn.spaces.site_patterns import Patterns, PatternState, ReservedPatterns, SitePatterns
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.structure_types import StructureType
from crystalgfn.spaces.subspace import Possible, SpaceLimits, Subspace

END = 2 * MAX_LETTERS
"""Action that ends a pattern."""

MAX_AMOUNTS = 64
"""Most amounts of orbits and free coordinates that look-ahead tells apart: 5 MB each with 20 atoms and all groups."""

CountsOfGroups = Mapping[int, frozenset[SlotCounts]]


class SitePatternSpace(Subspace):
    """Patterns of the counts that elements can have in each group.

    Args:
        patterns: masks.
        space_groups: groups that may be chosen.

    Raises:
        ConstraintError: no group has a pattern.
    """

    name: ClassVar[str] = "sites"

    def __init__(self, patterns: Patterns, space_groups: tuple[int, ...]) -> None:
        self.patterns = patterns
        self.space_groups = tuple(g for g in space_groups if patterns.feasible[g])
        self.max_orbits = patterns.most_orbits
        if not self.space_groups:
            raise ConstraintError("no Wyckoff positions of the space groups hold a composition of the constraints")

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> SitePatternSpace:
        """See :meth:`.subspace.Subspace.build`."""
        assert possible.counts is not None
        asked = limits.constraints.fold("sites", SiteLimits())
        asked = replace(asked, element_sites=possible.element_sites)  # those that the slots are reserved for
        patterns = (
            _all_patterns(asked, possible.counts) if asked.pattern is None else _one_pattern(asked, possible.counts)
        )
        return cls(patterns, possible.space_groups)

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        return Possible(self.space_groups)

    def to(self, device: torch.device | str) -> SitePatternSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self.patterns.to(device)
        return self

    def start(self, space_group: Tensor) -> PatternState:
        """Empty patterns in the given groups, ``(B,)``."""
        return self.patterns.start(space_group)

    def actions(self, slots: Tensor, letters: Tensor) -> Tensor:
        """The actions that write patterns, the end among them: ``(B, O + 1)`` int64, -1 after the end.

        Args:
            slots, letters: ``(B, O)``, as in :class:`.site_states.SiteStates`.
        """
        new = torch.ones_like(slots, dtype=torch.bool)
        new[:, 1:] = slots[:, 1:] != slots[:, :-1]
        actions = torch.where(letters >= 0, letters + MAX_LETTERS * new, -1)
        actions = torch.nn.functional.pad(actions, (0, 1), value=-1)
        return actions.scatter(1, (letters >= 0).sum(1, keepdim=True), END)

    def allows(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> Tensor:
        """Whether patterns can be sampled, ``(B,)`` bool.

        Args:
            space_group: ``(B,)``, 1..230.
            slots, letters: ``(B, O)``, as in :class:`.site_states.SiteStates`.
        """
        verdict = torch.zeros_like(space_group, dtype=torch.bool)
        actions = self.actions(slots, letters)
        rows = self.patterns.feasible[space_group].nonzero().squeeze(1)
        state = self.start(space_group[rows])
        for step in range(actions.shape[1]):
            action = actions[rows, step]
            allowed = self.patterns.mask(state).gather(1, action.unsqueeze(1)).squeeze(1)
            ends = action == END
            verdict[rows[allowed & ends]] = True
            goes_on = allowed & ~ends
            rows, state = rows[goes_on], self.patterns.act(state[goes_on], action[goes_on])
            if not len(rows):
                break
        return verdict

    def decode(self, states: CrystalStates) -> dict[str, Tensor]:
        """See :meth:`.subspace.Subspace.decode`: sites are known once their elements are."""
        return {}

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """See :meth:`.subspace.Subspace.encode`; in the canonical writing.

        Raises:
            DataError: crystals without sites, or with impossible ones.
        """
        space_group = decided["space_group"]
        written = writings_of(crystals)
        slots = torch.zeros(len(crystals), self.max_orbits, dtype=torch.int64)
        letters = torch.full_like(slots, -1)
        fits = torch.zeros(len(crystals), dtype=torch.bool)
        for row, (pattern, _) in enumerate(written):
            orbits = [(slot, letter) for slot, each in enumerate(pattern) for letter in each]
            if len(orbits) <= self.max_orbits:
                fits[row] = True
                slots[row, : len(orbits)], letters[row, : len(orbits)] = torch.tensor(orbits).T
        slots, letters, fits = (tensor.to(space_group.device) for tensor in (slots, letters, fits))
        rows = fits.nonzero().squeeze(1)
        rows = rows[self.allows(space_group[rows], slots[rows], letters[rows])]
        return {"slots": slots[rows], "letters": letters[rows]}, rows


def _all_patterns(asked: SiteLimits, counts: CountsOfGroups) -> Patterns:
    """Every pattern within limits.

    Raises:
        ConfigError: the tables would be too large.
    """
    atoms = max((sum(slots.each) for slots in set().union(*set(counts.values()))), default=0)
    orbits = asked.orbits if asked.orbits is not None and asked.orbits < atoms else None  # a bound that can be met
    most_free = 3 * (atoms if orbits is None else orbits)
    free = asked.free_coordinates
    budget = Budget(orbits, free if free is not None and free < most_free else None)
    if budget.size > MAX_AMOUNTS:
        raise ConfigError(
            f"at most {asked.orbits} orbits and {asked.free_coordinates} free coordinates: found {budget.size} amounts "
            f"for look-ahead to tell apart, allowed: {MAX_AMOUNTS}, with smaller bounds, or only one"
        )
    patterns = SitePatterns(counts, budget, asked.element_sites)
    return ReservedPatterns(patterns) if asked.element_sites else patterns


def _one_pattern(asked: SiteLimits, counts: CountsOfGroups) -> OnePattern:
    """The pattern that limits ask for, without any group where it exceeds other limits."""
    pattern = asked.pattern
    assert pattern is not None
    within = (
        any(slots in counts.get(pattern.space_group, ()) for slots in _reserved(pattern, asked.element_sites))
        and (asked.orbits is None or pattern.orbits <= asked.orbits)
        and (asked.free_coordinates is None or pattern.free_coordinates <= asked.free_coordinates)
    )
    return OnePattern(pattern, allowed=within)


def _reserved(pattern: StructureType, rules: Sequence[ElementSites]) -> Iterator[SlotCounts]:
    """The slots of a pattern, under each reservation that the rules for the sites of elements allow."""
    holds = roles_of_letters(rules, pattern.space_group)
    for roles in role_choices(len(pattern.slots), len(rules)).tolist():
        if all(holds[letter][role] for slot, role in zip(pattern.slots, roles, strict=True) for letter in slot):
            of_role = dict(zip(roles, pattern.counts, strict=True))
            common = tuple(count for count, role in zip(pattern.counts, roles, strict=True) if role == 0)
            yield SlotCounts(common, tuple(of_role.get(role, 0) for role in range(1, 1 + len(rules))))
