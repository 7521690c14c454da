"""Numbers that describe a table of samples: those of the paper's section 4.2, and others that it leaves out.

The paper reports predicted energies and diversity. Neither shows whether the crystals could exist, so this module adds
volume per atom, density, cells, charges, Wyckoff positions, and the weights of the samples.
"""

from __future__ import annotations

from typing import Any, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography import balance
from crystalgfn.crystallography.charges import ChargeRule, Neutrality
from crystalgfn.crystallography.elements import ATOMIC_VOLUME, SYMBOLS
from crystalgfn.crystallography.lattices import is_valid_cell, satisfies_lattice_system
from crystalgfn.crystallography.space_groups import (
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.crystallography.wyckoff import are_compatible
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import energies
from crystalgfn.errors import DataError
from crystalgfn.evaluation.estimates import estimate_log_z

TOP = 100
"""Number of crystals of lowest energy that are also described apart, as in the paper."""

VOLUME_BAND = (5.0, 60.0)
"""A^3/atom: 99.8 % of real crystals lie inside."""

SHORTEST_LENGTH = 2.0
"""A; lengths of real cells are not shorter."""

ANGLE_TOLERANCE = 1e-4
"""Relative deviation from the metric of the lattice system that tables written with few digits may show."""


def log_columns(crystals: Crystals) -> tuple[str, str, str]:
    """Return the columns of log R, log P_F and log P_B of samples; log P_prior in place of log P_B with a prior."""
    return "log_reward", "log_pf", "log_prior" if "log_prior" in crystals.columns else "log_pb"


def summarise(crystals: Crystals, *, energy: str | None = "formation_energy [eV/atom]") -> dict[str, Any]:
    """Describe B crystals by plain numbers; shares run from 0 to 1, and ``None`` stands for unknown values.

    Args:
        crystals: samples, or real crystals to compare with.
        energy: the column to rank and judge by, eV/atom, with or without its unit; ``None`` leaves energies and the
            100 best out.

    Returns:
        JSON-able::

            n                   B
            energy              column, median, p5, p95, below_minus_2, below_minus_3 (eV/atom and shares)
            diversity           n_space_groups, n_crystal_lattice_systems, n_point_symmetries, n_elements, n_distinct
                                (space group, composition); elements; shares of element_counts, crystal_lattice_systems
                                and point_symmetries; n_atoms_median (conventional cell)
            geometry            volume_per_atom (A^3/atom), volume_ratio (to the estimate from the composition), density
                                (g/cm3), length (A), angle (degree), each p5, p50, p95; volume_in_band (5 to 60
                                A^3/atom), length_ratio_median (longest/shortest), shortest_length_ok (2 A and more),
                                plausible (both)
            validity            cell, lattice_system, wyckoff, neutral_per_element, neutral_per_atom, neutral_common
            weights             log_z, elbo, eubo (nats), log_z_error and eubo_error (standard errors), ess (share);
                                None without log_reward, log_pf and log_pb
            top                 n, energy, diversity, geometry of the 100 of lowest energy, or None

    Raises:
        DataError: no crystals, no such column, or an energy column without any number.
    """
    if not len(crystals):
        raise DataError("no crystals to summarise: found 0, allowed: 1 or more")
    summary: dict[str, Any] = {"n": len(crystals), "energy": None}
    top = None
    if energy is not None:
        values = _energies(crystals, energy)
        summary["energy"] = {"column": energy, **_energy(values)}
        best = np.argsort(values, kind="stable")[: min(TOP, int(np.isfinite(values).sum()))]
        lowest = crystals[best]
        top = {
            "n": len(lowest),
            "energy": {"column": energy, **_energy(values[best])},
            "diversity": diversity(lowest),
            "geometry": geometry(lowest),
        }
    summary["diversity"] = diversity(crystals)
    summary["geometry"] = geometry(crystals)
    summary["validity"] = validity(crystals)
    summary["weights"] = weights(crystals)
    summary["top"] = top
    return summary


def _energies(crystals: Crystals, name: str) -> NDArray[np.float64]:
    values = energies(crystals, name)
    if not np.isfinite(values).any():
        raise DataError(f"column {name!r} holds no finite number in {len(crystals)} rows")
    return values


def _energy(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return quantiles (eV/atom) and shares of the finite energies."""
    finite = values[np.isfinite(values)]
    quantiles = _quantiles(finite)
    return {
        "median": quantiles["p50"],
        "p5": quantiles["p5"],
        "p95": quantiles["p95"],
        "below_minus_2": float((finite < -2).mean()),
        "below_minus_3": float((finite < -3).mean()),
    }


def diversity(crystals: Crystals) -> dict[str, Any]:
    """Return numbers of kinds of crystals; see :func:`summarise`."""
    groups, counts = crystals.space_group.cpu().numpy(), crystals.counts.cpu().numpy()
    systems, symmetries = CRYSTAL_LATTICE_SYSTEM[groups], POINT_SYMMETRY[groups]
    present = counts > 0
    elements = sorted(z for z, column in zip(crystals.elements, present.T, strict=True) if column.any())
    sizes, numbers = np.unique(present.sum(1), return_counts=True)
    distinct = np.unique(np.column_stack((groups, counts)), axis=0)
    return {
        "n_space_groups": len(np.unique(groups)),
        "n_crystal_lattice_systems": len(np.unique(systems)),
        "n_point_symmetries": len(np.unique(symmetries)),
        "n_elements": len(elements),
        "n_distinct": len(distinct),
        "elements": [SYMBOLS[z] for z in elements],
        "element_counts": {str(size): number / len(crystals) for size, number in zip(sizes, numbers, strict=True)},
        "crystal_lattice_systems": _shares(systems, CRYSTAL_LATTICE_SYSTEMS),
        "point_symmetries": _shares(symmetries, POINT_SYMMETRIES),
        "n_atoms_median": float(np.median(crystals.n_atoms.cpu().numpy())),
    }


def _shares(codes: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, float]:
    numbers = np.bincount(codes, minlength=len(names) + 1)[1:]
    return {name: float(number / len(codes)) for name, number in zip(names, numbers, strict=True)}


def geometry(crystals: Crystals) -> dict[str, Any]:
    """Return volumes, densities, lengths and angles; see :func:`summarise`. Cells that do not exist lie in no band."""
    volume = crystals.volume_per_atom.cpu().numpy()
    lengths, angles = np.split(crystals.lattice.cpu().numpy(), 2, axis=1)
    n_atoms = crystals.n_atoms.cpu().numpy()
    estimate = crystals.counts.cpu().numpy() @ ATOMIC_VOLUME[list(crystals.elements)] / n_atoms
    in_band = (volume >= VOLUME_BAND[0]) & (volume <= VOLUME_BAND[1])
    long_enough = lengths.min(1) >= SHORTEST_LENGTH
    return {
        "volume_per_atom": _quantiles(volume),
        "volume_ratio": _quantiles(volume / estimate),
        "density": _quantiles(crystals.density.cpu().numpy()),
        "length": _quantiles(lengths),
        "angle": _quantiles(angles),
        "volume_in_band": float(in_band.mean()),
        "length_ratio_median": _number(np.median(lengths.max(1) / lengths.min(1))),
        "shortest_length_ok": float(long_enough.mean()),
        "plausible": float((in_band & long_enough).mean()),
    }


def _quantiles(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the 5, 50 and 95 % quantiles of the finite values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"p5": None, "p50": None, "p95": None}
    return dict(zip(("p5", "p50", "p95"), np.percentile(finite, (5, 50, 95)).tolist(), strict=True))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def validity(crystals: Crystals) -> dict[str, float]:
    """Return the shares of crystals that obey each physical rule that a table can decide; see :func:`summarise`."""
    groups = crystals.space_group.cpu()
    lattice = crystals.lattice.cpu()
    systems = groups.new_tensor(CRYSTAL_LATTICE_SYSTEM)[groups]
    shares = {
        "cell": float(is_valid_cell(lattice).double().mean()),
        "lattice_system": float(satisfies_lattice_system(lattice, systems, ANGLE_TOLERANCE).double().mean()),
        "wyckoff": float(wyckoff_compatible(crystals).mean()),
    }
    for rule in ("per_element", "per_atom", "common"):
        shares[f"neutral_{rule}"] = float(neutral(crystals, rule).mean())
    return shares


def wyckoff_compatible(crystals: Crystals) -> NDArray[np.bool_]:
    """Return whether the Wyckoff positions of its space group can hold the atoms of each crystal, ``(B,)``."""
    return are_compatible(crystals.space_group.cpu().numpy(), crystals.counts.cpu().numpy())


def neutral(crystals: Crystals, rule: str) -> NDArray[np.bool_]:
    """Return whether oxidation states exist that add up to zero for each crystal, ``(B,)``.

    Args:
        crystals: B crystals.
        rule: see :data:`crystalgfn.crystallography.charges.ChargeRule`. Crystals of one element are neutral.

    Raises:
        DataError: the rule is none of these.
    """
    if rule not in get_args(ChargeRule):
        raise DataError(f"charge rule is {rule!r}, allowed: {', '.join(map(repr, get_args(ChargeRule)))}")
    return balance.neutral(crystals.counts.cpu().numpy(), crystals.elements, Neutrality(cast("ChargeRule", rule)))


def weights(crystals: Crystals) -> dict[str, float | None] | None:
    """Return estimates from the importance weight of each sample; see :func:`summarise` and :func:`log_columns`."""
    names = log_columns(crystals)
    if any(name not in crystals.columns for name in names):
        return None
    log_reward, log_pf, log_given_end = (torch.from_numpy(crystals.numbers(name)) for name in names)
    estimates = estimate_log_z(log_pf, log_given_end, log_reward)
    return {
        name: _number(getattr(estimates, name))
        for name in ("log_z", "log_z_error", "elbo", "eubo", "eubo_error", "ess")
    }
