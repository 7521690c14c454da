"""Metrics of a crystals table, each with its method; no atoms are needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import UNIT, Energy, energies, find_energy, is_prediction, other_units
from crystalgfn.errors import DataError
from crystalgfn.evaluation.chemical_classes import class_numbers, elements_of
from crystalgfn.evaluation.chemistry import smact_validity
from crystalgfn.evaluation.distributions import against
from crystalgfn.evaluation.measured import measured
from crystalgfn.evaluation.metrics import TOP, log_columns, summarise
from crystalgfn.evaluation.site_diversity import site_numbers, sites_of_table
from crystalgfn.stability.plausibility import Rows, check_energies

Numbers = dict[str, dict[str, Any]]

PROXY = "property model (proxy), not a calculation"
FROM_TABLE = "as given in the table"

EUBO = (
    "an upper bound of log Z estimated from the samples' own trajectories: too low where they miss a part of the target"
)

NEEDS_ATOMS = "not measured: needs atoms (crystalgfn structures)"


def energy_method(crystals: Crystals, column: str) -> str:
    """Return the origin of the energies of a column: a property model, or as given in the table."""
    return PROXY if is_prediction(crystals, column) else FROM_TABLE


def check_given_energies(crystals: Crystals, source: str) -> None:
    """Refuse energies that were given, not predicted, and cannot be energies in eV/atom.

    Args:
        crystals: B crystals.
        source: name of their table in messages.

    Raises:
        DataError: the first such row; see :func:`~crystalgfn.stability.plausibility.check_energies`.
    """
    for kind in Energy:
        column = find_energy(crystals, kind)
        if column is not None and not is_prediction(crystals, column):
            rows = Rows(source, crystals.elements, crystals.counts.cpu().numpy().astype(float))
            check_energies(rows, column, energies(crystals, column), kind)


def evaluate_crystals(
    crystals: Crystals, reference: Crystals | None = None, *, reference_name: str = "reference", smact: bool = True
) -> dict[str, Numbers]:
    """Measure B crystals.

    Args:
        crystals: samples, or real crystals.
        reference: known crystals to compare with.
        reference_name: name of the reference in the methods.
        smact: test charges with SMACT, which takes some milliseconds for each formula.

    Returns:
        groups of numbers with their methods: ``energy``, ``validity``, ``uniqueness``, ``diversity`` (of sites
        too, where there is a column ``wyckoff``), ``chemistry``, ``top``, ``geometry``, ``weights`` (of samples of a
        GFlowNet) and ``reference``.

    Raises:
        DataError: no crystals, or sites that do not exist in their space group, by row.
    """
    n = len(crystals)
    if not n:
        raise DataError("no crystals to evaluate: found 0, allowed: 1 or more")
    column = find_energy(crystals, Energy.FORMATION, Energy.ABOVE_HULL)
    if column is not None and not np.isfinite(energies(crystals, column)).any():
        column = None
    summary = summarise(crystals, energy=column)
    sites = sites_of_table(crystals)
    return {
        "energy": _no_energy(crystals) if column is None else _energies(crystals, column, summary["energy"]),
        "validity": _validity(crystals, summary, smact=smact),
        "uniqueness": _uniqueness(crystals, summary["diversity"]),
        "diversity": {
            **_diversity(summary["diversity"], n, "crystals"),
            **({} if sites is None else site_numbers(sites, source="column 'wyckoff'")),
        },
        "chemistry": class_numbers(
            elements_of(crystals), None if reference is None else elements_of(reference), name=reference_name
        ),
        "top": {} if summary["top"] is None else _top(summary["top"], str(column)),
        "geometry": _geometry(summary["geometry"], n),
        "weights": weights(crystals, summary["weights"]),
        "reference": {} if reference is None else against(crystals, reference, name=reference_name),
    }


def _no_energy(crystals: Crystals) -> Numbers:
    """Say of columns in other units why they are not measured."""
    names = other_units(crystals, Energy.FORMATION)
    return {"median": measured(None, f"not measured: column {names[0]!r}, allowed: {UNIT}", 0)} if names else {}


def _energies(crystals: Crystals, column: str, summary: dict[str, Any]) -> Numbers:
    n = int(np.isfinite(energies(crystals, column)).sum())
    source = f"{column} by {energy_method(crystals, column)}"
    names = {"median": "median", "p5": "5 % quantile", "p95": "95 % quantile"}
    out = {key: measured(summary[key], f"{what} of {source}, eV/atom", n) for key, what in names.items()}
    for limit in (2, 3):
        out[f"below_minus_{limit}"] = measured(summary[f"below_minus_{limit}"], f"share below -{limit} of {source}", n)
    return out


def _validity(crystals: Crystals, summary: dict[str, Any], *, smact: bool) -> Numbers:
    n, shares, shape = len(crystals), summary["validity"], summary["geometry"]
    methods = {
        "cell": "lengths and angles span a cell",
        "lattice_system": "the cell has the metric of its crystal-lattice system, to 1e-4",
        "wyckoff": "the Wyckoff positions of the space group can hold the atoms",
        "neutral_per_element": "oxidation states (pymatgen, common and ICSD) add up to 0, one state an element",
        "neutral_per_atom": "the same, mixed valence allowed",
        "neutral_common": "the same with common states only, one an element; peroxides and superoxides count",
    }
    out = {key: measured(shares[key], f"share: {method}", n) for key, method in methods.items()}
    out["plausible"] = measured(
        shape["plausible"], "share: 5 to 60 A^3/atom and no length below 2 A (99.8 % of real crystals)", n
    )
    out["smact"] = smact_validity(crystals.formulas) if smact else measured(None, "not measured: not asked for", 0)
    for key in ("cdvae", "lemat"):
        out[key] = measured(None, NEEDS_ATOMS, 0)
    return out


def _uniqueness(crystals: Crystals, diversity: dict[str, Any]) -> Numbers:
    n = len(crystals)
    pairs = set(zip(crystals.formulas, crystals.space_group.tolist(), strict=True))
    return {
        "modes": measured(len(pairs), "distinct pairs of reduced formula and space group", n),
        "unique": measured(len(pairs) / n, "share: distinct pairs of reduced formula and space group over crystals", n),
        "formulas": measured(len(set(crystals.formulas)), "distinct reduced formulas", n),
        "cells": measured(diversity["n_distinct"], "distinct pairs of conventional cell content and space group", n),
    }


def _diversity(diversity: dict[str, Any], n: int, what: str) -> Numbers:
    names = {
        "n_space_groups": ("space groups", 230),
        "n_crystal_lattice_systems": ("crystal-lattice systems", 8),
        "n_point_symmetries": ("point symmetries", 5),
    }
    out = {key: measured(diversity[key], f"{name} among {what}, of {most}", n) for key, (name, most) in names.items()}
    out["n_elements"] = measured(diversity["n_elements"], f"elements among {what}", n)
    out["n_atoms_median"] = measured(diversity["n_atoms_median"], "median atoms in the conventional cell", n)
    return out


def _top(top: dict[str, Any], column: str) -> Numbers:
    n, what = top["n"], f"the {top['n']} crystals of lowest {column}"
    out = {"median_energy": measured(top["energy"]["median"], f"median of {what}, eV/atom", n)}
    out["modes"] = measured(top["diversity"]["n_distinct"], f"distinct cell contents and groups among {what}", n)
    return out | _diversity(top["diversity"], n, what)


def _geometry(geometry: dict[str, Any], n: int) -> Numbers:
    units = {
        "volume_per_atom": "A^3/atom",
        "volume_ratio": "volume over the estimate from the composition",
        "density": "g/cm3",
        "length": "A",
        "angle": "degree",
    }
    quantiles = {"p5": "5 % quantile", "p50": "median", "p95": "95 % quantile"}
    return {
        f"{key}_{short}": measured(geometry[key][short], f"{what}, {unit}", n)
        for key, unit in units.items()
        for short, what in quantiles.items()
    }


def weights(crystals: Crystals, estimates: dict[str, Any] | None) -> Numbers:
    """Return numbers from the importance weights of samples that a policy drew; empty for other tables.

    Args:
        crystals: B crystals.
        estimates: of :func:`crystalgfn.evaluation.metrics.weights`.
    """
    if estimates is None:
        return {}
    n = len(crystals)
    names = log_columns(crystals)
    log_reward, log_pf, log_given_end = (crystals.numbers(name) for name in names)
    log_weight = crystals.numbers("log_weight") if "log_weight" in crystals.columns else None
    if not np.isfinite(log_reward + log_given_end - log_pf).any():
        why = f"not measured: no row has a finite log_reward, {names[2]} and log_pf"
        return {key: measured(None, why, n) for key in ("ess", "log_z", "elbo", "eubo")}
    if log_weight is not None and not np.allclose(log_weight, log_reward + log_given_end - log_pf, equal_nan=True):
        why = f"not measured: log_weight is not log_reward + {names[2]} - log_pf, the samples were drawn again"
        return {key: measured(None, why, n) for key in ("ess", "log_z", "elbo", "eubo")}
    w = f"log w = log_reward + {names[2]} - log_pf"
    decile = log_reward >= np.nanquantile(log_reward, 0.9)
    kinds = {p for p, good in zip(_pairs(crystals), decile, strict=True) if good}
    return {
        "ess": measured(estimates["ess"], f"effective sample size as a share, (sum w)^2 / (n sum w^2), {w}", n),
        "log_z": measured(estimates["log_z"], f"log of the mean of w (nats), {w}", n),
        "log_z_error": measured(estimates["log_z_error"], "its standard error by the delta method (nats)", n),
        "elbo": measured(estimates["elbo"], f"mean log w (nats), a lower bound of log Z, {w}", n),
        "eubo": measured(estimates["eubo"], f"mean log w by weight (nats), {EUBO}, {w}", n),
        "eubo_error": measured(estimates["eubo_error"], "its standard error by the delta method (nats)", n),
        "modes_top_decile": measured(
            len(kinds), "distinct formula and space group among the tenth of highest log_reward", int(decile.sum())
        ),
        "log_reward_top": measured(
            float(np.nanmean(np.sort(log_reward)[::-1][:TOP])), f"mean log_reward of the {TOP} highest", min(n, TOP)
        ),
    }


def _pairs(crystals: Crystals) -> list[tuple[str, int]]:
    return list(zip(crystals.formulas, crystals.space_group.tolist(), strict=True))
