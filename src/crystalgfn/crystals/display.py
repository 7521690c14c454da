"""How crystals look at a prompt and in a notebook: ten rows and a picture, whatever their number."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from crystalgfn.crystallography.elements import FORMULA_ORDER, SYMBOLS
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS, HM_SYMBOL
from crystalgfn.crystals.tables.schema import Batch

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10
"""Crystals that are shown."""

MOST_COLUMNS = 6
"""Most further columns that are shown."""

LAST = ("log_reward", "log_weight", "log_prior", "log_pf", "log_pb", "wyckoff", "protostructure")
"""Columns that are shown only where there is room."""

MOST_ELEMENTS = 24
"""Most elements in the picture, the most frequent ones."""

WIDTH, HEIGHT, BASE = 640, 128, 100
"""Size of the picture and height of its axis, px."""


class Shown(Batch, Protocol):
    """What is shown: B crystals, such as :class:`~crystalgfn.crystals.crystal.Crystals`."""

    def __len__(self) -> int:
        """Return the number of crystals."""
        ...

    def __getitem__(self, index: slice, /) -> Shown:
        """Return some of the crystals."""
        ...


def text(crystals: Shown) -> str:
    """Return a line about crystals, their first rows, and the names of the columns that these leave out."""
    shown = rows(crystals)
    body = shown.to_string(index=False, max_colwidth=24) if len(crystals) else ""
    return "\n".join(filter(None, (heading(crystals), body, _rest(crystals, shown))))


def page(crystals: Shown) -> str:
    """Return the same as HTML, with a picture of the elements and crystal-lattice systems of all crystals."""
    shown = rows(crystals)
    body = table(shown) + picture(crystals) if len(crystals) else ""
    return f"<p>{html.escape(heading(crystals))}</p>{body}<p>{html.escape(_rest(crystals, shown))}</p>"


def heading(crystals: Shown) -> str:
    """Return the number of crystals, and of their elements and space groups."""
    if not len(crystals):
        return "Crystals: none"
    elements = int((crystals.counts > 0).any(0).sum())
    groups = len(np.unique(crystals.space_group.cpu().numpy()))
    return f"Crystals: {len(crystals):,}, of {elements} elements in {groups} space groups"


def rows(crystals: Shown) -> pd.DataFrame:
    """Return the first crystals as a table for people: a few columns, numbers to four digits."""
    import pandas as pd

    few = crystals[:ROWS]
    columns: dict[str, Any] = {
        "formula": few.formulas,
        "space group": [f"{HM_SYMBOL[g]} ({g})" for g in few.space_group.tolist()],
        "atoms": few.n_atoms.tolist(),
        "volume [A^3/atom]": [f"{value:.4g}" for value in few.volume_per_atom.tolist()],
    }
    for name in _shown(crystals):
        columns[name] = [_cell(value) for value in few.columns[name].tolist()]
    return pd.DataFrame(columns)


def table(frame: pd.DataFrame) -> str:
    """Return a table of texts as HTML in the style of the notebook, with all texts escaped."""
    return str(frame.to_html(index=False, border=0, escape=True, max_cols=None))


def picture(crystals: Shown) -> str:
    """Return an SVG of bars: share of crystals that hold each element, and share of each crystal-lattice system."""
    counts = crystals.counts.cpu().numpy() > 0
    order = {z: place for place, z in enumerate(FORMULA_ORDER)}
    shares = {z: float(counts[:, column].mean()) for column, z in enumerate(crystals.elements)}
    frequent = sorted((z for z in shares if shares[z]), key=lambda z: -shares[z])[:MOST_ELEMENTS]
    elements = [(SYMBOLS[z], shares[z]) for z in sorted(frequent, key=order.__getitem__)]
    kinds = np.bincount(np.asarray(CRYSTAL_LATTICE_SYSTEM)[crystals.space_group.cpu().numpy()], minlength=9)[1:]
    systems = [
        (name[:4], float(n) / len(crystals)) for name, n in zip(CRYSTAL_LATTICE_SYSTEMS, kinds, strict=False) if n
    ]
    parts = [
        *_bars(elements, 0, 410, "share of crystals with each element"),
        *_bars(systems, 440, 200, "crystal-lattice systems"),
    ]
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="10" '
        f'font-family="system-ui, sans-serif" fill="currentColor" aria-label="Elements and systems">'
        f"{''.join(parts)}</svg>"
    )


def _bars(items: list[tuple[str, float]], left: int, width: int, title: str) -> list[str]:
    step = min(width / max(len(items), 1), 26)
    highest = max((share for _, share in items), default=1.0)
    parts = [f'<text x="{left}" y="11" opacity=".75">{html.escape(title)}, up to {highest:.0%}</text>']
    for place, (name, share) in enumerate(items):
        x, height = left + place * step, (BASE - 20) * share / highest
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{BASE - height:.1f}" width="{step - 3:.1f}" height="{height:.1f}" fill="#37b">'
            f"<title>{html.escape(name)}: {share:.1%}</title></rect>"
            f'<text x="{x + step / 2:.1f}" y="{BASE + 13}" text-anchor="middle">{html.escape(name)}</text>'
        )
    return parts


def _shown(crystals: Shown) -> list[str]:
    """Return the names of the columns that are shown: those that are not of the sampler first, in their order."""
    return sorted(crystals.columns, key=lambda name: LAST.index(name) + 1 if name in LAST else 0)[:MOST_COLUMNS]


def _rest(crystals: Shown, shown: pd.DataFrame) -> str:
    more = [f"{len(crystals) - ROWS:,} more rows"] if len(crystals) > ROWS else []
    hidden = [name for name in crystals.columns if name not in shown.columns]
    more += [f"columns {', '.join(hidden[:12])}{' ...' if len(hidden) > 12 else ''}"] if hidden else []
    return f"and {'; '.join(more)}" if more else ""


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
