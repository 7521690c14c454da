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
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.spaces.batch import TensorBatch
from crystalgfn.spaces.site_pattern_tables import (
    Budget,
    Counts,
    CountTree,
    Flags,
    Letters,
    Usages,
    continuations,
    extensions,
    fillings,
    letters_of,
)

N_ACTIONS = 2 * MAX_LETTERS + 1
"""Letters that join the open slot, letters that open a new one, and the end."""


@dataclass(frozen=True)
class PatternState(TensorBatch):
    """B partial patterns; every field is ``(B,)`` int64.

    Attributes:
        kind: of the group.
        node: numbers of atoms of the closed slots.
        mask: positions without free coordinates that are taken, as bits.
        first: the first letter that the open slot may take; 0 where no slot is open.
        atoms: of the open slot; 0 where none is open.
        left: number of the amount that is left of the budget.
    """

    kind: Tensor
    node: Tensor
    mask: Tensor
    first: Tensor
    atoms: Tensor
    left: Tensor


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
        counts: space group -> counts that its crystals may have, such as those with neutral compositions.
        budget: bounds on orbits and free coordinates; none by default.

    Attributes:
        feasible: ``(231,)`` bool, groups that have a pattern.
        most: most atoms per primitive cell of a slot.
        most_orbits: most orbits of a pattern.
    """

    def __init__(self, counts: Mapping[int, Collection[Counts]], budget: Budget | None = None) -> None:
        self._budget = budget = budget or Budget()
        accepted = {group: frozenset(sequences) for group, sequences in counts.items()}
        self._tree = CountTree(sorted(set().union(*accepted.values()), key=lambda c: (len(c), c)))
        self.most = self._tree.child.shape[1] - 1
        self.most_orbits = max(map(sum, self._tree.node))
        if budget.orbits is not None:
            self.most_orbits = min(self.most_orbits, budget.orbits)
        kind_of = {group: (letters_of(group, budget), sequences) for group, sequences in accepted.items()}
        kinds = list(dict.fromkeys(kind_of.values()))
        self._kind_of = torch.zeros(231, dtype=torch.int64)
        self.feasible = torch.zeros(231, dtype=torch.bool)
        feasible = self._build(kinds)
        for group, own in kind_of.items():
            kind = kinds.index(own)
            self._kind_of[group], self.feasible[group] = kind, feasible[kind]

    def _build(self, kinds: Sequence[tuple[Letters, frozenset[Counts]]]) -> list[bool]:
        """Fill the tables; whether each kind of group has a pattern."""
        feasible = []
        budget, most, nodes = self._budget, self.most, len(self._tree.node)
        self._multiplicity = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._free = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.bool)
        self._bit = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._price = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._first_row = torch.zeros(len(kinds), dtype=torch.int64)
        self._masks = torch.ones(len(kinds), dtype=torch.int64)
        self._complete = torch.zeros(len(kinds), nodes, dtype=torch.bool)
        # the last node is that of sequences that are not there, the last amount that of too little
        goes_on = torch.zeros(len(kinds), nodes + 1, budget.size + 1, dtype=torch.int32)
        rows: list[NDArray[np.int32]] = []
        parts: dict[Letters, tuple[Usages, Flags, int]] = {}
        for kind, (letters, accepted) in enumerate(kinds):
            if letters not in parts:
                usages = Usages(letters)
                first = sum(each.shape[1] for each in rows)
                rows.append(extensions(letters, usages, budget, most).reshape(budget.size, -1, most + 1))
                parts[letters] = usages, fillings(letters, usages, budget, most), first
            usages, filling, first = parts[letters]
            for place, (multiplicity, free, price) in enumerate(letters):
                self._multiplicity[kind, place], self._free[kind, place] = multiplicity, free
                self._bit[kind, place] = 0 if free else 1 << usages.bit[place]
                self._price[kind, place] = price
            self._first_row[kind], self._masks[kind] = first, len(usages.of_mask)
            complete = np.array([counts in accepted for counts in self._tree.node])
            self._complete[kind] = torch.from_numpy(complete)
            possible = continuations(self._tree, complete, filling, budget)
            bits = (possible * (1 << np.arange(possible.shape[1]))[:, None]).sum(1)
            goes_on[kind, :-1, :-1] = torch.from_numpy(bits)
            feasible.append(bool(possible[0, 0, -1]))
        self._extension = torch.from_numpy(np.concatenate(rows, 1)) if rows else torch.zeros(1, 0, most + 1)
        # twice as many columns as counts, so that a slot with atoms can be moved on without a check
        self._child = torch.from_numpy(np.pad(self._tree.child, ((0, 0), (0, most + 1)), constant_values=-1))
        self._minus = torch.from_numpy(budget.minus)
        # flat, with the places at which the nodes of a kind begin
        self._goes_on, self._kind_size = goes_on.flatten(), (nodes + 1) * (budget.size + 1)
        self._following = torch.where(self._child >= 0, self._child, nodes) * (budget.size + 1)
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
        return PatternState(self._kind_of[space_group], zero, zero, zero, zero, zero + self._budget.size - 1)

    def mask(self, state: PatternState) -> Tensor:
        """Allowed actions ``(B, 55)`` bool: those after which some pattern can be completed."""
        closed = self._child[state.node, state.atoms.clamp(max=self.most)]
        has_open = state.atoms > 0
        closed = torch.where(has_open, closed, state.node)
        same = has_open.unsqueeze(1) & (self._letters >= state.first.unsqueeze(1))
        joins = self._leads_on(state, state.node, state.atoms, same)
        may_close = closed >= 0
        opens = self._leads_on(state, closed.clamp(min=0), torch.zeros_like(state.atoms), may_close.unsqueeze(1))
        ends = may_close & has_open & self._complete[state.kind, closed.clamp(min=0)]
        return torch.cat((joins, opens, ends.unsqueeze(1)), 1)

    def _leads_on(self, state: PatternState, node: Tensor, atoms: Tensor, open_: Tensor) -> Tensor:
        """Whether a completion follows each letter, taken into a slot with ``atoms`` after the slots of a node."""
        multiplicity, bit = self._multiplicity[state.kind], self._bit[state.kind]
        left = self._minus[state.left.unsqueeze(1), self._price[state.kind]]
        open_ = open_ & (multiplicity > 0) & ((state.mask.unsqueeze(1) & bit) == 0) & (left < self._budget.size)
        after = atoms.unsqueeze(1) + multiplicity
        row, letter = (open_ & (after <= self.most)).nonzero(as_tuple=True)
        kind = state.kind[row]
        first = letter + (~self._free[kind, letter]).long()
        masks = state.mask[row] | bit[row, letter]
        extension = self._first_row[kind] + first * self._masks[kind] + masks
        columns = after[row, letter].unsqueeze(1) + torch.arange(self.most + 1, device=row.device)
        closed = self._following[node[row].unsqueeze(1), columns] + (kind * self._kind_size).unsqueeze(1)
        left = left[row, letter]
        allowed = torch.zeros(len(node), MAX_LETTERS, dtype=torch.bool, device=row.device)
        for cost in range(self._budget.size):  # of the further letters of the slot
            meets = self._extension[cost][extension] & self._goes_on[closed + self._minus[left, cost].unsqueeze(1)]
            good = meets.any(1)
            allowed[row[good], letter[good]] = True
            if cost + 1 < self._budget.size:
                row, letter, extension, closed, left = (each[~good] for each in (row, letter, extension, closed, left))
        return allowed

    def act(self, state: PatternState, action: Tensor) -> PatternState:
        """States after allowed actions ``(B,)`` other than the end."""
        opens = action >= MAX_LETTERS
        letter = action - MAX_LETTERS * opens
        closed = self._child[state.node, state.atoms]
        node = torch.where(opens & (state.atoms > 0), closed, state.node)
        atoms = torch.where(opens, 0, state.atoms) + self._multiplicity[state.kind, letter]
        first = letter + (~self._free[state.kind, letter]).long()
        left = self._minus[state.left, self._price[state.kind, letter]]
        return PatternState(state.kind, node, state.mask | self._bit[state.kind, letter], first, atoms, left)
