"""Further training of a model on relaxed candidates: the learning step of a round of the loop.

The energies that proposals (space group, composition) relax to teach the energy at rest. There are only some hundred
candidates, and much of their error is the luck of the search for atom positions, so only the readout of each member is
fitted again: ridge regression of the error on the last hidden layer, in closed form. (Training all weights fits a
hundred candidates at once, and later candidates hardly better than before.) Real crystals of a given table, or else
random crystals, are rehearsed beside the candidates: their predictions should not move.

Copies with other volumes teach the network of the cell, by ordinary training. Crystals as placed, before relaxation,
are evaluated but not learned from: their energies depend on positions that the model does not see.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.proxies.data.bounds import random_crystals
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.rows import Rows, TrainingData, rows_of
from crystalgfn.proxies.evaluate import split_of
from crystalgfn.proxies.hyperparameters import REFINE, Hyperparameters
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.base import ProxyNetwork
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.training import fit_network

REHEARSED = 4_096
"""Number of rehearsed crystals."""

REHEARSAL_WEIGHT, RIDGE = 1.5, 100.0
"""Settings of the readout's fit, chosen by leaving out each of 84 candidates in turn (error 0.138 eV/atom; 0.36 without
refining) with an eye on the error for real test crystals (0.067; 0.061 without refining)."""

AT_REST = "at rest"
KINDS = (AT_REST, "placed", "scaled")
"""Kinds of rows: relaxed, with the space group kept or not; as placed; and at another volume."""


def kinds_of(table: LabelledCrystals) -> npt.NDArray[np.str_]:
    """Return the kind, of :data:`KINDS`, of each row (N,) of a table from ``crystalgfn data from-structures``."""
    if "source" not in table.crystals.columns:
        return np.full(len(table.target), AT_REST)
    last = [str(source).rpartition(" ")[2] for source in table.crystals.columns["source"]]
    return np.array([word if word in KINDS else AT_REST for word in last])


def refine(
    model: ProxyProperty,
    outcomes: LabelledCrystals,
    copies: LabelledCrystals,
    *,
    rehearsal: LabelledCrystals | None = None,
    seed: int = 0,
    hyperparameters: Hyperparameters = REFINE,
) -> ProxyNetwork:
    """Return a model's network after further training.

    Args:
        model: the model to begin with; it is not changed.
        outcomes: proposed crystals with the energy (eV/atom) that they relaxed to.
        copies: rows of ``crystalgfn data from-structures``; relaxed crystals and their scaled copies are used.
        rehearsal: real crystals. From the table that the model was trained on, only training rows are used, so that
            its test rows stay unseen.
        seed: the same seed gives the same network.
        hyperparameters: of the training of the cell network; its sizes stay as they are.

    Raises:
        PropertyError: the model's network is of a kind that cannot be refined.
    """
    rehearsal_rows = _rehearsal(model, outcomes, rehearsal, seed)
    all_rows = np.ones(len(outcomes.target), dtype=bool)
    outcome_rows = rows_of(outcomes, all_rows, outcomes.target)
    network = model.network
    if isinstance(network, SetNetwork):
        return refit_readout(network, rehearsal_rows.inputs, outcome_rows)
    if not isinstance(network, VolumeNetwork):
        raise PropertyError(
            f"{model.name}: a network of kind {network.config.kind!r} cannot be refined, allowed: set, volume"
        )
    relaxed, cell = refit_readout(network.relaxed, rehearsal_rows.inputs, outcome_rows), copy.deepcopy(network.cell)
    change, mask = changes(copies)
    if mask.any():
        unstrained = Rows(rehearsal_rows.inputs, torch.zeros_like(rehearsal_rows.target))
        strained = rows_of(copies, mask, np.minimum(change, hyperparameters.strained_cap))
        data = TrainingData(
            unstrained, Rows(rehearsal_rows.inputs[torch.arange(0)], rehearsal_rows.target[:0]), extra=strained
        )
        network_of_cell, _ = fit_network(replace(hyperparameters, network=cell.config), data, seed=seed, start=cell)
        cell.load_state_dict(network_of_cell.state_dict())
    return VolumeNetwork.join(relaxed, cell)


def refit_readout(network: SetNetwork, rehearsed: Inputs, new: Rows) -> SetNetwork:
    """Return the network with a readout that also fits new rows, by weighted ridge regression of the errors.

    Args:
        network: a network of M members.
        rehearsed: K crystals whose predictions should stay; together they weigh :data:`REHEARSAL_WEIGHT` times as much
            as the new rows.
        new: N crystals with their energies (eV/atom).
    """
    out = copy.deepcopy(network).eval()
    tables = network.tables()
    with torch.no_grad():
        fresh_inputs, old_inputs = new.inputs.for_all_members(), rehearsed.for_all_members()
        error = (new.target - network(fresh_inputs).mean(0)).double()
        hidden = [network.trunk(x, network.normalised(x), tables).double() for x in (fresh_inputs, old_inputs)]
        weight = REHEARSAL_WEIGHT * len(new) / max(1, len(rehearsed))
        for member, (fresh, old) in enumerate(zip(*hidden, strict=True)):
            mean, spread = fresh.mean(0), fresh.std(0, correction=0) + 1e-6
            a, b = (torch.nn.functional.pad((x - mean) / spread, (0, 1), value=1.0) for x in (fresh, old))
            penalty = torch.full((a.shape[1],), RIDGE, dtype=a.dtype)
            penalty[-1] = 1e-6  # the constant is free
            solution = torch.linalg.solve(a.T @ a + weight * b.T @ b + torch.diag(penalty), a.T @ error)
            slope = solution[:-1] / spread
            scale = network.target_std.double()
            out.out.weight[member, :, 0] += (slope / scale).float()
            out.out.bias[member, 0, 0] += ((solution[-1] - slope @ mean) / scale).float()
    return out


def changes(copies: LabelledCrystals) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the energy (N,) of each row above the relaxed crystal it copies, and which rows (N,) are scaled copies."""
    names = [str(name) for name in copies.crystals.columns.get("material_id", [])]
    place = {name: row for row, name in enumerate(names)}
    base = np.array([place.get(name.rpartition("-")[0], -1) for name in names], dtype=int)
    mask = (kinds_of(copies) == "scaled") & (base >= 0 if len(names) else False)
    change = copies.target - copies.target[base] if len(names) else np.zeros_like(copies.target)
    return np.maximum(change, 0.0), mask


def errors_by_kind(model: ProxyProperty, table: LabelledCrystals) -> dict[str, float]:
    """Return the mean absolute error (eV/atom) of each kind of rows, and the correlation over all; NaN if undefined."""
    predicted = model(table.crystals).double().numpy()
    kinds, out = kinds_of(table), {}
    for kind in KINDS:
        mask = kinds == kind
        out[kind] = float(np.abs(predicted - table.target)[mask].mean()) if mask.any() else float("nan")
    defined = len(predicted) > 2 and np.ptp(predicted) > 0 and np.ptp(table.target) > 0
    return {**out, "correlation": float(np.corrcoef(predicted, table.target)[0, 1]) if defined else float("nan")}


def refined_card(
    model: ProxyProperty, outcomes: LabelledCrystals, copies: LabelledCrystals, seed: int
) -> tuple[dict[str, Any], str]:
    """Return the card of a refined model, which extends the card of the first model, and the text of the card."""
    rows = {"outcomes": len(outcomes.target), "scaled": int(changes(copies)[1].sum())}
    history = [*model.card.get("refined", []), {**rows, "sha256": outcomes.sha256, "seed": seed}]
    card = {**model.card, "refined": history, "metrics": {}}
    text = (
        f"# {model.name}, refined\n\nBegan as {model.name!r}; its readout was fitted to {rows['outcomes']} relaxed "
        f"candidates and its strain energy to {rows['scaled']} copies with other volumes.\n"
    )
    return card, text


def _rehearsal(
    model: ProxyProperty, candidates: LabelledCrystals, rehearsal: LabelledCrystals | None, seed: int
) -> Rows:
    rng = np.random.default_rng(seed)
    if rehearsal is not None:
        column = {z: i for i, z in enumerate(rehearsal.crystals.elements)}
        foreign = [i for z, i in column.items() if z not in _elements(model)]
        usable = ~(rehearsal.crystals.counts[:, foreign] > 0).any(1).numpy()
        split = split_of(rehearsal, model.card)
        if split is not None:
            usable &= split.train
        rows = np.flatnonzero(usable)
        mask = np.zeros(len(usable), dtype=bool)
        mask[rng.permutation(rows)[:REHEARSED]] = True
        return rows_of(rehearsal, mask, rehearsal.target)
    elements = [z for z in candidates.crystals.elements if z in _elements(model)]
    vocabulary = Crystals(
        tuple(elements), torch.arange(1, 231), torch.ones(230, len(elements), dtype=torch.int64), torch.ones(230, 6)
    )
    crystals = random_crystals(vocabulary, REHEARSED, seed=seed)
    return Rows(Featuriser()(crystals), model(crystals))


def _elements(model: ProxyProperty) -> set[int]:
    return {atomic_number(symbol) for symbol in model.card["domain"]["elements"]}
