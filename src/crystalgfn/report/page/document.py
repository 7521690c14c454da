"""From parts to one HTML file, with styles, scripts, data, plotly and 3Dmol.js inside, packed where they are large."""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice
from typing import Any

from crystalgfn import __version__
from crystalgfn.errors import DataError
from crystalgfn.files.packed import packed
from crystalgfn.report.page.figure import Figure, numbered
from crystalgfn.structures.viewing.html import library, script


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        key: name of the anchor.
        title: heading.
        body: HTML above the figures, made by this package, in which all text from outside is escaped.
        figures: figures, drawn when they come into view.
    """

    key: str
    title: str
    body: str = ""
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Page:
    """Everything on a page.

    Attributes:
        title: heading.
        lead: a sentence on the content.
        tiles: the main numbers: label, value and note of each.
        sections: sections in order.
        data: data for the scripts: ``table``, ``cif``, ``atoms``, ``elements`` and ``patterns``.
    """

    title: str
    lead: str
    tiles: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    data: Mapping[str, Any] = field(default_factory=dict)


def render(page: Page) -> str:
    """Return the page as HTML that loads nothing from outside.

    Raises:
        DataError: plotly is not installed.
    """
    figures = numbered([figure for section in page.sections for figure in section.figures])
    nonce, of_sections = secrets.token_urlsafe(18), iter(figures)
    content = {**page.data, "figures": [figure.spec() for figure in figures]}
    values = {
        "TITLE": html.escape(page.title),
        "LEAD": html.escape(page.lead),
        "STYLE": asset("page.css"),
        "NAV": "".join(f'<a href="#{html.escape(s.key)}">{html.escape(s.title)}</a>' for s in page.sections),
        "TILES": "".join(_tile(*tile) for tile in page.tiles),
        "COLUMNS": str(_columns(len(page.tiles))),
        "SECTIONS": "".join(
            _section(section, list(islice(of_sections, len(section.figures)))) for section in page.sections
        ),
        "NONCE": nonce,
        "VERSION": html.escape(__version__),
        "DATA": packed(json.dumps(content, allow_nan=False, separators=(",", ":"))),
        "PLOTLY": packed(_plotly()) if figures else "",
        "3DMOL": library() if page.data.get("atoms") else "",
        "SCRIPT": "\n".join((asset("figures.js"), script(), *map(asset, ("table.js", "viewer.js", "page.js")))),
    }
    text = asset("page.html")
    for name, value in values.items():
        text = text.replace(f"<!--{name}-->", value)
    return text


def asset(name: str) -> str:
    """Return the text of a file in the folder ``assets``."""
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise DataError("a page needs plotly for its figures: pip install 'crystalgfn[report]'") from None
    return str(get_plotlyjs())


def _columns(tiles: int) -> int:
    """Number of columns of tiles on a wide page, so that one or two rows are filled evenly."""
    return tiles if tiles <= 6 else -(-tiles // 2)


def _tile(label: str, value: str, note: str) -> str:
    small = f"<dd class=note>{html.escape(note)}</dd>" if note else ""
    return f"<div class=tile><dt>{html.escape(label)}</dt><dd class=value>{html.escape(value)}</dd>{small}</div>"


def _section(section: Section, figures: Sequence[Figure]) -> str:
    drawn = "".join(_figure(figure) for figure in figures)
    grid = f"<div class=figures>{drawn}</div>" if drawn else ""
    return (
        f'<section id="{html.escape(section.key)}"><h2>{html.escape(section.title)}</h2>{section.body}{grid}</section>'
    )


def _figure(figure: Figure) -> str:
    size = " wide" if figure.wide else " small" if figure.small else ""
    alt, title = html.escape(figure.alt, quote=True), html.escape(figure.title)
    return (
        f'<figure class="card{size}"><h3>{title}</h3>'
        f'<div class=plot id="plot-{html.escape(figure.key)}" role=img tabindex=0 aria-label="{alt}"></div>'
        f"<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
    )


def definition_list(values: Mapping[str, Any]) -> str:
    """Return names and values as an HTML list, with nested values as JSON."""
    rows = []
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        rows.append(f"<dt>{html.escape(str(name))}</dt><dd>{html.escape(text)}</dd>")
    return f"<dl class=facts>{''.join(rows)}</dl>"


def folded(summary: str, body: str) -> str:
    """Return HTML that shows its body on demand."""
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"
