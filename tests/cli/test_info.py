"""``crystalgfn info``: what is installed and what ships."""

from __future__ import annotations

from crystalgfn.cli import info


def test_info_names_what_is_there(call):
    code, out, _ = call("info")
    assert code == 0
    for expected in ("torch", "moyopy", "CUDA", "presets", "default", "property models", "formation_energy"):
        assert expected in out


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
