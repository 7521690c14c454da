"""The documentation as it is read from disk: its search finds something, and it asks for nothing from elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chromium import open_browser

pytest.importorskip("material", reason="site test: skipped, no mkdocs-material (pip install 'crystalgfn[docs]')")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of one page with the theme and the search of mkdocs.yml."""
    folder = tmp_path_factory.mktemp("site")
    whole = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    few = {key: whole[key] for key in ("site_name", "use_directory_urls", "theme", "extra")}
    (folder / "docs" / "javascripts").mkdir(parents=True)
    (folder / "docs" / "index.md").write_text("# Wyckoff\n\nAtoms stand on positions.\n")
    for script in whole["extra"]["polyfills"]:
        (folder / "docs" / script).write_text((ROOT / "docs" / script).read_text())
    plugins = [plugin for plugin in whole["plugins"] if isinstance(plugin, str)]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump({**few, "plugins": plugins}))
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q", "-d", "site"], cwd=folder, check=True)
    return folder / "site" / "index.html"


def test_search_works_from_disk(site):
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(site.as_uri())
        page.wait_for_selector("iframe", state="attached")
        page.click(".md-search__input")
        page.keyboard.type("positions")
        page.wait_for_selector(".md-search-result__item")
        assert "Wyckoff" in page.inner_text(".md-search-result__list")
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
