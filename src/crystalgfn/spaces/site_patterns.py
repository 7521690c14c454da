"""Site patterns: which Wyckoff positions the elements of a crystal occupy, before anything says which elements.

A pattern is a list of *slots*, one for each element to come; a slot is a list of Wyckoff letters, one for each orbit.
Rock salt is ``(a), (b)`` in Fm-3m, spinel ``(e), (d), (a)`` in Fd-3m. Slots come by falling number of atoms, and the
letters of a slot in their order; a position without free coordinates holds one orbit in the whole crystal.

Whether a partial pattern can be completed depends on

    k   the kind of group: multiplicities and freedom of its letters, and the counts that its crystals may have
    t   the numbers of atoms of the closed slots, a node in a tree of falling sequences
    M   which positions without free coordinates are taken
    c, p   the atoms of the open slot, and the first letter that it may still take

Positions without free coordinates and of equal multiplicity are interchangeable for the slots to come, so what M means
to them is the *usage* u(M): how many of each multiplicity are taken, at most 27 values. With E[p, M] the (atoms, usage)
that further letters of the open slot can reach, and G[t] the (atoms, usage) at which the open slot may be closed so
that some completion follows, a partial pattern can be completed if and only if E[p, M], moved on by c atoms, meets
G[t]. Where orbits or free coordinates are bounded, both also depend on what they cost: E[p, M] at a cost must meet G[t]
at what is then left. G[t] at n atoms is that of the node that t and n lead to.

Where the sites of elements have rules, all this holds under a reservation of slots (:mod:`.reservations`): t knows the
roles of the closed slots, E takes only letters that can hold what the open slot is for, and usages tell positions apart
that can hold different elements, up to 64 values. :class:`ReservedPatterns` follows all reservations at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.spaces.batch import TensorBatch
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.reservations import SlotCounts, kept_first
from crystalgfn.spaces.site_pattern_tables import (
    Budget,
    Flags,
    Letters,
    SlotTree,
    Usages,
    as_bits,
    continuations,
    extensions,
    fillings,
    letters_of,
)

N_ACTIONS = 2 * MAX_LETTERS + 1
"""Letters that join the open slot, letters that open a new one, and the end."""


@dataclass(frozen=True)
class PatternState(TensorBatch):
    """B partial patterns; every field is ``(B,)`` int64, or ``(B, H)`` under H reservations of slots.

    Attributes:
        kind: of the group.
        node: numbers of atoms of the closed slots, and their roles.
        mask: positions without free coordinates that are taken, as bits.
        first: the first letter that the open slot may take; 0 where no slot is open.
        atoms: of the open slot; 0 where none is open.
        left: number of the amount that is left of the budget.
        role: of the open slot; 0 where none is open.
    """

    kind: Tensor
    node: Tensor
    mask: Tensor
    first: Tensor
    atoms: Tensor
    left: Tensor
    role: Tensor


class Patterns(Protocol):
    """A set of site patterns, and the masks that lead to each of them and to nothing else.

    Actions are columns: a letter that joins the open slot (0 .. 26), a letter that opens a new slot (27 .. 53), and the
    end (54).

    Attributes:
        feasible: ``(231,)`` bool, groups that have a pattern.
        most_orbits: most orbits of a pattern.
    """

    feasible: Tensor
    most_orbits: int

    def to(self, device: torch.device | str) -> Self:
        """Move the tables to a device."""
        ...

    def start(self, space_group: Tensor) -> PatternState:
        """Empty patterns in the given groups, ``(B,)``."""
        ...

    def mask(self, state: PatternState) -> Tensor:
        """Allowed actions ``(B, 55)`` bool: those after which some pattern can be completed."""
        ...

    def act(self, state: PatternState, action: Tensor) -> PatternState:
        """States after allowed actions ``(B,)`` other than the end."""
        ...


class SitePatterns(Patterns):
    """All patterns of a set of space groups whose numbers of atoms are accepted.

    Args:
        counts: space group -> slots that its crystals may have, such as those with neutral compositions; under
            reservations where there are rules.
        budget: bounds on orbits and free coordinates; none by default.
        rules: for the sites of elements, in the order of the reserved slots.

    Attributes:
        feasible: ``(231,)`` bool, groups that have a pattern.
        most: most atoms per primitive cell of a slot.
        most_orbits: most orbits of a pattern.
        roles: number of roles of a slot.
        nowhere: the node of slots that no crystal has.
    """

    def __init__(
        self,
        counts: Mapping[int, Collection[SlotCounts]],
        budget: Budget | None = None,
        rules: Sequence[ElementSites] = (),
    ) -> None:
        self._budget = budget = budget or Budget()
        self.roles = 1 + len(rules)
        accepted = {group: frozenset(sequences) for group, sequences in counts.items()}
        self._tree = tree = SlotTree(sorted(set().union(*set(accepted.values()))))
        self.most, self.nowhere = tree.child.shape[2] - 1, len(tree.node)
        self.most_orbits = max(sum(slots.each) for slots in tree.node)
        if budget.orbits is not None:
            self.most_orbits = min(self.most_orbits, budget.orbits)
        kind_of = {group: (letters_of(group, budget, rules), sequences) for group, sequences in accepted.items()}
        kinds = list(dict.fromkeys(kind_of.values()))
        self._kind_of = torch.zeros(231, dtype=torch.int64)
        self.feasible = torch.zeros(231, dtype=torch.bool)
        feasible = self._build(kinds)
        for group, own in kind_of.items():
            kind = kinds.index(own)
            self._kind_of[group], self.feasible[group] = kind, feasible[kind]

    def _build(self, kinds: Sequence[tuple[Letters, frozenset[SlotCounts]]]) -> list[bool]:
        """Fill the tables; whether each kind of group has a pattern."""
        feasible = []
        budget, most, tree, roles = self._budget, self.most, self._tree, self.roles
        self._multiplicity = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._holds = torch.zeros(len(kinds), roles, MAX_LETTERS, dtype=torch.bool)
        self._free = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.bool)
        self._bit = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._price = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._first_row = torch.zeros(len(kinds), roles, dtype=torch.int64)
        self._masks = torch.ones(len(kinds), dtype=torch.int64)
        self._complete = torch.zeros(len(kinds), self.nowhere + 1, dtype=torch.bool)
        # the last node is that of slots that are not there, the last amount that of too little
        goes_on = np.zeros((len(kinds), self.nowhere + 1, budget.size + 1), dtype=np.int64)
        rows: list[NDArray[np.int64]] = []
        parts: dict[Letters, tuple[Usages, Flags, list[int]]] = {}
        completes: dict[frozenset[SlotCounts], Flags] = {}
        for kind, (letters, accepted) in enumerate(kinds):
            if letters not in parts:
                usages, first = Usages(letters), list[int]()
                for role in range(roles):
                    first.append(sum(each.shape[1] for each in rows))
                    rows.append(extensions(letters, usages, budget, most, role).reshape(budget.size, -1, most + 1))
                filling = np.stack([fillings(letters, usages, budget, most, role) for role in range(roles)])
                parts[letters] = usages, filling, first
            usages, filling, first = parts[letters]
            for place, letter in enumerate(letters):
                self._multiplicity[kind, place], self._free[kind, place] = letter.multiplicity, letter.free
                self._holds[kind, :, place] = torch.tensor(letter.roles)
                self._bit[kind, place] = 0 if letter.free else 1 << usages.bit[place]
                self._price[kind, place] = letter.price
            self._first_row[kind], self._masks[kind] = torch.tensor(first), len(usages.of_mask)
            if accepted not in completes:
                completes[accepted] = np.array([slots in accepted for slots in tree.node])
            complete = completes[accepted]
            self._complete[kind, :-1] = torch.from_numpy(complete)
            possible = continuations(tree, complete, filling, budget)
            bits = as_bits(np.arange(possible.shape[1]))
            goes_on[kind, :-1, :-1] = (possible * bits[:, None]).sum(1)
            feasible.append(bool(possible[0, 0, -1]))
        narrow = all(len(usages.each) < 32 for usages, *_ in parts.values())  # as without rules
        dtype = np.int32 if narrow else np.int64
        extension = np.concatenate(rows, 1) if rows else np.zeros((1, 0, most + 1), dtype=np.int64)
        self._extension = torch.from_numpy(extension.astype(dtype))
        # twice as many columns as counts, so that a slot with atoms can be moved on without a check
        self._child = torch.from_numpy(np.pad(tree.child, ((0, 0), (0, 0), (0, most + 1)), constant_values=-1))
        self._minus = torch.from_numpy(budget.minus)
        # flat, with the places at which the nodes of a kind begin
        self._goes_on = torch.from_numpy(goes_on.astype(dtype).ravel())
        self._kind_size = (self.nowhere + 1) * (budget.size + 1)
        following = torch.where(self._child >= 0, self._child, self.nowhere) * (budget.size + 1)
        self._following = following.flatten(0, 1)  # a row for each node and role
        return feasible

    def to(self, device: torch.device | str) -> Self:
        """Move the tables to a device."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    @property
    def _letters(self) -> Tensor:
        return torch.arange(MAX_LETTERS, device=self._child.device)

    def start(self, space_group: Tensor) -> PatternState:
        """Empty patterns in the given groups, ``(B,)``."""
        zero = torch.zeros_like(space_group)
        return PatternState(self._kind_of[space_group], zero, zero, zero, zero, zero + self._budget.size - 1, zero)

    def mask(self, state: PatternState) -> Tensor:
        """Allowed actions ``(B, 55)`` bool: those after which some pattern can be completed."""
        closed = self._child[state.node, state.role, state.atoms.clamp(max=self.most)]
        has_open = state.atoms > 0
        closed = torch.where(has_open, closed, state.node)
        same = has_open.unsqueeze(1) & (self._letters >= state.first.unsqueeze(1))
        joins = self._leads_on(state, state.node, state.atoms, role=state.role, open_=same)
        may_close, zero = closed >= 0, torch.zeros_like(state.atoms)
        opens = [
            self._leads_on(state, closed.clamp(min=0), zero, role=zero + role, open_=may_close.unsqueeze(1))
            for role in range(self.roles)
        ]
        ends = may_close & has_open & self._complete[state.kind, closed.clamp(min=0)]
        return torch.cat((joins, reduce(torch.logical_or, opens), ends.unsqueeze(1)), 1)

    def _leads_on(self, state: PatternState, node: Tensor, atoms: Tensor, *, role: Tensor, open_: Tensor) -> Tensor:
        """Whether a completion follows each letter, taken into a slot with ``atoms`` after the slots of a node."""
        multiplicity, bit = self._multiplicity[state.kind], self._bit[state.kind]
        left = self._minus[state.left.unsqueeze(1), self._price[state.kind]]
        open_ = open_ & self._holds[state.kind, role] & ((state.mask.unsqueeze(1) & bit) == 0)
        open_ = open_ & (left < self._budget.size)
        after = atoms.unsqueeze(1) + multiplicity
        row, letter = (open_ & (after <= self.most)).nonzero(as_tuple=True)
        kind = state.kind[row]
        first = letter + (~self._free[kind, letter]).long()
        masks = state.mask[row] | bit[row, letter]
        extension = self._first_row[kind, role[row]] + first * self._masks[kind] + masks
        columns = after[row, letter].unsqueeze(1) + torch.arange(self.most + 1, device=row.device)
        closed = self._following[(node * self.roles + role)[row].unsqueeze(1), columns]
        closed = closed + (kind * self._kind_size).unsqueeze(1)
        left = left[row, letter]
        allowed = torch.zeros(len(node), MAX_LETTERS, dtype=torch.bool, device=row.device)
        for cost in range(self._budget.size):  # of the further letters of the slot
            meets = self._extension[cost][extension] & self._goes_on[closed + self._minus[left, cost].unsqueeze(1)]
            good = meets.any(1)
            allowed[row[good], letter[good]] = True
            if cost + 1 < self._budget.size:
                row, letter, extension, closed, left = (each[~good] for each in (row, letter, extension, closed, left))
        return allowed

    def act(self, state: PatternState, action: Tensor, role: int = 0) -> PatternState:
        """States after actions ``(B,)`` other than the end, with slots opened for a role.

        Where the slots that this leaves are those of no crystal, the node is :attr:`nowhere`.
        """
        opens = action >= MAX_LETTERS
        letter = action - MAX_LETTERS * opens
        closed = self._child[state.node, state.role, state.atoms]
        node = torch.where(opens & (state.atoms > 0), closed, state.node)
        atoms = torch.where(opens, 0, state.atoms) + self._multiplicity[state.kind, letter]
        first = letter + (~self._free[state.kind, letter]).long()
        left = self._minus[state.left, self._price[state.kind, letter]]
        mask = state.mask | self._bit[state.kind, letter]
        now = torch.where(opens, role, state.role)
        node = torch.where((node >= 0) & self._holds[state.kind, now, letter], node, self.nowhere)
        return PatternState(state.kind, node, mask, first, atoms, left, now)


class ReservedPatterns(Patterns):
    """Patterns under rules for the sites of elements: those that some reservation of slots allows.

    Args:
        patterns: under one reservation each.
    """

    def __init__(self, patterns: SitePatterns) -> None:
        self.patterns = patterns
        self.feasible, self.most_orbits = patterns.feasible, patterns.most_orbits

    def to(self, device: torch.device | str) -> Self:
        """Move the tables to a device."""
        self.feasible = self.patterns.to(device).feasible
        return self

    def start(self, space_group: Tensor) -> PatternState:
        """Empty patterns in the given groups, under one reservation: nothing yet."""
        return PatternState(*(value.unsqueeze(1) for value in self.patterns.start(space_group).tensors().values()))

    def mask(self, state: PatternState) -> Tensor:
        """Allowed actions ``(B, 55)`` bool: those that some reservation allows."""
        mask = self.patterns.mask(PatternState(*(value.flatten() for value in state.tensors().values())))
        return mask.view(*state.kind.shape, N_ACTIONS).any(1)

    def act(self, state: PatternState, action: Tensor) -> PatternState:
        """States after allowed actions ``(B,)`` other than the end: a new slot may be for any element with a rule."""
        rows, reservations = state.kind.shape
        flat = PatternState(*(value.flatten() for value in state.tensors().values()))
        action = action.repeat_interleave(reservations)
        joins = (action < MAX_LETTERS).view(rows, reservations)
        after = []
        for role in range(self.patterns.roles):
            moved = self.patterns.act(flat, action, role)
            moved = PatternState(*(value.view(rows, reservations) for value in moved.tensors().values()))
            once = ~joins if role else torch.ones_like(joins)  # a slot that goes on keeps its role
            after.append(replace(moved, node=torch.where(once, moved.node, self.patterns.nowhere)))
        fields = zip(*(each.tensors().values() for each in after), strict=True)
        branched = PatternState(*(torch.cat(values, 1) for values in fields))
        order = kept_first(branched.node != self.patterns.nowhere)
        return PatternState(*(value.gather(1, order) for value in branched.tensors().values()))
