"""Whether charges balance, for many compositions at once: by sums of sets, one composition after the other.

Direct and slow, for finished crystals; it shares no code with the sets of charges behind the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.charges import Neutrality, salt_is_neutral
from crystalgfn.crystallography.elements import ELECTRONEGATIVITY

ONE_STATE = Neutrality("per_element")

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def balanced(counts: Ints, states: Sequence[tuple[int, ...]], *, mixed: bool) -> Bools:
    """Whether oxidation states exist that add up to zero for each composition, ``(B,)``.

    Args:
        counts: ``(B, D)`` atoms of each element.
        states: D tuples of oxidation states.
        mixed: whether each atom has a state of its own; otherwise all atoms of an element share a state.

    Compositions of one element balance.
    """
    distinct, inverse = np.unique(counts, axis=0, return_inverse=True)
    verdicts = []
    for row in distinct.tolist():
        present = [(states[column], n) for column, n in enumerate(row) if n]
        verdicts.append(len(present) < 2 or adds_to_zero(present, mixed=mixed))
    return np.array(verdicts, dtype=bool)[inverse.reshape(-1)]


def neutral(counts: Ints, elements: Sequence[int], neutrality: Neutrality) -> Bools:
    """Whether each composition is neutral, ``(B,)``: by oxidation states, or as a salt of a polyanion.

    Args:
        counts: ``(B, D)`` atoms of each element.
        elements: D atomic numbers.
        neutrality: what counts as neutral.
    """
    if not neutrality.asked:
        return np.ones(len(counts), dtype=bool)
    by_states = balanced(counts, [neutrality.states(z) for z in elements], mixed=neutrality.mixed)
    return by_states | salts(counts, elements, neutrality)


def salts(counts: Ints, elements: Sequence[int], neutrality: Neutrality) -> Bools:
    """Which compositions are neutral salts of one of the polyanions that count, ``(B,)``."""
    found = np.zeros(len(counts), dtype=bool)
    for polyanion in neutrality.polyanions:
        if polyanion.element in elements:
            column = list(elements).index(polyanion.element)
            for row in np.flatnonzero(counts[:, column]):
                present = {z: int(n) for z, n in zip(elements, counts[row], strict=True) if n}
                found[row] |= salt_is_neutral(present, polyanion)
    return found


def adds_to_zero(present: list[tuple[tuple[int, ...], int]], *, mixed: bool) -> bool:
    """Whether the charges of some elements can add up to zero.

    Args:
        present: oxidation states and number of atoms of each element.
        mixed: whether each atom has a state of its own.
    """
    if not all(states for states, _ in present):
        return False
    sets = sorted((_charges(states, n, mixed) for states, n in present), key=len)
    # bit i of ``total`` stands for the charge i + lowest
    total, lowest = 1, 0
    for charges in sets[:-1]:
        total = _or_shifted(total, charges)
        lowest += charges[0]
    return any(-charge - lowest >= 0 and total >> (-charge - lowest) & 1 for charge in sets[-1])


@cache
def _charges(states: tuple[int, ...], n: int, mixed: bool) -> tuple[int, ...]:
    """Charges that n atoms with these states can carry together, ascending."""
    if not mixed:
        return tuple(n * state for state in states)
    sums = 1  # bit i: the charge n * states[0] + i
    for _ in range(n):
        sums = _or_shifted(sums, states)
    return tuple(n * states[0] + i for i in range(sums.bit_length()) if sums >> i & 1)


def _or_shifted(total: int, charges: tuple[int, ...]) -> int:
    """Bit set of the sums of a charge in ``total`` and one in ``charges``; bit 0 is the sum of the two lowest."""
    result = 0
    for charge in charges:
        result |= total << (charge - charges[0])
    return result


def ordered_by_electronegativity(counts: Ints, elements: tuple[int, ...], neutrality: Neutrality = ONE_STATE) -> Bools:
    """Whether some neutral choice of one oxidation state per element has every cation below every anion, ``(B,)``.

    Below means a lower Pauling electronegativity; equal values do not pass (the ``pauling_test`` of smact). Crystals of
    one element pass. In such a choice the elements up to some electronegativity are cations and the others anions, so
    each of these few borders is tried.

    Args:
        counts: ``(B, D)`` atoms of each element.
        elements: D atomic numbers.
        neutrality: one oxidation state an element; salts of its polyanions pass, since their cations are metals or H.
    """
    distinct, inverse = np.unique(counts, axis=0, return_inverse=True)
    values = np.array([float(ELECTRONEGATIVITY[z]) for z in elements])
    verdicts = []
    for row in distinct:
        columns = np.flatnonzero(row)
        borders = np.unique(values[columns])[:-1]
        verdicts.append(
            len(columns) < 2 or any(_divided(row, columns, elements, values <= b, neutrality) for b in borders)
        )
    return np.array(verdicts, dtype=bool)[inverse.reshape(-1)] | salts(counts, elements, neutrality)


def _divided(row: Ints, columns: Ints, elements: tuple[int, ...], cation: Bools, neutrality: Neutrality) -> bool:
    """Whether charges balance with cations where ``cation`` is true and anions elsewhere."""
    states = [tuple(s for s in neutrality.states(elements[d]) if (s > 0) == cation[d]) for d in columns]
    return adds_to_zero(list(zip(states, row[columns].tolist(), strict=True)), mixed=False)
