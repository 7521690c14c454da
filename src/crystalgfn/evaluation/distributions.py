"""Comparison of samples with a reference table: distances of distributions, coverage, and shares of new formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import energies, find_energy
from crystalgfn.evaluation.measured import measured, missing

Floats = NDArray[np.float64]


def described(crystals: Crystals) -> dict[str, tuple[Floats, str]]:
    """Return the quantities to compare, each (B,) with its unit; cells that do not exist give NaN."""
    counts = crystals.counts.cpu().numpy()
    volume = crystals.volume_per_atom.cpu().numpy()
    estimate = counts @ ATOMIC_VOLUME[list(crystals.elements)] / np.maximum(counts.sum(1), 1)
    quantities: dict[str, tuple[Floats, str]] = {
        "volume_per_atom": (volume, "A^3/atom"),
        "volume_ratio": (volume / estimate, ""),
        "density": (crystals.density.cpu().numpy(), "g/cm3"),
        "n_elements": ((counts > 0).sum(1).astype(float), ""),
        "n_atoms": (counts.sum(1).astype(float), ""),
    }
    if (name := find_energy(crystals)) is not None:
        quantities["formation_energy"] = (energies(crystals, name), "eV/atom")
    return quantities


def against(crystals: Crystals, reference: Crystals, *, name: str = "reference") -> dict[str, dict[str, Any]]:
    """Compare samples with reference crystals.

    Args:
        crystals: B samples.
        reference: known crystals.
        name: name of the reference in the methods.

    Returns:
        numbers with their methods: ``wasserstein_*`` distances, ``tv_*`` total variations, ``coverage_*`` shares of
        the reference's groups, systems and elements that occur among the samples, ``novel_*`` shares of samples that
        are not in the reference.
    """
    return {**_wasserstein(crystals, reference, name), **_coverage(crystals, reference, name)}


def _wasserstein(crystals: Crystals, reference: Crystals, name: str) -> dict[str, dict[str, Any]]:
    try:
        from scipy.stats import wasserstein_distance
    except ImportError:
        return {"wasserstein": measured(None, missing("scipy"), 0)}
    ours, theirs = described(crystals), described(reference)
    distances = {}
    for key, (values, unit) in ours.items():
        if key not in theirs:
            continue
        left, right = (v[np.isfinite(v)] for v in (values, theirs[key][0]))
        distance = float(wasserstein_distance(left, right)) if len(left) and len(right) else None
        what = f"Wasserstein-1 distance of {key.replace('_', ' ')}{f' ({unit})' if unit else ''}"
        if key == "formation_energy":
            what += f", column {find_energy(crystals)!r} against {find_energy(reference)!r}"
        distances[f"wasserstein_{key}"] = measured(distance, f"{what} to {len(right):,} of {name}, scipy", len(left))
    return distances


def _coverage(crystals: Crystals, reference: Crystals, name: str) -> dict[str, dict[str, Any]]:
    n = len(crystals)
    numbers = {}
    for key, what, ours, theirs in (
        ("space_groups", "space groups", _group_shares(crystals), _group_shares(reference)),
        ("crystal_lattice_systems", "crystal-lattice systems", _system_shares(crystals), _system_shares(reference)),
        ("elements", "elements", _element_shares(crystals), _element_shares(reference)),
    ):
        coverage = float((ours[theirs > 0] > 0).mean()) if (theirs > 0).any() else None
        numbers[f"coverage_{key}"] = measured(
            coverage, f"share of the {what} in {name} that occur among the samples", n
        )
        distance = float(np.abs(ours - theirs).sum() / 2)
        share_of = "by atoms" if key == "elements" else "of crystals"
        numbers[f"tv_{key}"] = measured(
            distance, f"total variation between the shares {share_of} of {what} and {name}", n
        )
    formulas, reference_formulas = crystals.formulas, set(reference.formulas)
    pairs = set(zip(reference.formulas, reference.space_group.tolist(), strict=True))
    new = [formula not in reference_formulas for formula in formulas]
    new_pair = [p not in pairs for p in zip(formulas, crystals.space_group.tolist(), strict=True)]
    method = f"share of samples whose {{}} is not in {name} ({len(reference):,} crystals); no atoms are compared"
    numbers["novel_formula"] = measured(float(np.mean(new)), method.format("reduced formula"), n)
    numbers["novel_formula_and_group"] = measured(
        float(np.mean(new_pair)), method.format("pair of reduced formula and space group"), n
    )
    return numbers


def _group_shares(crystals: Crystals) -> Floats:
    return np.bincount(crystals.space_group.cpu().numpy(), minlength=231) / max(len(crystals), 1)


def _system_shares(crystals: Crystals) -> Floats:
    systems = CRYSTAL_LATTICE_SYSTEM[crystals.space_group.cpu().numpy()]
    return np.bincount(systems, minlength=len(CRYSTAL_LATTICE_SYSTEMS) + 1) / max(len(crystals), 1)


def _element_shares(crystals: Crystals) -> Floats:
    """Return the mean share (119,) of each element among the atoms of a crystal."""
    counts = crystals.counts.cpu().numpy()
    shares = np.zeros(119)
    shares[list(crystals.elements)] = (counts / np.maximum(counts.sum(1, keepdims=True), 1)).mean(0)
    return shares
