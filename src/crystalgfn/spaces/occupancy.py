"""Which counts of atoms fit the Wyckoff positions of a space group, as a small automaton.

Counts are per primitive cell. Positions with a free coordinate hold any number of orbits, so they contribute the sums
of their multiplicities. A position without free coordinates holds a single orbit in the whole crystal; it matters only
if its multiplicity is not itself such a sum, and positions of equal multiplicity are interchangeable. The state after
some elements is therefore the set of numbers of fixed positions that may be in use, of which only the thriftiest
(Pareto-minimal) need keeping: everything that fits after using more also fits after using less.

Ledgers (:mod:`.constraints.ledger`) of further constraints are multiplied with this automaton.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.spaces.constraints.ledger import Ledgers
from crystalgfn.spaces.constraints.limits import CompositionLimits

Usage = tuple[int, ...]


@dataclass(frozen=True)
class GroupClass:
    """Space groups that allow the same counts (per primitive cell).

    Attributes:
        free_sums: numbers of atoms that positions with free coordinates can hold.
        fixed: ``(multiplicity, number of positions)`` of the positions without free coordinates that matter.
        counts: least and most atoms of one element.
        totals: numbers of atoms at which a crystal may end.
    """

    free_sums: frozenset[int]
    fixed: tuple[tuple[int, int], ...]
    counts: tuple[int, int]
    totals: frozenset[int]

    @property
    def most(self) -> int:
        """Most atoms of all elements together."""
        return max(self.totals, default=0)

    @classmethod
    def of(cls, space_group: int, limits: CompositionLimits, totals: frozenset[int] | None = None) -> GroupClass:
        """The class of a group (1-230) under limits on atoms in the conventional and the primitive cell.

        Args:
            space_group: international number.
            limits: limits on the composition.
            totals: numbers of atoms in the conventional cell at which a crystal may end, None for any.
        """
        cells = int(CENTERING_MULTIPLICITY[space_group])
        least, most = (-(-limits.n_conventional[0] // cells), limits.n_conventional[1] // cells)
        least, most = max(least, limits.n_primitive[0]), min(most, limits.n_primitive[1])
        ends = frozenset(n for n in range(least, most + 1) if totals is None or n * cells in totals)
        most = max(ends, default=0)
        low, high = limits.n_of_one
        counts = (-(-low // cells), min(high // cells, most))
        if not limits.fits_sites:
            return cls(frozenset(range(most + 1)), (), counts, ends)
        free = {p.multiplicity // cells for p in WYCKOFF[space_group] if p.degrees_of_freedom}
        fixed = [p.multiplicity // cells for p in WYCKOFF[space_group] if not p.degrees_of_freedom]
        sums = {0}
        for total in range(1, most + 1):
            if any(total - m in sums for m in free):
                sums.add(total)
        multiplicities = sorted({m for m in fixed if m not in sums and m <= counts[1]})
        return cls(frozenset(sums), tuple((m, fixed.count(m)) for m in multiplicities), counts, ends)

    def usages(self, count: int) -> list[Usage]:
        """Thriftiest placements of ``count`` atoms: how many fixed positions of each multiplicity they take."""
        if not self.counts[0] <= count <= self.counts[1]:
            return []
        choices = product(*(range(number + 1) for _, number in self.fixed))
        fits = (
            u for u in choices if count - sum(n * m for n, (m, _) in zip(u, self.fixed, strict=True)) in self.free_sums
        )
        return list(_thriftiest(fits))


def _thriftiest(usages: Iterable[Usage]) -> frozenset[Usage]:
    distinct = set(usages)
    return frozenset(
        u for u in distinct if not any(v != u and all(a <= b for a, b in zip(v, u, strict=True)) for v in distinct)
    )


Context = tuple[int, int, frozenset[Usage], tuple[Hashable, ...]]
"""Group class, atoms so far, thriftiest usages of fixed positions, state of the ledgers."""


@dataclass(frozen=True)
class Occupancy:
    """The automaton of all groups: contexts (:data:`Context`) and moves between them.

    Attributes:
        start: ``(231,)`` int64, context before the first element; 0, the dead context, for groups left out.
        move: ``(M, C, K + 1)`` int64, context after adding k atoms per primitive cell of one more element of a kind; 0
            if they do not fit. Row 0 is the dead context.
        kind: ``(D,)`` int64, kind of each element; one kind where no ledger tells elements apart.
        enough: ``(C,)`` bool, whether a crystal may end here as far as atoms and ledgers are concerned.
        atoms: ``(C,)`` int64, atoms so far per primitive cell.
    """

    start: Tensor
    move: Tensor
    kind: Tensor
    enough: Tensor
    atoms: Tensor

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.move.shape[2] - 1

    def arrive(self, context: Tensor, element: Tensor) -> Tensor:
        """Contexts after each count of an element: ``(P, K)`` for contexts ``(P,)`` and columns ``(P,)``."""
        row = context if len(self.move) == 1 else context + self.kind[element] * self.move.shape[1]
        return self.move.flatten(0, 1).index_select(0, row)[:, 1:]

    @classmethod
    def build(
        cls,
        elements: Sequence[int],
        space_groups: Iterable[int],
        limits: CompositionLimits,
        totals: Mapping[int, frozenset[int]] | None = None,
    ) -> Occupancy:
        """Explore every context that the most elements can reach.

        Args:
            elements: atomic numbers.
            space_groups: international numbers.
            limits: limits on the composition.
            totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.
        """
        class_of = {g: GroupClass.of(g, limits, totals[g] if totals is not None else None) for g in space_groups}
        classes = sorted(
            set(class_of.values()), key=lambda c: (sorted(c.free_sums), c.fixed, c.counts, sorted(c.totals))
        )
        ledgers = Ledgers(limits.ledgers)
        kind_of, kinds = ledgers.kinds(tuple(elements))
        contexts = _Exploration(classes, ledgers, kinds)
        start = torch.zeros(231, dtype=torch.int64)
        for k, group_class in enumerate(classes):
            first = contexts.run(k, limits.n_distinct[1])
            for group, its_class in class_of.items():
                if its_class == group_class:
                    start[group] = first
        move = torch.tensor(contexts.move).transpose(0, 1).contiguous()
        return cls(start, move, torch.tensor(kind_of), torch.tensor(contexts.enough), torch.tensor(contexts.atoms))


class _Exploration:
    """Contexts met so far, numbered; 0 is the dead one."""

    def __init__(self, classes: Sequence[GroupClass], ledgers: Ledgers, kinds: list[tuple[Hashable, ...]]) -> None:
        self.classes, self.ledgers, self.kinds = classes, ledgers, kinds
        self.max_count = max([1, *(c.counts[1] for c in classes)])
        self.index: dict[Context, int] = {}
        self.atoms, self.enough = [0], [False]
        self.move = [self._nowhere()]

    def _nowhere(self) -> list[list[int]]:
        return [[0] * (self.max_count + 1) for _ in self.kinds]

    def number(self, context: Context) -> int:
        if context not in self.index:
            self.index[context] = len(self.atoms)
            k, atoms, _, state = context
            self.atoms.append(atoms)
            self.enough.append(atoms in self.classes[k].totals and self.ledgers.accepts(state, atoms))
            self.move.append(self._nowhere())
        return self.index[context]

    def run(self, k: int, most_elements: int) -> int:
        """Explore a group class and return its first context."""
        group_class = self.classes[k]
        limits = tuple(n for _, n in group_class.fixed)
        options = [group_class.usages(count) for count in range(self.max_count + 1)]
        first = (k, 0, frozenset((tuple(0 for _ in limits),)), self.ledgers.start(group_class.most))
        frontier, seen = {first}, {first}
        start = self.number(first)
        for _ in range(most_elements):
            reached = set()
            for context in frontier:
                moves = self.move[self.number(context)]
                for count in range(1, min(self.max_count, group_class.most - context[1]) + 1):
                    if not options[count]:
                        continue
                    sums = (tuple(map(sum, zip(u, v, strict=True))) for u in context[2] for v in options[count])
                    usage = _thriftiest(u for u in sums if all(a <= b for a, b in zip(u, limits, strict=True)))
                    if not usage:
                        continue
                    for m, kind in enumerate(self.kinds):
                        state = self.ledgers.advance(context[3], kind, count)
                        if state is not None:
                            after = (k, context[1] + count, usage, state)
                            moves[m][count] = self.number(after)
                            reached.add(after)
            frontier = reached - seen
            seen |= reached
        return start
