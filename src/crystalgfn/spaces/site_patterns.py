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
G[t].
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.spaces.batch import TensorBatch
from crystalgfn.spaces.site_states import MAX_LETTERS

Counts = tuple[int, ...]
"""Atoms per primitive cell of each slot, falling."""

Letters = tuple[tuple[int, bool], ...]
"""Multiplicity in the primitive cell, and whether there is a free coordinate, of each letter of a group."""

Flags = NDArray[np.bool_]

N_ACTIONS = 2 * MAX_LETTERS + 1
"""Letters that join the open slot, letters that open a new one, and the end."""


def letters_of(space_group: int) -> Letters:
    """Multiplicity in the primitive cell and freedom of each letter of a group (1-230)."""
    cells = int(CENTERING_MULTIPLICITY[space_group])
    return tuple((p.multiplicity // cells, p.degrees_of_freedom > 0) for p in WYCKOFF[space_group])


class CountTree:
    """All beginnings of falling sequences of counts, numbered; 0 is the empty one.

    Args:
        sequences: counts of complete crystals.

    Attributes:
        child: ``(N, K + 1)`` int64, node after one more slot of n atoms; -1 where no sequence goes on so.
        depth: ``(N,)`` int64, slots so far.
        node: number of each beginning.
    """

    def __init__(self, sequences: Iterable[Counts]) -> None:
        self.node: dict[Counts, int] = {(): 0}
        for counts in sequences:
            for size in range(1, len(counts) + 1):
                self.node.setdefault(counts[:size], len(self.node))
        most = max((counts[0] for counts in self.node if counts), default=0)
        self.child = np.full((len(self.node), most + 1), -1)
        self.depth = np.zeros(len(self.node), dtype=np.int64)
        for counts, number in self.node.items():
            self.depth[number] = len(counts)
            if counts:
                self.child[self.node[counts[:-1]], counts[-1]] = number


class Usages:
    """How many positions without free coordinates are taken, by multiplicity.

    Args:
        letters: of a group.

    Attributes:
        each: the U usages, the empty one first.
        of_mask: ``(2^f,)`` int64, usage of each set of the f positions without free coordinates, as bits.
        bit: bit of each letter, -1 for letters with free coordinates.
    """

    def __init__(self, letters: Letters) -> None:
        fixed = [m for m, free in letters if not free]
        self.multiplicities = sorted(set(fixed))
        numbers = [fixed.count(m) for m in self.multiplicities]
        self.each = list(product(*(range(n + 1) for n in numbers)))
        index = {usage: i for i, usage in enumerate(self.each)}
        bits = iter(range(len(fixed)))
        self.bit = [-1 if free else next(bits) for _, free in letters]
        self.of_mask = np.zeros(1 << len(fixed), dtype=np.int64)
        for mask in range(len(self.of_mask)):
            taken = [m for i, m in enumerate(fixed) if mask >> i & 1]
            self.of_mask[mask] = index[tuple(taken.count(m) for m in self.multiplicities)]

    def steps(self, multiplicity: int) -> Flags:
        """``(U, U)`` whether one more position of a multiplicity leads from one usage to another."""
        place = self.multiplicities.index(multiplicity)
        moved = [tuple(n + (i == place) for i, n in enumerate(usage)) for usage in self.each]
        return np.array([[after == usage for usage in self.each] for after in moved], dtype=bool)


def fillings(letters: Letters, usages: Usages, most: int) -> Flags:
    """``(K + 1, U, U)`` whether a whole slot of n atoms can lead from one usage to another; a slot is not empty."""
    size = len(usages.each)
    reach = np.zeros((most + 1, size, size), dtype=bool)
    reach[0] = np.eye(size, dtype=bool)
    for multiplicity in usages.multiplicities:
        step, after = usages.steps(multiplicity), reach.copy()
        taken = np.eye(size, dtype=bool)
        for number in range(1, most // multiplicity + 1):
            taken = taken @ step
            if not taken.any():
                break
            shift = number * multiplicity
            after[shift:] |= reach[: most + 1 - shift] @ taken
        reach = after
    for multiplicity in {m for m, free in letters if free}:
        for n in range(multiplicity, most + 1):
            reach[n] |= reach[n - multiplicity]
    reach[0] = False
    return reach


def extensions(letters: Letters, usages: Usages, most: int) -> NDArray[np.int64]:
    """``(L + 1, 2^f, K + 1)`` E[p, M]: at each number of further atoms, the usages that can be reached, as bits."""
    masks = len(usages.of_mask)
    table = np.zeros((len(letters) + 1, masks, most + 1), dtype=np.int64)
    table[:, np.arange(masks), 0] = 1 << usages.of_mask
    for p in reversed(range(len(letters))):
        multiplicity, free = letters[p]
        table[p] = table[p + 1]
        if free:
            for n in range(multiplicity, most + 1):
                table[p, :, n] |= table[p, :, n - multiplicity]
        elif multiplicity <= most:
            bit = 1 << usages.bit[p]
            open_ = np.array([mask for mask in range(masks) if not mask & bit], dtype=np.int64)
            table[p, open_, multiplicity:] |= table[p + 1, open_ | bit, : most + 1 - multiplicity]
    return table


def closings(tree: CountTree, complete: Flags, filling: Flags) -> tuple[NDArray[np.int64], Flags]:
    """G[t] ``(N, K + 1)``, usages as bits, and whether a crystal can go on from each (node, usage), ``(N, U)``.

    Args:
        tree: beginnings of sequences of counts.
        complete: ``(N,)`` whether a crystal may end at a node.
        filling: as :func:`fillings` gives them.
    """
    size = filling.shape[1]
    possible = np.repeat(complete[:, None], size, axis=1)
    for depth in range(int(tree.depth.max()) - 1, -1, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        for n in range(1, tree.child.shape[1]):
            child = tree.child[nodes, n]
            there = child >= 0
            if there.any():
                possible[nodes[there]] |= possible[child[there]] @ filling[n].T
    bits = (possible * (1 << np.arange(size))).sum(1)
    return np.where(tree.child >= 0, bits[tree.child], 0), possible


@dataclass(frozen=True)
class PatternState(TensorBatch):
    """B partial patterns; every field is ``(B,)`` int64.

    Attributes:
        kind: of the group.
        node: numbers of atoms of the closed slots.
        mask: positions without free coordinates that are taken, as bits.
        first: the first letter that the open slot may take; 0 where no slot is open.
        atoms: of the open slot; 0 where none is open.
    """

    kind: Tensor
    node: Tensor
    mask: Tensor
    first: Tensor
    atoms: Tensor


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

    Attributes:
        feasible: ``(231,)`` bool, groups that have a pattern.
        most: most atoms per primitive cell of a slot.
        most_orbits: most orbits of a pattern.
    """

    def __init__(self, counts: Mapping[int, Collection[Counts]]) -> None:
        accepted = {group: frozenset(sequences) for group, sequences in counts.items()}
        self._tree = CountTree(sorted(set().union(*accepted.values()), key=lambda c: (len(c), c)))
        self.most = self._tree.child.shape[1] - 1
        self.most_orbits = max(map(sum, self._tree.node))
        kinds = list(dict.fromkeys((letters_of(group), sequences) for group, sequences in accepted.items()))
        self._kind_of = torch.zeros(231, dtype=torch.int64)
        self.feasible = torch.zeros(231, dtype=torch.bool)
        feasible = self._build(kinds)
        for group, sequences in accepted.items():
            kind = kinds.index((letters_of(group), sequences))
            self._kind_of[group], self.feasible[group] = kind, feasible[kind]

    def _build(self, kinds: Sequence[tuple[Letters, frozenset[Counts]]]) -> list[bool]:
        """Fill the tables; whether each kind of group has a pattern."""
        feasible = []
        most, nodes = self.most, len(self._tree.node)
        self._multiplicity = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._free = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.bool)
        self._bit = torch.zeros(len(kinds), MAX_LETTERS, dtype=torch.int64)
        self._first_row = torch.zeros(len(kinds), dtype=torch.int64)
        self._masks = torch.ones(len(kinds), dtype=torch.int64)
        self._complete = torch.zeros(len(kinds), nodes, dtype=torch.bool)
        # twice as many columns as counts, so that a slot with atoms can be moved on without a check
        self._closing = torch.zeros(len(kinds), nodes, 2 * (most + 1), dtype=torch.int64)
        rows: list[NDArray[np.int64]] = []
        parts: dict[Letters, tuple[Usages, Flags, int]] = {}
        for kind, (letters, accepted) in enumerate(kinds):
            if letters not in parts:
                usages = Usages(letters)
                first = sum(map(len, rows))
                rows.append(extensions(letters, usages, most).reshape(-1, most + 1))
                parts[letters] = usages, fillings(letters, usages, most), first
            usages, filling, first = parts[letters]
            for place, (multiplicity, free) in enumerate(letters):
                self._multiplicity[kind, place], self._free[kind, place] = multiplicity, free
                self._bit[kind, place] = 0 if free else 1 << usages.bit[place]
            self._first_row[kind], self._masks[kind] = first, len(usages.of_mask)
            complete = np.array([counts in accepted for counts in self._tree.node])
            self._complete[kind] = torch.from_numpy(complete)
            closing, possible = closings(self._tree, complete, filling)
            self._closing[kind, :, : most + 1] = torch.from_numpy(closing)
            feasible.append(bool(possible[0, 0]))
        self._extension = torch.from_numpy(np.concatenate(rows)) if rows else torch.zeros(0, most + 1)
        self._child = torch.from_numpy(self._tree.child)
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
        return PatternState(self._kind_of[space_group], zero, zero, zero, zero)

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
        kind = state.kind.unsqueeze(1)
        multiplicity, bit = self._multiplicity[state.kind], self._bit[state.kind]
        taken = (state.mask.unsqueeze(1) & bit) > 0
        after = atoms.unsqueeze(1) + multiplicity
        row, letter = (open_ & (multiplicity > 0) & ~taken & (after <= self.most)).nonzero(as_tuple=True)
        free = self._free[state.kind[row], letter]
        first = letter + (~free).long()
        masks = state.mask[row] | bit[row, letter]
        where = self._first_row[state.kind[row]] + first * self._masks[state.kind[row]] + masks
        columns = after[row, letter].unsqueeze(1) + torch.arange(self.most + 1, device=row.device)
        closing = self._closing[kind[row], node[row].unsqueeze(1), columns]
        good = (self._extension[where] & closing).any(1)
        allowed = torch.zeros(len(node), MAX_LETTERS, dtype=torch.bool, device=row.device)
        allowed[row, letter] = good
        return allowed

    def act(self, state: PatternState, action: Tensor) -> PatternState:
        """States after allowed actions ``(B,)`` other than the end."""
        opens = action >= MAX_LETTERS
        letter = action - MAX_LETTERS * opens
        closed = self._child[state.node, state.atoms]
        node = torch.where(opens & (state.atoms > 0), closed, state.node)
        atoms = torch.where(opens, 0, state.atoms) + self._multiplicity[state.kind, letter]
        first = letter + (~self._free[state.kind, letter]).long()
        return PatternState(state.kind, node, state.mask | self._bit[state.kind, letter], first, atoms)
