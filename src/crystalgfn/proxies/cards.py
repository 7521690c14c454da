"""Model cards: on what data a proxy was trained, and how."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from crystalgfn import __version__
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.labels import FORMATION_ENERGY, Label
from crystalgfn.proxies.phases import Phase
from crystalgfn.proxies.training import Epoch

MATERIALS_PROJECT = "Materials Project, CC BY 4.0: A. Jain et al., APL Materials 1, 011002 (2013)"
CITATIONS = {
    "MP": MATERIALS_PROJECT,
    "MATERIALS_PROJECT": MATERIALS_PROJECT,
    "MATBENCH_MP_E_FORM": f"{MATERIALS_PROJECT}; MatBench: A. Dunn et al., npj Computational Materials 6, 138 (2020)",
    "WBM": "WBM: H.-C. Wang, S. Botti, M. A. L. Marques, npj Computational Materials 7, 12 (2021)",
}
"""Citations by the sources that the column ``source`` of a table names."""
CITATION_CHGNET = (
    "CHGNet (labels of strained copies and relaxed samples): B. Deng et al., Nature Machine Intelligence 5, 1031 (2023)"
)


def make_card(
    name: str,
    table: LabelledCrystals,
    recipe: str,
    phases: list[Phase],
    histories: dict[str, list[Epoch]],
    *,
    seed: int,
    command: str,
    strained: LabelledCrystals | None,
    hull_sha256: str | None,
    relaxed: LabelledCrystals | None = None,
    label: Label = FORMATION_ENERGY,
    with_validation: bool = False,
    split_seed: int | None = None,
    appended_to: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the card of a trained model as plain values; its metrics are left empty.

    Args:
        with_validation: whether the validation rows were fitted as well, and the last epoch was kept.
        split_seed: seed of the split, where it differs from ``seed``.
        appended_to: card of the model whose members come first; the entries on strained copies are taken from it.

    Raises:
        ConfigError: the model of ``appended_to`` was trained on other data.
    """
    crystals = table.crystals
    present = (crystals.counts > 0).any(0).cpu().numpy()
    per_atom = crystals.volume_per_atom.cpu().numpy()
    n_atoms = crystals.n_atoms.cpu().numpy()
    card: dict[str, Any] = {
        "name": name,
        "target": label.name,
        "unit": label.unit,
        "column": label.column,
        "property": label.text if _is_known(table) or label.is_of_user else f"{bare_text(label)}, as given by the user",
        **({"transformation": str(label.transformation)} if label.is_of_user else {}),
        "command": command,
        "recipe": recipe,
        "seed": seed,
        "stages": [
            {
                "name": phase.name,
                "epochs_run": len(histories[phase.name]),
                "epoch_kept": 1 + max(epoch.number for epoch in histories[phase.name] if epoch.best),
                **{key: value for key, value in asdict(phase.hyperparameters).items() if key != "network"},
            }
            for phase in phases
        ],
        "data": {
            "sha256": table.sha256,
            "rows": len(crystals),
            "strained_sha256": strained.sha256 if strained is not None else None,
            "strained_rows": len(strained.crystals) if strained is not None else 0,
            "hull_sha256": hull_sha256,
            **({"relaxed_sha256": relaxed.sha256, "relaxed_rows": len(relaxed.crystals)} if relaxed else {}),
        },
        "split": {
            "kind": "reduced formula, stratified by target",
            "seed": seed if split_seed is None else split_seed,
            "validation": 0.1,
            "test": 0.1,
            "fits_validation": with_validation,
        },
        "domain": {
            "elements": [SYMBOLS[z] for z, used in zip(crystals.elements, present, strict=True) if used],
            "space_groups": len(np.unique(crystals.space_group.cpu().numpy())),
            "n_atoms": [int(n_atoms.min()), int(n_atoms.max())],
            "volume_per_atom": [float(per_atom.min()), float(per_atom.max())],
            label.name: [float(table.target.min()), float(table.target.max())],
            "volume_ratio_of_strained": [0.5, 2.5] if strained is not None else None,
        },
        "metrics": {},
        "citations": [
            *citations_of(table),
            *([CITATION_CHGNET] if strained is not None or relaxed is not None else []),
        ],
        "licence": "weights: as the package; they derive from data under CC BY 4.0, so keep the citations"
        if _is_known(table)
        else "weights: as the data they derive from, which the user gave",
        "versions": {
            "crystalgfn": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "numpy")},
        },
    }
    if appended_to is not None:
        first = appended_to
        if any(first["data"][key] != card["data"][key] for key in ("sha256", "rows")):
            raise ConfigError(f"model {first['name']!r} was trained on other data")
        card["appended_to"] = {key: first[key] for key in ("command", "stages", "seed", "versions")}
        card["recipe"] = first["recipe"]
        for key in ("strained_sha256", "strained_rows"):
            card["data"][key] = first["data"][key]
        card["domain"]["volume_ratio_of_strained"] = first["domain"]["volume_ratio_of_strained"]
        card["citations"] = first["citations"]
    return card


def citations_of(table: LabelledCrystals) -> list[str]:
    """Return what to cite for the rows of a table, by its column ``source``; others are given by the user."""
    sources = sorted(set(table.sources.tolist()))
    known = dict.fromkeys(CITATIONS[source] for source in sources if source in CITATIONS)
    others = [source.lower() for source in sources if source not in CITATIONS]
    named = f" (source: {', '.join(others[:5])})" if others and others != ["all"] else ""
    return [*known, *([f"given by the user: {table.name}{named}"] if others else [])]


def bare_text(label: Label) -> str:
    """Return the description of a label without the method of its numbers."""
    return label.text.split(" (")[0]


def _is_known(table: LabelledCrystals) -> bool:
    return all(source in CITATIONS for source in set(table.sources.tolist()))
