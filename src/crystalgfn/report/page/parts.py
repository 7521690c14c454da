"""Texts and HTML parts of a page: tiles, the table of all numbers, and a warning of broken files."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]


def value(summary: Summary, path: str) -> float | None:
    """Return a number of :func:`crystalgfn.evaluation.inputs.evaluate` by group and name, or None."""
    group, name = path.split(".", 1)
    number = summary["metrics"].get(group, {}).get(name)
    return None if number is None else number["value"]


def percent(share: float | None) -> str:
    """Write a share in per cent."""
    return "–" if share is None else f"{100 * share:.1f} %".replace(".0 %", " %")


def tiles(summary: Summary, energy_note: str) -> list[tuple[str, str, str]]:
    """Return the main numbers: label, value and note of each."""
    if "outcome" in summary["metrics"]:
        return _structure_tiles(summary)
    n = summary["metrics"]["uniqueness"]["modes"]["n"]
    out = [
        ("Crystals", f"{n:,}", f"{value(summary, 'uniqueness.modes'):,} distinct formulas and groups"),
        (
            "Space groups",
            f"{value(summary, 'diversity.n_space_groups')} of 230",
            f"{value(summary, 'diversity.n_elements')} elements",
        ),
        ("Plausible cells", percent(value(summary, "validity.plausible")), "5 to 60 Å³/atom, no length below 2 Å"),
        (
            "Charge neutral",
            percent(value(summary, "validity.neutral_per_element")),
            "one oxidation state an element",
        ),
    ]
    if (median := value(summary, "energy.median")) is not None:
        out.insert(1, ("Median energy, eV/atom", f"{median:.2f}".replace("-", "−"), energy_note))
    if (smact := value(summary, "validity.smact")) is not None:
        out.append(("SMACT valid", percent(smact), "oxidation states smact14"))
    if (ess := value(summary, "weights.ess")) is not None:
        log_z, elbo = value(summary, "weights.log_z"), value(summary, "weights.elbo")
        note = f"log Z {log_z:.2f}, lower bound {elbo:.2f}" if log_z is not None and elbo is not None else ""
        out.append(("Effective sample size", percent(ess), note))
    if (new := value(summary, "reference.novel_formula")) is not None:
        out.append(("New formulas", percent(new), f"not in {summary['reference']}"))
    return out


def _structure_tiles(summary: Summary) -> list[tuple[str, str, str]]:
    n = value(summary, "outcome.submitted")
    stability = summary["metrics"]["stability"]
    out = [
        ("Structures", percent(value(summary, "outcome.structures")), f"of {n:,} crystals handed in"),
        ("Valid", percent(value(summary, "validity.lemat")), "by LeMat-GenBench's rules"),
        ("Unique", percent(value(summary, "uniqueness.unique")), "pymatgen StructureMatcher"),
    ]
    if (new := value(summary, "uniqueness.novel")) is not None:
        out.append(("Novel", percent(new), "no match among known structures"))
    if stability["stable_0.1"]["value"] is not None:
        near = stability["stable_0.1"]["method"].removeprefix("share: ").split(" energy")[0]
        judged = stability["e_above_hull"]["n"]
        only = "" if judged == n else f"; {judged:,} of {n:,} could be judged"
        out.append(_near_hull(summary, "Within 0.1 eV/atom of the hull", "0.1", f"by {near}{only}"))
        out.append(_near_hull(summary, "On the hull", "0", f"by {near}, not DFT"))
    if (sun := value(summary, "stability.sun_flagged_excluded_0.1")) is not None:
        with_doubts = percent(value(summary, "stability.sun_0.1"))
        strict = value(summary, "stability.sun_unknown_formula_only_0.1")
        rest = "" if strict is None else f"; {percent(strict)} of unknown formulas"
        out.append(
            ("S.U.N. at 0.1 eV/atom", percent(sun), f"stable, unique, novel; {with_doubts} with doubtful ones{rest}")
        )
    return out


def _near_hull(summary: Summary, label: str, threshold: str, note: str) -> tuple[str, str, str]:
    """Return the tile of candidates without doubts up to an energy above hull, with doubtful ones beside."""
    n, sure = value(summary, "outcome.submitted"), value(summary, f"stability.n_unflagged_{threshold}")
    all_of_them = round((value(summary, f"stability.stable_{threshold}") or 0) * (n or 0))
    return label, f"{sure:,} of {n:,}", f"{note}; {all_of_them:,} with doubtful ones"


def numbers(summaries: Mapping[str, Summary]) -> str:
    """Return all numbers as an HTML table, with a column for each summary, and the method or methods."""
    names = list(summaries)
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for source, summary in summaries.items():
        for group, entries in summary["metrics"].items():
            for name, number in entries.items():
                groups.setdefault(group, {}).setdefault(name, {})[source] = number["method"]
    rows = []
    for group, methods_of in groups.items():
        rows.append(f'<tr class=group><th colspan="{len(names) + 2}" scope=rowgroup>{html.escape(group)}</th></tr>')
        for name, methods in methods_of.items():
            cells = "".join(f"<td class=number>{_written(summaries[n], group, name)}</td>" for n in names)
            label = html.escape(name.replace("_", " "))
            rows.append(f"<tr><th scope=row>{label}</th>{cells}<td class=method>{_methods(methods)}</td></tr>")
    heads = "".join(f"<th scope=col class=number>{html.escape(name)}</th>" for name in names)
    head = f"<thead><tr><th scope=col>number</th>{heads}<th scope=col>method</th></tr></thead>"
    body = f"<table class=numbers>{head}<tbody>{''.join(rows)}</tbody></table>"
    return f'<div class=scroll tabindex=0 role=region aria-label="All numbers">{body}</div>'


def _methods(by_source: Mapping[str, str]) -> str:
    if len(set(by_source.values())) == 1:
        return html.escape(next(iter(by_source.values())))
    return "<br>".join(html.escape(f"{source}: {method}") for source, method in by_source.items())


def _written(summary: Summary, group: str, name: str) -> str:
    number = summary["metrics"].get(group, {}).get(name)
    if number is None or number["value"] is None:
        return "–"
    shown = number["value"]
    if isinstance(shown, int):
        return f"{shown:,}"
    share = "share" in number["method"].split(":")[0].split(" of ")[0] and 0 <= shown <= 1
    if not share:
        return f"{shown:.4g}".replace("-", "−")
    error = number.get("standard_error")
    return percent(shown) if not error else f"{percent(shown).removesuffix(' %')} ± {percent(error)}"


def broken(summary: Summary) -> str:
    """Return a warning that names the files that could not be read, or nothing."""
    if not summary["broken"]:
        return ""
    files: Sequence[tuple[str, str]] = list(summary["broken"].items())
    listed = "".join(f"<li>{html.escape(file)}: {html.escape(reason)}</li>" for file, reason in files[:200])
    more = f"<li>and {len(files) - 200} more</li>" if len(files) > 200 else ""
    head = f"{len(files)} files could not be read"
    return f"<details class=warning><summary>{head}</summary><ul>{listed}{more}</ul></details>"
