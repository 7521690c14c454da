"""Take the pictures of docs/report.md: the page of the demo on a desktop, and on a phone in the dark.

    crystalgfn demo -o demo --seed 0
    python scripts/docs/report_pictures.py demo/report.html

Needs playwright and Chromium (scripts/docs/browser.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from browser import chromium
from one_line_errors import one_line_errors

PICTURES: dict[str, dict[str, Any]] = {
    "report-structures": {"viewport": {"width": 1280, "height": 1180}, "color_scheme": "light"},
    "report-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
"""Settings of the browser by the name of the picture."""

PATIENCE_MS = 120_000
"""Time to draw a structure without a graphics card."""


@one_line_errors
def main(arguments: Sequence[str] | None) -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="page of crystalgfn report or of the demo")
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    options = parser.parse_args(arguments)
    with chromium() as browser:
        for name, settings in PICTURES.items():
            page = browser.new_page(**settings)
            page.goto(options.page.resolve().as_uri())
            page.locator("#viewer").scroll_into_view_if_needed()
            page.wait_for_selector("#viewer[data-drawn=webgl]", timeout=PATIENCE_MS)
            page.screenshot(path=options.images / f"{name}.png")


if __name__ == "__main__":
    raise SystemExit(main())
