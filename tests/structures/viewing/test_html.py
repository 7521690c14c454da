"""The frame of a notebook: it holds everything and asks for nothing."""

import html
import re
from importlib.resources import files
from pathlib import Path

from candidate_setup import salt
from crystalgfn.structures.viewing import html as viewing
from crystalgfn.structures.viewing.scene import scene

NOTICE = Path(__file__).resolve().parents[3] / "NOTICE"


def test_a_frame_holds_everything_once_and_names_no_address():
    text = viewing.frame([("<b>MgO</b>", scene(salt("Mg", "O")))])
    inside = html.unescape(re.search(r'srcdoc="([^"]*)"', text).group(1))
    assert "<b>MgO" not in inside
    assert inside.count(viewing.library()) == 1
    assert "https://" not in inside
    assert "http://" not in inside
    assert "default-src 'none'" in inside
    assert 'sandbox="allow-scripts"' in text
    assert len(text) < 300_000


def test_the_library_is_the_one_of_the_notice():
    folder = files(viewing.__package__) / "assets"
    (version,) = re.findall(r"3dmol v([\d.]+)", (folder / "3Dmol-min.js").read_text()) or [None]
    assert version is None or f"3Dmol.js {version}" in NOTICE.read_text()
    assert "BSD-3-Clause" in (folder / "3Dmol-LICENSE.txt").read_text()
