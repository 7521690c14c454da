"""The file: it asks for nothing, and nothing from outside becomes HTML."""

import re

import pytest

from crystalgfn.report.page.build import report
from crystalgfn.report.page.document import render
from page_setup import data

pytest.importorskip("plotly")


def test_a_page_names_no_address_outside():
    text = render(report(data(), smact=False))
    assert len(text) < 3e6
    assert not re.findall(r"""\b(?:src|href)=(?!"#|"data:,").{0,40}""", text)
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_names_from_outside_stay_text():
    text = render(report(data("<img src=x onerror=alert(1)>"), smact=False))
    assert "<img" not in text
