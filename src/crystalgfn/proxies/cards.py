"""Model cards: what a proxy was trained on, how, and how well it does."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from crystalgfn import __version__
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.data.tabledata import Table
from crystalgfn.proxies.data.targets import FORMATION_ENERGY, Target
from crystalgfn.proxies.training import Epoch
from crystalgfn.proxies.workflow import Stage

CITATIONS = (
    "Materials Project, CC BY 4.0: A. Jain et al., APL Materials 1, 011002 (2013)",
    "WBM: H.-C. Wang, S. Botti, M. A. L. Marques, npj Computational Materials 7, 12 (2021)",
)
CITATION_CHGNET = "CHGNet (labels of the strained copies): B. Deng et al., Nature Machine Intelligence 5, 1031 (2023)"


def make_card(
    name: str,
    table: Table,
    recipe: str,
    stages: list[Stage],
    histories: dict[str, list[Epoch]],
    *,
    seed: int,
    command: str,
    strained: Table | None,
    hull_sha256: str | None,
    target: Target = FORMATION_ENERGY,
    with_validation: bool = False,
    split_seed: int | None = None,
    appended_to: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the card of a trained model as plain values.

    Args:
        with_validation: the validation rows were fitted as well, and the last epoch was kept.
        split_seed: of the split, where it is not ``seed``.
        appended_to: card of the model whose members come first; what is said of strained copies is taken from it.
    """
    crystals = table.crystals
    held = (crystals.counts > 0).any(0).cpu().numpy()
    per_atom = crystals.volume_per_atom.cpu().numpy()
    n_atoms = crystals.n_atoms.cpu().numpy()
    card: dict[str, Any] = {
        "name": name,
        "target": target.name,
        "unit": target.unit,
        "property": target.text,
        "command": command,
        "recipe": recipe,
        "seed": seed,
        "stages": [
            {
                "name": stage.name,
                "epochs_run": len(histories[stage.name]),
                "epoch_kept": 1 + max(epoch.number for epoch in histories[stage.name] if epoch.best),
                **{key: value for key, value in asdict(stage.recipe).items() if key != "network"},
            }
            for stage in stages
        ],
        "data": {
            "sha256": table.sha256,
            "rows": len(crystals),
            "strained_sha256": strained.sha256 if strained is not None else None,
            "strained_rows": len(strained.crystals) if strained is not None else 0,
            "hull_sha256": hull_sha256,
        },
        "split": {
            "kind": "reduced formula, stratified by target",
            "seed": seed if split_seed is None else split_seed,
            "validation": 0.1,
            "test": 0.1,
            "fits_validation": with_validation,
        },
        "domain": {
            "elements": [SYMBOLS[z] for z, used in zip(crystals.elements, held, strict=True) if used],
            "space_groups": len(np.unique(crystals.space_group.cpu().numpy())),
            "n_atoms": [int(n_atoms.min()), int(n_atoms.max())],
            "volume_per_atom": [float(per_atom.min()), float(per_atom.max())],
            target.name: [float(table.target.min()), float(table.target.max())],
            "volume_ratio_of_strained": [0.5, 2.5] if strained is not None else None,
        },
        "metrics": {},
        "citations": [*CITATIONS, *([CITATION_CHGNET] if strained is not None else [])],
        "licence": "weights: as the package; they derive from data under CC BY 4.0, so keep the citations",
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


def card_text(card: dict[str, Any]) -> str:
    """Return the card as markdown."""
    data, domain = card["data"], card["domain"]
    fits_validation = card["split"].get("fits_validation", False)
    kept = "epochs kept, the last" if fits_validation else "epochs kept by validation error"
    validation = "fitted as well in this last run" if fits_validation else "for validation"
    lines = [
        f"# {card['name']}",
        "",
        f"Predicts {card['property']} in {card['unit']} from space group, composition and the lattice of the "
        "conventional cell; atom positions are not asked for.",
        "",
        f"- made by: `{card['command']}`",
        *([f"- its members come after those of `{card['appended_to']['command']}`"] if "appended_to" in card else []),
        f"- recipe `{card['recipe']}`, seed {card['seed']}; {kept}: "
        + ", ".join(f"{s['name']} {s['epoch_kept']} of {s['epochs_run']}" for s in card["stages"]),
        f"- data: {data['rows']:,} real rows, sha256 `{data['sha256']}`",
    ]
    if data["strained_rows"]:
        lines.append(f"- strained copies: {data['strained_rows']:,} rows, sha256 `{data['strained_sha256']}`")
    if data["hull_sha256"]:
        lines.append(
            f"- hull entries: sha256 `{data['hull_sha256']}`; none of a {'test' if fits_validation else 'held-out'} "
            "formula is used. They teach the hull energy of compositions in no known structure, and a floor under "
            "random crystals"
        )
    lines += [
        f"- split: {card['split']['kind']}; 10 % of the formulas {validation}, 10 % for test",
        f"- domain: {len(domain['elements'])} elements ({' '.join(domain['elements'])}); {domain['space_groups']} "
        f"space groups; {domain['n_atoms'][0]} to {domain['n_atoms'][1]} atoms a conventional cell; "
        f"{domain['volume_per_atom'][0]:.1f} to {domain['volume_per_atom'][1]:.1f} A^3/atom",
        f"- versions: {', '.join(f'{k} {v}' for k, v in card['versions'].items())}",
        "",
        "## Errors on test rows",
        "",
        *_real_table(card["metrics"]["real"]),
    ]
    metals = card["metrics"]["real"].get("metals")
    if metals:
        lines += [
            "",
            f"Metals ({metals['metals']:.1%} of {metals['n']:,} rows) and others: {metals['accuracy']:.1%} on the "
            f"right side at even odds, area under the curve {metals.get('auc', np.nan):.3f}.",
        ]
    strained = card["metrics"].get("strained")
    if strained:
        lines += ["", "## Errors on strained copies of test formulas", "", *_strained_table(strained)]
    lines += ["", "## Sources", "", *(f"- {c}" for c in card["citations"]), "", f"Licence: {card['licence']}.", ""]
    return "\n".join(lines)


def real_rows(real: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of errors: group, n, MAE, median, p95, bias (unit of the property)."""
    out = []
    for name, found in real["groups"].items():
        if found["n"]:
            numbers = (f"{found[key]:.4f}" for key in ("mae", "median", "p95", "bias"))
            out.append((name, f"{found['n']:,}", *numbers))
    return out


def strained_rows(strained: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the strained table: group, n, MAE and median of the energy; MAE and correlation of its change."""
    out = []
    for name, found in strained.items():
        energy, change, capped = found["energy"], found["change"], found["change_capped_5"]
        if energy["n"]:
            numbers = [energy["mae"], energy["median"], energy["p95"], change["mae"], change.get("correlation", np.nan)]
            numbers += [capped["mae"], capped.get("correlation", np.nan)]
            out.append((name, f"{energy['n']:,}", *(f"{value:.4f}" for value in numbers)))
    return out


REAL_HEADER = ("rows", "n", "MAE", "median", "p95", "bias")
STRAINED_HEADER = (
    "strain",
    "n",
    "MAE",
    "median",
    "p95",
    "MAE of change",
    "correlation of change",
    "MAE, capped at 5 eV",
    "correlation, capped at 5 eV",
)


def _real_table(real: dict[str, Any]) -> list[str]:
    return _markdown(REAL_HEADER, real_rows(real))


def _strained_table(strained: dict[str, Any]) -> list[str]:
    return _markdown(STRAINED_HEADER, strained_rows(strained))


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
