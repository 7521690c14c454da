"""The pages: a report about one set of crystals, and a comparison of several."""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from crystalgfn.errors import DataError
from crystalgfn.evaluation.funnel import funnel
from crystalgfn.evaluation.inputs import Data, References, evaluate, summarised, with_references
from crystalgfn.files.reading import read_numbers
from crystalgfn.report.page import chemistry, energies, geometry, parts, symmetry, training
from crystalgfn.report.page.atoms import viewable
from crystalgfn.report.page.constraints import funnel_figure
from crystalgfn.report.page.document import Page, Section, asset, definition_list, folded
from crystalgfn.report.page.figure import Figure, Floats, Series
from crystalgfn.report.page.patterns import patterns
from crystalgfn.report.page.table import table
from crystalgfn.runs.folder import MOST_METRICS

LIBRARIES = ("numpy", "torch", "pymatgen", "scipy", "smact", "plotly")

MOST_FILES = 2_000
"""Most CIF files in a page, of the best structures."""


def report(
    data: Data,
    references: References | None = None,
    *,
    baseline: Data | None = None,
    metrics: Mapping[str, Floats] | None = None,
    smact: bool = True,
) -> Page:
    """Return a page about crystals or structures.

    Args:
        data: crystals or structures from :func:`crystalgfn.evaluation.inputs.read_data`, or samples of a run.
        references: known crystals to draw beside them.
        baseline: other samples, such as those of an untrained model.
        metrics: training curves of a run.
        smact: whether to test charges with SMACT.

    Raises:
        DataError: there is nothing to report on.
    """
    references = references or References()
    data, references = with_references(data, references)
    summary = summarised(data, references, smact=smact)
    if not len(data.crystals):
        raise DataError(f"{data.name}: no crystal that could be read, allowed: 1 or more")
    series = [Series(data.name, data.crystals, data.methods, data.doubts)]
    if references.crystals is not None:
        series.append(Series(references.name, references.crystals))
    if baseline is not None:
        series.append(Series(baseline.name, baseline.crystals, baseline.methods))
    rows = table(data)
    order = [int(row) for row in rows["columns"][0]["values"]]
    atoms, elements = viewable(data, order)
    content: dict[str, Any] = {"table": rows, "atoms": atoms, "elements": elements, "cif": _files(data, order)}
    if data.candidates is not None:
        content["patterns"] = patterns(data.candidates.structures, atoms)
    source = next(iter(data.methods.values()), "")
    sections = [
        Section(
            "candidates",
            "Candidates",
            parts.broken(summary) + (asset("viewer.html") if atoms else "") + asset("candidates.html"),
        ),
        *figure_sections(series),
    ]
    if data.constraints is not None and data.candidates is None:
        counts = funnel(data.constraints, data.crystals)
        sections.append(Section("constraints", "Constraints", "", [funnel_figure(counts, data.name)]))
    if metrics and (curves := training.figures(metrics)):
        sections.append(Section("training", "Training", "", curves))
    sections.append(
        Section("numbers", "All numbers", folded("Every number with its method", parts.numbers({data.name: summary})))
    )
    sections.append(Section("provenance", "Provenance", _provenance(data, summary)))
    return Page(data.name, _lead(data, summary), parts.tiles(summary, source.split(",")[0]), sections, content)


def compare(items: Sequence[Data], references: References | None = None, *, smact: bool = True) -> Page:
    """Return a page that shows several sets of crystals or structures side by side.

    Args:
        items: two or more sets, under different names.
        references: known crystals that each set is compared with.
        smact: whether to test charges with SMACT.

    Raises:
        DataError: there are fewer than two sets, or two under one name.
    """
    names = [item.name for item in items]
    if len(items) < 2 or len(set(names)) < len(names):
        raise DataError(f"compare: found {', '.join(names)}, allowed: two or more with different names")
    references = references or References()
    summaries = {item.name: evaluate(item, references, smact=smact) for item in items}
    series = [Series(item.name, item.crystals, item.methods) for item in items if len(item.crystals)]
    if references.crystals is not None:
        series.append(Series(references.name, references.crystals))
    tiles = [(item.name, f"{len(item.crystals):,}", _headline(item, summaries[item.name])) for item in items]
    warnings = "".join(parts.broken(one) for one in summaries.values())
    origin = "".join(folded(item.name, definition_list(item.provenance)) for item in items)
    sections = [
        Section("numbers", "Numbers", warnings + parts.numbers(summaries)),
        *figure_sections(series),
        Section("provenance", "Provenance", origin + definition_list(_versions(next(iter(summaries.values()))))),
    ]
    lead = "The same numbers and figures for each. A difference of energies means something only where methods agree."
    return Page(" · ".join(names), lead, tiles, sections)


def figure_sections(series: Sequence[Series]) -> list[Section]:
    """Return the sections that have figures."""
    groups: tuple[tuple[str, str, list[Figure]], ...] = (
        ("energies", "Energies", energies.figures(series)),
        ("composition", "Composition", chemistry.figures(series)),
        ("symmetry", "Symmetry", symmetry.figures(series)),
        ("cells", "Cells", geometry.figures(series)),
    )
    return [Section(key, title, "", figures) for key, title, figures in groups if figures]


def read_metrics(path: Path) -> dict[str, Floats]:
    """Read the training curves of a run: the numbers of metrics.csv by column.

    Raises:
        DataError: the file is unreadable.
    """
    try:
        columns = read_numbers(path, most=MOST_METRICS)
    except DataError as error:
        raise DataError(f"{error}; not readable as training metrics") from None
    return {name: np.array(values, dtype=float) for name, values in columns.items()}


def _files(data: Data, order: Sequence[int]) -> dict[int, str]:
    if data.candidates is None:
        return {}
    return {row: data.candidates.cifs[row] for row in order[:MOST_FILES] if row in data.candidates.cifs}


def _lead(data: Data, summary: Mapping[str, Any]) -> str:
    if data.candidates is not None:
        potential = data.provenance.get("potential")
        how = f"relaxed with {potential}" if potential else "as their files give them"
        of = f"shares are of all {len(data.candidates):,} handed in"
        by = data.candidates.table.ranked_by
        order = f"best first by {by}, doubtful ones (*) last" if by else "in their order"
        return f"{len(data.crystals):,} structures {how}, {order}; {of}."
    energy = next(iter(data.methods.values()), None)
    source = f" Energies: {energy}." if energy else ""
    return f"{len(data.crystals):,} crystals: space group, composition and cell; no atoms are placed yet.{source}"


def _headline(data: Data, summary: Mapping[str, Any]) -> str:
    if data.candidates is not None:
        return (
            f"structures; {parts.percent(parts.value(summary, 'stability.stable_0.1'))} within 0.1 eV/atom of the hull"
        )
    median = parts.value(summary, "energy.median")
    energy = "" if median is None else f"; median energy {median:.2f} eV/atom".replace("-", "−")
    return f"crystals in {parts.value(summary, 'diversity.n_space_groups')} space groups{energy}"


def _provenance(data: Data, summary: Mapping[str, Any]) -> str:
    plain = {
        key: Path(value).name if str(value).startswith("/") else value
        for key, value in data.provenance.items()
        if not (isinstance(value, str) and "\n" in value)
    }
    energies_of = {f"energies in “{name.strip()}”": method for name, method in data.methods.items()}
    entries = {**plain, **energies_of, "reference": summary["reference"] or "none", **_versions(summary)}
    texts = [(key, value) for key, value in data.provenance.items() if isinstance(value, str) and "\n" in value]
    more = "".join(folded(key, f"<pre tabindex=0>{html.escape(value)}</pre>") for key, value in texts)
    return f"<div class=card>{definition_list(entries)}</div>{more}"


def _versions(summary: Mapping[str, Any]) -> dict[str, str]:
    versions = {"made": summary["made"], "crystalgfn": summary["crystalgfn"], "python": platform.python_version()}
    for package in LIBRARIES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
