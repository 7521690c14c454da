"""``crystalgfn info``: what is installed and what ships."""

from __future__ import annotations

import tomllib
from pathlib import Path

from crystalgfn.cli import info

ROOT = Path(__file__).resolve().parents[2]


def test_info_names_what_is_there(call):
    code, out, _ = call("info")
    assert code == 0
    for expected in ("torch", "moyopy", "CUDA", "presets", "default", "property models", "formation_energy"):
        assert expected in out


def test_an_extra_that_is_missing_is_named_with_its_brackets(call, monkeypatch):
    monkeypatch.setattr(info, "OPTIONAL", {"no-such-package": "structures"})
    _, out, _ = call("info")
    assert "pip install 'crystalgfn[structures]'" in out


def test_every_extra_for_users_is_listed():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package, extra in info.OPTIONAL.items():
        assert any(requirement.startswith(package) for requirement in extras[extra])
    assert {*info.OPTIONAL.values()} == {*extras} - {"strain", "test", "docs", "browser", "dev"}


def test_cards_show_their_errors():
    card = {
        "unit": "eV/atom",
        "metrics": {
            "real": {"groups": {"all": {"n": 3216, "mae": 0.0541}, "wbm": {"n": 10, "mae": 0.09}}},
            "strained": {"0.5 to 2.5": {"energy": {"n": 900, "mae": 0.142}}},
        },
    }
    assert info.card_metrics(card) == [
        "MAE 0.054 eV/atom on 3,216 real test rows (all)",
        "MAE 0.142 eV/atom on 900 strained test rows (0.5 to 2.5)",
    ]
    assert info.card_metrics({"unit": "eV/atom"}) == []
