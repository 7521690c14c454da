"""Settings of space groups: every one is found by its names, and its operations are those of its group."""

import numpy as np
import pytest

from crystalgfn.crystallography.symmetry import settings


@pytest.mark.parametrize("hall_number", range(1, settings.SETTINGS + 1, 13))
def test_operations_are_those_of_the_group(hall_number):
    setting = settings._all()[hall_number - 1]
    rotations, translations = setting.operations()
    assert settings.group_of(tuple(rotations.ravel().tolist()), tuple(translations.ravel().tolist())) == setting.number


def test_every_setting_is_named_by_its_full_symbol_and_choice():
    for setting in settings._all():
        assert setting in settings.named(setting.symbol) or (setting.exchanged and setting.number in (67, 68))
        if setting.choice:
            assert setting in settings.named(f"{setting.symbol}:{setting.choice}")


@pytest.mark.parametrize(
    ("symbol", "number", "choices"),
    [
        ("F m -3 m", 225, [""]),
        ("Fm-3m", 225, [""]),
        ("Fm3m", 225, [""]),
        ("F d -3 m", 227, ["1", "2"]),
        ("F d -3 m :1", 227, ["1"]),
        ("F d -3 m S", 227, ["1"]),
        ("F d -3 m Z", 227, ["2"]),
        ("Fd-3m:2", 227, ["2"]),
        ("R -3 m", 166, ["H", "R"]),
        ("R -3 m :R", 166, ["R"]),
        ("R-3mH", 166, ["H"]),
        ("H 3 2", 155, ["H"]),
        ("P 1 21/n 1", 14, ["b2"]),
        ("P 21/c", 14, ["b1", "a3"]),
        ("P 2_1/n", 14, ["b2", "c2", "a2"]),
        ("P 1 1 21/b", 14, ["c3"]),
        ("P b n m", 62, ["cab"]),
        ("P n m a", 62, [""]),
        ("A b m 2", 39, [""]),
        ("C m c a", 64, [""]),
        ("C m m a", 67, [""]),
        ("C m m b", 67, ["ba-c"]),
        ("C m m e", 67, [""]),
        ("B m a m", 67, ["a-cb"]),
        ("C c c a :2", 68, ["2"]),
        ("C c c b", 68, ["1ba-c", "2ba-c"]),
        ("P 63/m m c", 194, [""]),
        ("P 4/n m m :1", 129, ["1"]),
        ("I 1 2/a 1", 15, ["b3"]),
    ],
)
def test_names(symbol, number, choices):
    found = settings.named(symbol)
    assert {setting.number for setting in found} == {number}
    assert [setting.choice for setting in found] == choices


@pytest.mark.parametrize("symbol", ["Q m m m", "P 7", "", "F d -3 m :3", "unknown"])
def test_unknown_names(symbol):
    assert settings.named(symbol) == []


def test_hall_symbols_and_numbers():
    assert settings.hall("-F 4 2 3").number == 225
    assert settings.hall("-P 2yn").choice == "b2"
    assert settings.hall("-P 2yq") is None
    assert [setting.choice for setting in settings.numbered(227)] == ["1", "2"]
    assert [setting.choice for setting in settings.numbered(166)] == ["H", "R"]
    assert [setting.choice for setting in settings.numbered(14)] == ["b1"]
    assert len(settings.numbered(62)) == 1


def test_a_group_is_known_after_a_shift_of_its_origin():
    rotations, translations = settings.named("P m")[0].operations()
    shift = np.array([0.1, 0.27, 0.3])
    moved = (translations + shift - rotations @ shift) % 1
    assert settings.group_of(tuple(rotations.ravel().tolist()), tuple(moved.ravel().tolist())) == 6
