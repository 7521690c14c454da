"""Model cards as text, and the rows of their tables of errors."""

from __future__ import annotations

from typing import Any

import numpy as np


def card_text(card: dict[str, Any]) -> str:
    """Return the card as markdown."""
    data, domain = card["data"], card["domain"]
    fits_validation = card["split"].get("fits_validation", False)
    epochs = "epochs kept, the last" if fits_validation else "epochs kept by validation error"
    validation = "fitted as well in this last run" if fits_validation else "for validation"
    lines = [
        f"# {card['name']}",
        "",
        f"Predicts {card['property']} in {card['unit']} from {_inputs(card)}; atom positions are not asked for.",
        "",
        f"- made by: `{card['command']}`",
        *([f"- its members come after those of `{card['appended_to']['command']}`"] if "appended_to" in card else []),
        f"- recipe `{card['recipe']}`, seed {card['seed']}; {epochs}: "
        + ", ".join(f"{s['name']} {s['epoch_kept']} of {s['epochs_run']}" for s in card["stages"]),
        f"- data: {data['rows']:,} real rows, sha256 `{data['sha256']}`",
    ]
    if data["strained_rows"]:
        lines.append(f"- strained copies: {data['strained_rows']:,} rows, sha256 `{data['strained_sha256']}`")
    if data.get("relaxed_rows"):
        lines.append(
            f"- relaxed samples: {data['relaxed_rows']:,} rows, sha256 `{data['relaxed_sha256']}`; one formula in five "
            "is held back"
        )
    if data["hull_sha256"] and "relaxed" in card["metrics"]:
        lines.append(
            f"- hull entries: sha256 `{data['hull_sha256']}`; none of a held-out or held-back formula is used. They "
            "teach formation energies of compositions in no known structure"
        )
    elif data["hull_sha256"]:
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
    real = card["metrics"]["real"]
    for kind in ("metals", "classes"):
        lines += ["", class_line(real[kind], kind)] if kind in real else []
    if "formation_energy" in card["metrics"]:
        lines += ["", formation_line(card["metrics"])]
    relaxed = card["metrics"].get("relaxed")
    if relaxed:
        lines += ["", "## Held-back relaxed samples", "", *_markdown(RELAXED_HEADER, relaxed_rows(relaxed)), ""]
        lines += [within_line(relaxed)]
    strained = card["metrics"].get("strained")
    if strained:
        lines += ["", "## Errors on strained copies of test formulas", "", *_strained_table(strained)]
    lines += ["", "## Sources", "", *(f"- {c}" for c in card["citations"]), "", f"Licence: {card['licence']}.", ""]
    return "\n".join(lines)


def real_rows(real: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of errors, with the columns of :data:`REAL_HEADER`, in the unit of the property."""
    out = []
    for name, errors in real["groups"].items():
        if errors["n"]:
            numbers = (f"{errors[key]:.4f}" for key in ("mae", "median", "p95", "bias"))
            out.append((name, f"{errors['n']:,}", *numbers))
    return out


def strained_rows(strained: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the strained table, with the columns of :data:`STRAINED_HEADER`."""
    out = []
    for name, errors in strained.items():
        energy, change, capped = errors["energy"], errors["change"], errors["change_capped_5"]
        if energy["n"]:
            numbers = [energy["mae"], energy["median"], energy["p95"], change["mae"], change.get("correlation", np.nan)]
            numbers += [capped["mae"], capped.get("correlation", np.nan)]
            out.append((name, f"{energy['n']:,}", *(f"{value:.4f}" for value in numbers)))
    return out


def relaxed_rows(relaxed: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of relaxed samples, with the columns of :data:`RELAXED_HEADER`."""
    out = []
    for name, measures in relaxed["groups"].items():
        numbers = [f"{measures[key]:.3f}" for key in ("mae", "bias")]
        numbers += [f"{measures.get(key, np.nan):.2f}" for key in ("rank_correlation", "auc")]
        numbers += [f"{measures[key]:.0%}" for key in ("stable", "precision", "recall")]
        out.append((name, f"{measures['n']:,}", *numbers))
    return out


def class_line(quality: dict[str, float], kind: str) -> str:
    """A line about how well ``"metals"``, or the rows with label 1 (``"classes"``), are told from others."""
    what, share = ("Metals", quality["metals"]) if kind == "metals" else ("Rows of class 1", quality["ones"])
    text = f"{what} ({share:.1%} of {quality['n']:,} rows) and others: {quality['accuracy']:.1%} on the right side at"
    area = f"{quality['auc']:.3f}" if "auc" in quality else "unknown, since all rows are of one class"
    return f"{text} even odds, area under the curve {area}."


def formation_line(metrics: dict[str, Any]) -> str:
    """A line about the second output of a model of the energy above the hull."""
    formation = metrics["formation_energy"]
    if not formation["n"]:
        return "Formation energy: no labels."
    return f"Formation energy: MAE {formation['mae']:.4f} eV/atom on {formation['n']:,} real rows."


def within_line(relaxed: dict[str, Any]) -> str:
    """A line about the deviation that the model gives."""
    return (
        f"{relaxed['within_deviation']:.0%} of the errors are within one standard deviation, on {relaxed['n_within']} "
        "held-back samples that did not set it."
    )


def _inputs(card: dict[str, Any]) -> str:
    if card["recipe"] == "orbits":
        return "space group and elements on Wyckoff positions"
    return "space group, composition and the lattice of the conventional cell"


REAL_HEADER = ("rows", "n", "MAE", "median", "p95", "bias")
RELAXED_HEADER = (
    "class",
    "n",
    "MAE",
    "bias",
    "rank correlation",
    "AUC",
    "stable at 0.08",
    "precision",
    "recall",
)
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
