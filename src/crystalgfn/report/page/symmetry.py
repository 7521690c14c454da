"""Figures of symmetry: space groups and crystal-lattice systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS, HM_SYMBOL
from crystalgfn.report.page.figure import Figure, Series, axis, rounded


def figures(series: Sequence[Series]) -> list[Figure]:
    """Return the figures of symmetry."""
    return [groups(series), systems(series), sunburst(series[0])]


def groups(series: Sequence[Series]) -> Figure:
    """Return the share of crystals in each of the 230 space groups."""
    traces, words = [], []
    for one in series:
        numbers = np.bincount(one.crystals.space_group.cpu().numpy(), minlength=231)[1:]
        groups = np.flatnonzero(numbers)
        share = 100 * numbers[groups] / max(len(one.crystals), 1)
        traces.append(
            {
                "type": "bar",
                "name": one.name,
                "x": (groups + 1).tolist(),
                "y": rounded(share, 3),
                "text": [HM_SYMBOL[group + 1] for group in groups.tolist()],
                "textposition": "none",
                "opacity": 0.7 if len(series) > 1 else 1,
                "hovertemplate": "%{x} %{text}: %{y} %<extra>%{fullData.name}</extra>",
            }
        )
        most = groups[np.argsort(-share)[:3]].tolist()
        words.append(f"{one.name}: {len(groups)} of 230, most often " + ", ".join(HM_SYMBOL[g + 1] for g in most))
    layout = {
        "xaxis": axis("international number", range=[0, 231]),
        "yaxis": axis("crystals (%)"),
        "barmode": "overlay" if len(series) > 1 else "group",
        "bargap": 0,
        "showlegend": len(series) > 1,
    }
    alt = f"Space groups. {'; '.join(words)}."
    return Figure("groups", "Space groups", "Share of crystals in each space group.", alt, traces, layout, True)


def systems(series: Sequence[Series]) -> Figure:
    """Return the share of crystals in each crystal-lattice system."""
    traces: list[dict[str, Any]] = []
    for one in series:
        codes = CRYSTAL_LATTICE_SYSTEM[one.crystals.space_group.cpu().numpy()]
        share = 100 * np.bincount(codes, minlength=9)[1:] / max(len(codes), 1)
        traces.append(
            {
                "type": "bar",
                "name": one.name,
                "x": list(CRYSTAL_LATTICE_SYSTEMS),
                "y": rounded(share, 3),
                "hovertemplate": "%{x}: %{y} %<extra>%{fullData.name}</extra>",
            }
        )
    top = int(np.argmax([value or 0 for value in traces[0]["y"]]))
    alt = f"Crystal-lattice systems. Most frequent in {series[0].name}: {CRYSTAL_LATTICE_SYSTEMS[top]}."
    layout = {
        "yaxis": axis("crystals (%)"),
        "xaxis": {"type": "category"},
        "barmode": "group",
        "showlegend": len(series) > 1,
    }
    caption = "Crystal systems; trigonal groups are divided by their lattice."
    return Figure("systems", "Crystal-lattice systems", caption, alt, traces, layout)


def sunburst(series: Series) -> Figure:
    """Return crystal-lattice systems and their space groups as rings."""
    group = series.crystals.space_group.cpu().numpy()
    numbers = np.bincount(group, minlength=231)
    ids, labels, parents, values = [], [], [], []
    for code, system in enumerate(CRYSTAL_LATTICE_SYSTEMS, 1):
        members = [g for g in range(1, 231) if CRYSTAL_LATTICE_SYSTEM[g] == code and numbers[g]]
        if not members:
            continue
        ids.append(system)
        labels.append(system)
        parents.append("")
        values.append(int(numbers[members].sum()))
        for g in members:
            ids.append(str(g))
            labels.append(f"{g} {HM_SYMBOL[g]}")
            parents.append(system)
            values.append(int(numbers[g]))
    trace = {
        "type": "sunburst",
        "ids": ids,
        "labels": labels,
        "parents": parents,
        "values": values,
        "branchvalues": "total",
        "insidetextorientation": "radial",
        "hovertemplate": "%{label}: %{value} crystals, %{percentRoot:.1%}<extra></extra>",
    }
    return Figure(
        "sunburst",
        "Systems and their space groups",
        f"{series.name}: choose a system to enlarge it.",
        f"{series.name}: {len(ids) - parents.count('')} space groups in {parents.count('')} crystal-lattice systems.",
        [trace],
        {"margin": {"l": 8, "r": 8, "t": 8, "b": 8}},
    )
