"""Limits on compositions, counted directly on conventional cells: rules of :mod:`.validity`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography.charges import OXIDATION_STATES
from crystalgfn.crystallography.elements import ELECTRONEGATIVITY
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.stoichiometry import Stoichiometry
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.metrics import adds_to_zero, neutral, wyckoff_compatible
from crystalgfn.spaces.constraints.limits import CompositionConstraints

ROUNDING = 1e-9
"""Relative deviation from a bound that floating point may cause."""

Verdicts = dict[str, NDArray[np.bool_]]


def composition_violations(crystals: Crystals, groups: NDArray[np.int64], limits: CompositionConstraints) -> Verdicts:
    """Which of B crystals break each rule, ``(B,)`` bool a rule: those always looked at, and those asked for.

    Args:
        crystals: B of them.
        groups: ``(B,)`` their space groups.
        limits: on the composition.
    """
    counts = crystals.counts.cpu().numpy()
    present = counts > 0
    numbers = np.array(crystals.elements)
    allowed = numbers if limits.allowed is None else np.array(limits.allowed)
    n_atoms, cells = counts.sum(1), CENTERING_MULTIPLICITY[groups]
    least, most = limits.atoms_per_element
    violated: Verdicts = {
        "elements": (present & ~np.isin(numbers, allowed)).any(1) | _without(present, numbers, limits.required),
        "n_elements": outside(present.sum(1), limits.n_elements),
        "n_atoms": outside(n_atoms, limits.n_atoms),
        "n_atoms_primitive": outside(n_atoms / cells, limits.n_atoms_primitive),
        "atoms_per_element": np.any(present & ((counts < least) | (counts > most)), axis=1),
    }
    if limits.any_of:
        violated["any_of"] = ~np.all([present[:, np.isin(numbers, choice)].any(1) for choice in limits.any_of], axis=0)
    if limits.stoichiometry is not None:
        violated["stoichiometry"] = ~_in_ratio(counts, numbers, limits.stoichiometry)
    if limits.shares:
        shares = [(counts[:, numbers == z].sum(1) / n_atoms, low, high) for z, low, high in limits.shares]
        within = [(share >= low - ROUNDING) & (share <= high + ROUNDING) for share, low, high in shares]
        violated["shares"] = ~np.all(within, axis=0)
    if limits.rules:
        obeyed = [[rule.holds(held) for _, rule in limits.rules] for held in _as_mappings(counts, numbers)]
        violated["rules"] = ~np.all(obeyed, axis=1)
    # atoms that a centering translation relates share their state, so the primitive cell is what must be neutral
    whole = (counts % cells[:, None] == 0).all(1, keepdims=True)
    own = np.where(whole, counts // cells[:, None], counts)
    if limits.neutrality != "none":
        primitive = Crystals(crystals.elements, crystals.space_group, torch.from_numpy(own), crystals.lattice)
        violated["neutrality"] = ~neutral(primitive, limits.neutrality)
    if limits.electronegativity:
        violated["electronegativity"] = ~ordered_by_electronegativity(own, crystals.elements)
    if limits.wyckoff:
        violated["wyckoff"] = ~wyckoff_compatible(crystals)
    return violated


def _without(present: NDArray[np.bool_], numbers: NDArray[np.int64], required: tuple[int, ...]) -> NDArray[np.bool_]:
    missing = np.zeros(len(present), dtype=bool)
    for z in required:
        missing |= ~present[:, numbers == z].any(1)
    return missing


def _as_mappings(counts: NDArray[np.int64], numbers: NDArray[np.int64]) -> list[dict[int, int]]:
    """Atoms of each crystal by atomic number."""
    names = numbers.tolist()
    return [{z: n for z, n in zip(names, row, strict=True) if n} for row in counts.tolist()]


def _in_ratio(counts: NDArray[np.int64], numbers: NDArray[np.int64], wanted: Stoichiometry) -> NDArray[np.bool_]:
    n_atoms, named = counts.sum(1), dict(wanted.named)
    fits = np.ones(len(counts), dtype=bool)
    for z, ratio in wanted.named:
        fits &= counts[:, numbers == z].sum(1) * wanted.atoms == ratio * n_atoms
    others = np.sort(counts[:, ~np.isin(numbers, list(named))], axis=1)
    size = max(others.shape[1], len(wanted.open))
    others = np.pad(others, ((0, 0), (size - others.shape[1], 0)))
    ratios = np.array([0] * (size - len(wanted.open)) + sorted(wanted.open), dtype=np.int64)
    return np.asarray(fits & (others * wanted.atoms == ratios * n_atoms[:, None]).all(1), dtype=bool)


def ordered_by_electronegativity(counts: NDArray[np.int64], elements: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether some neutral choice of one oxidation state an element has every cation below every anion, ``(B,)``.

    Below in Pauling electronegativity, and truly so: equal ones do not do (the ``pauling_test`` of smact). Crystals of
    one element pass. In such a choice the elements up to some electronegativity are cations and the others anions; each
    of these few borders is tried.

    Args:
        counts: ``(B, D)``.
        elements: D atomic numbers.
    """
    distinct, inverse = np.unique(counts, axis=0, return_inverse=True)
    values = np.array([float(ELECTRONEGATIVITY[z]) for z in elements])
    verdicts = []
    for row in distinct:
        columns = np.flatnonzero(row)
        borders = np.unique(values[columns])[:-1]
        verdicts.append(len(columns) < 2 or any(_divided(row, columns, elements, values <= b) for b in borders))
    return np.array(verdicts, dtype=bool)[inverse.reshape(-1)]


def _divided(
    row: NDArray[np.int64], columns: NDArray[np.int64], elements: tuple[int, ...], cation: NDArray[np.bool_]
) -> bool:
    """Whether charges balance when the elements are cations and anions as told."""
    states = [tuple(s for s in OXIDATION_STATES[elements[d]] if (s > 0) == cation[d]) for d in columns]
    return adds_to_zero(list(zip(states, row[columns].tolist(), strict=True)), mixed=False)


def outside(values: NDArray[Any], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Which values are not within inclusive bounds; NaN never is."""
    low, high = bounds
    within: NDArray[np.bool_] = (values >= low * (1 - ROUNDING)) & (values <= high * (1 + ROUNDING))
    return ~within
