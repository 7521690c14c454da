"""Write the pictures and captions of docs/gallery.md: the best candidates of each class, as the viewer draws them.

    crystalgfn demo -o demo --seed 0
    python scripts/docs/gallery.py demo

Chosen by rule, not by eye: from each class of the demo the two candidates that rank first, by energy above the hull,
doubtful ones last. Needs playwright and Chromium (scripts/docs/browser.py).
"""

from __future__ import annotations

import argparse
import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from browser import chromium
from one_line_errors import one_line_errors

from crystalgfn.crystallography.chemical_classes import class_of
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.report.pages import fill
from crystalgfn.structures.candidates.display import title, view_of
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.schema import Row
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.viewing.html import frame

OF_EACH_CLASS = 2
WIDTH, HEIGHT = 380, 375
"""Of a picture, in points of the screen; HEIGHT is the viewer's and a line of colours."""

PAGE = "body { margin: 0; background: #fff }"
CLOSER = 4
"""Steps by which a picture is nearer than the viewer begins, which leaves room for a structure to turn."""

INSIDE = "select, label { display: none } .legend { margin: 4px !important } #view { outline: none !important }"
"""What leaves of the viewer's frame the picture and its line of colours."""


def chosen(table: CandidateTable) -> Iterator[Row]:
    """Yield the first candidates of each chemical class in rank order."""
    seen: Counter[str] = Counter()
    for row in table.ranked():
        kind = class_of(map(atomic_number, row.counts or {}))
        if seen[kind] < OF_EACH_CLASS:
            seen[kind] += 1
            yield row


def draw(candidates: RunFolder, rows: Sequence[Row], images: Path) -> None:
    """Write a picture of each row, as the viewer of pages draws it."""
    images.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5)
        for row in rows:
            one = candidates.read(row.row)
            page.set_content(f"<style>{PAGE}</style>{frame([(title(row), view_of(one.structure, one.symprec))])}")
            inside = page.frames[-1]
            inside.add_style_tag(content=INSIDE)
            inside.wait_for_selector("#view[data-drawn=webgl]")
            for _ in range(CLOSER):
                inside.press("#view", "+")
            page.screenshot(path=images / _picture(row), type="jpeg", quality=80)


def figures(rows: Sequence[Row], table: CandidateTable, types: Sequence[str]) -> str:
    """Return the figures as HTML.

    Args:
        rows: the candidates that are shown.
        table: all candidates, which says what the columns of energies are.
        types: protostructure label of every crystal that was handed in, by row.
    """
    parts = ['<div class="gallery">\n']
    for row in rows:
        kind, formula = class_of(map(atomic_number, row.counts or {})), re.sub(r"(\d+)", r"<sub>\1</sub>", row.formula)
        group = f"{HM_SYMBOL[row.space_group]} ({row.space_group})"
        kept = "" if row.group_kept else f", sampled in {HM_SYMBOL[row.space_group_asked]}"
        predicted, found = row.inputs["energy_above_hull [eV/atom]"], row.energy(table.above_hull)
        parts.append(
            f'<figure><img src="images/gallery/{_picture(row)}" width="{WIDTH}" height="{HEIGHT}" loading="lazy" '
            f'alt="Atoms of {row.formula} in the conventional cell, with bonds and polyhedra">\n'
            f"<figcaption><b>{formula}</b>, {kind}<br>{group}{kept}<br><code>{types[row.row].split(':')[0]}</code><br>"
            f"eV/atom above the hull: predicted {predicted:.3f}, relaxed {found:.3f}<br>"
            f"doubts: {html.escape(row.flags or '') or 'none'}</figcaption></figure>\n"
        )
    return "".join([*parts, "</div>\n"])


def _picture(row: Row) -> str:
    return f"{row.formula}.jpg"


@one_line_errors
def main(arguments: Sequence[str] | None) -> None:
    """Draw the pictures and fill the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, help="folder that crystalgfn demo wrote")
    parser.add_argument("--page", type=Path, default=Path("docs/gallery.md"))
    options = parser.parse_args(arguments)
    table = CandidateTable.read(options.demo / "structures" / "structures.parquet")
    types = Crystals.from_file(options.demo / "chosen.parquet").columns["protostructure"]
    rows = list(chosen(table))
    draw(RunFolder.existing(options.demo / "structures"), rows, options.page.parent / "images" / "gallery")
    text = figures(rows, table, list(types))
    options.page.write_text(fill(options.page.read_text(), "gallery", text))


if __name__ == "__main__":
    raise SystemExit(main())
