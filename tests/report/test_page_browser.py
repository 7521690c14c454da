"""The page in a real browser: sorting, filters, figures, downloads, themes, and no request to anywhere."""

import csv
import io
import re
import time

import pytest

from candidate_setup import candidate, salt, write_candidates
from chromium import open_browser
from crystalgfn.config import parse_config
from crystalgfn.evaluation.inputs import Data, energy_methods, read_data
from crystalgfn.report.page.build import report
from crystalgfn.report.page.document import render
from crystalgfn.structures.viewing.html import frame
from crystalgfn.structures.viewing.scene import scene
from page_setup import samples, write_structures

pytest.importorskip("plotly")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    crystals = samples()
    asked = {"elements": ["Li", "O", "Mg"], "n_elements": [1, 3], "n_atoms_primitive": [1, 9]}
    data = Data(
        "samples",
        crystals,
        provenance={"table": "t.parquet"},
        methods=energy_methods(crystals),
        constraints=parse_config({"constraints": asked}).constraints.model_dump(),
    )
    (folder / "table.html").write_text(render(report(data, smact=False)))
    structures = read_data(write_structures(folder / "made"))
    (folder / "structures.html").write_text(render(report(structures, smact=False)))
    return folder


def _is_fault(message):
    """Whether a message is one of the page; drivers without a graphics card complain that they are slow."""
    return message.type in ("error", "warning") and "GPU stall" not in message.text


WITHOUT_WEBGL = """(() => {
  const real = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : real.call(this, kind, ...rest);
  };
})()"""


class Opened:
    """A page with what went wrong on it."""

    def __init__(self, browser, path, *, script="", **options):
        self.context = browser.new_context(**options)
        self.context.add_init_script(script)
        self.context.set_default_timeout(120_000)  # drawing without a graphics card takes seconds on a busy machine
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("console", lambda m: self.errors.append(m.text) if _is_fault(m) else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-ready]")

    def column(self, number):
        return self.page.locator(f"#candidates-table tbody td:nth-child({number})").all_inner_texts()

    def draw_all(self):
        for plot in self.page.locator(".plot").all():
            plot.scroll_into_view_if_needed()
            self.page.wait_for_selector(f"#{plot.get_attribute('id')}[data-drawn]")


@pytest.fixture
def opened(browser, pages):
    held = []

    def open_page(name, **options):
        held.append(Opened(browser, pages / f"{name}.html", **options))
        return held[-1]

    yield open_page
    for one in held:
        one.context.close()


def test_sorting_goes_both_ways_and_says_so(opened):
    one = opened("table")
    button = one.page.locator("#candidates-table thead button[data-key=density]")
    position = 1 + one.page.locator("#candidates-table thead th button").evaluate_all(
        "buttons => buttons.findIndex(b => b.dataset.key === 'density')"
    )
    button.click()
    up = [float(text) for text in one.column(position)]
    assert up == sorted(up)
    button.press("Enter")  # by keyboard as well
    down = [float(text) for text in one.column(position)]
    assert down == sorted(down, reverse=True)
    assert down[0] > up[-1]
    assert one.page.locator("th[aria-sort=descending]").count() == 1
    assert one.errors == []


def test_of_many_crystals_the_best_of_each_formula_are_shown(browser, tmp_path):
    crystals = samples()
    n, formulas = len(crystals), crystals.formulas
    path = tmp_path / "many.html"
    path.write_text(render(report(Data("many", crystals[list(range(n)) * (501 // n + 1)]), smact=False)))
    one = Opened(browser, path)
    shown = one.column(2)
    assert len(shown) == len(set(shown)) == min(25, len(set(formulas)))
    assert one.page.locator("#page-range").inner_text().endswith(f"of {len(set(formulas)):,}")
    one.page.locator("#filter-scope").select_option("best")
    assert one.page.locator("#page-range").inner_text().endswith("of 500")
    one.context.close()


def test_filters_narrow_table_and_download(opened):
    one = opened("table")
    one.page.fill("#filter-text", "Li -Mg")
    formulas = one.column(2)
    assert formulas
    assert all("Li" in formula and "Mg" not in formula for formula in formulas)
    one.page.select_option("#filter-system", "cubic")
    assert set(one.column(4)) == {"cubic"}
    with one.page.expect_download() as download:
        one.page.click("#save-csv")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    crystals = samples()
    formulas = [crystals.formulas[int(row["row"])] for row in rows]
    assert [row["formula"] for row in rows] == formulas
    assert {row["system"] for row in rows} == {"cubic"}
    assert len(rows) == int(one.page.inner_text("#page-range").split(" of ")[1])
    one.page.click("#filter-clear")
    one.page.fill("#filter-high", "-99")
    assert one.page.inner_text("#page-range") == "no crystal fits"


def test_figures_are_drawn_and_tell_values_under_the_pointer(opened):
    one = opened("table")
    one.draw_all()
    plot = one.page.locator("#plot-energies")
    plot.scroll_into_view_if_needed()
    box = plot.locator(".nsewdrag").bounding_box()
    for share in (0.4, 0.5, 0.6):
        one.page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.97 * box["height"])
        one.page.wait_for_timeout(200)
        if plot.locator(".hoverlayer text").count():
            break
    assert "%" in plot.locator(".hoverlayer").text_content()
    assert one.errors == []


def test_elements_that_are_absent_are_written_once_and_pale(opened):
    one = opened("table")
    one.draw_all()
    plot = one.page.locator("#plot-elements-presence")
    assert plot.locator("text", has_text=re.compile("^Fe$")).count() == 1
    assert plot.locator(".annotation-text", has_text=re.compile("^Fe$")).count() == 1
    assert plot.locator("text", has_text=re.compile("^Li$")).count() == 1
    assert plot.locator(".annotation-text", has_text=re.compile("^Li$")).count() == 0


def test_nothing_is_asked_for_outside(opened):
    for name in ("table", "structures"):
        one = opened(name)
        one.draw_all()
        assert all(url.startswith(("file:", "data:", "blob:")) for url in one.requests)
        assert [url for url in one.requests if url.startswith("file:")] == one.requests[:1]
        assert one.errors == []


def test_buttons_of_a_figure_send_nothing_away_and_leave_a_phone_alone(opened):
    one = opened("table")
    one.draw_all()
    one.page.hover("#plot-energies")
    titles = one.page.locator("#plot-energies .modebar-btn").evaluate_all("bs => bs.map(b => b.dataset.title)")
    assert "Download plot" in titles
    assert not [title for title in titles if "Share" in title or "Cloud" in title]
    phone = opened("table", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.draw_all()
    assert phone.page.locator(".modebar-btn").count() == 0


def test_bars_of_constraints_are_drawn_and_told(opened):
    for options in ({}, {"viewport": {"width": 390, "height": 844}}):
        one = opened("table", **options)
        one.draw_all()
        plot = one.page.locator("#plot-funnel")
        assert plot.locator(".bars .point").count() == 8
        inside = plot.bounding_box()
        for text in plot.locator(".ytick text, .xtick text, .xtitle").all():
            box = text.bounding_box()
            assert inside["x"] <= box["x"]
            assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
        one.page.evaluate(
            "document.getElementById('plot-funnel').scrollIntoView({block: 'center', behavior: 'instant'})"
        )
        area = plot.locator(".nsewdrag").bounding_box()
        one.page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + 5 / 16 * area["height"], steps=3)  # the third
        plot.locator(".hoverlayer text").first.wait_for(timeout=5000)
        assert re.search(r"Wyckoff positions: [\d,]+ of 50,000", plot.locator(".hoverlayer").text_content())
        assert one.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_and_the_switch(opened, scheme):
    one = opened("table", color_scheme=scheme)
    assert one.page.locator("html").get_attribute("data-theme") == scheme
    before = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    one.page.click("#theme")
    after = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    contrast = one.page.evaluate(CONTRAST)
    assert min(contrast.values()) >= 4.5, contrast


CONTRAST = """() => {
  const linear = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((x) => linear(Number(x) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const card = style(".card").backgroundColor, button = style("#save-csv");
  const texts = ["figcaption", "thead th", "td", ".lead", ".tile dt"];
  const found = texts.map((selector) => [selector, ratio(style(selector).color, card)]);
  return Object.fromEntries([...found, ["button", ratio(button.color, button.backgroundColor)]]);
}"""


@pytest.mark.parametrize("name", ["table", "structures"])
def test_a_phone_scrolls_only_downwards(opened, name):
    one = opened(name, viewport={"width": 390, "height": 844}, has_touch=True)
    one.draw_all()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_structures_turn_and_are_saved(opened):
    one = opened("structures")
    one.page.wait_for_selector("#viewer[data-drawn=webgl]")
    turned = "JSON.stringify(app.viewer.view.view.getView())"
    before = one.page.evaluate(turned)
    one.page.focus("#viewer")
    one.page.keyboard.press("ArrowLeft")
    assert one.page.evaluate(turned) != before
    drawn = "app.viewer.view.view.getModel().selectedAtoms({}).length"
    whole = one.page.evaluate(drawn)
    assert whole > 27  # rock salt, and the corners of its octahedra
    one.page.uncheck("#viewer-polyhedra")
    assert one.page.evaluate(drawn) == 27
    row = one.page.locator("#candidates-table tbody tr", has_text="MgO")
    with one.page.expect_download() as download:
        row.locator("button", has_text="CIF").click()
    assert "_cell_length_a   4.21" in download.value.path().read_text()
    with one.page.expect_download() as download:
        one.page.click("#save-cif")
    text = download.value.path().read_text()
    assert text.count("data_") == 2
    assert one.errors == []


def test_without_webgl_there_is_a_still_picture(opened):
    one = opened("structures", script=WITHOUT_WEBGL)
    one.page.wait_for_selector("#viewer[data-drawn=still]")
    assert "still picture" in one.page.inner_text("#viewer")
    colours = one.page.evaluate(
        """() => {
          const canvas = document.querySelector("#viewer canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join())).size;
        }"""
    )
    assert colours > 3
    one.page.locator("#viewer-list button").nth(1).click()
    one.page.uncheck("#viewer-bonds")
    assert one.errors == []


def test_the_frame_of_a_notebook_draws_and_asks_for_nothing(browser, tmp_path):
    path = tmp_path / "frame.html"
    path.write_text(
        f"<body data-ready=true>{frame([('MgO', scene(salt('Mg', 'O'))), ('NaCl', scene(salt('Na', 'Cl')))])}"
    )
    one = Opened(browser, path)
    inside = one.page.frame_locator("iframe")
    inside.locator("#view[data-drawn=webgl]").wait_for()
    inside.locator("#choice").select_option("1")
    assert inside.locator("#legend").inner_text().split() == ["Na", "Cl"]
    assert [url for url in one.requests if not url.startswith(("data:", "about:"))] == one.requests[:1]
    assert one.errors == []
    one.context.close()


def wait_for(page, expression, seconds=30):
    """Wait until an expression is true; the driver's own way evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


PAPER = {"width": 718, "height": 1046}
"""A4 between margins of 12 mm, in pixels of 1/96 inch."""


@pytest.mark.parametrize("name", ["table", "structures"])
def test_a_printed_page_shows_all_figures_and_cuts_no_table(opened, name):
    one = opened(name, viewport=PAPER)
    plots = one.page.locator(".plot").count()
    wait_for(one.page, f"document.querySelectorAll('.plot[data-drawn]').length === {plots}")  # without scrolling
    one.page.emulate_media(media="print")
    one.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    widths = one.page.locator(".plot .main-svg").evaluate_all(
        "all => all.map(svg => svg.getBoundingClientRect().right)"
    )
    assert len(widths) >= plots
    assert max(widths) <= PAPER["width"]
    assert one.page.locator("details:not([open])").count() == 0
    wide = one.page.locator("table").evaluate_all("all => all.map(t => t.getBoundingClientRect().right)")
    assert max(wide) <= PAPER["width"]
    one.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert one.page.locator("details:not([open])").count() > 0
    assert one.errors == []


def test_doubtful_candidates_are_marked_in_table_and_viewer(browser, tmp_path):
    structures = {0: salt("K", "Cl"), 1: salt("Mg", "O", a=4.21)}
    rows = [candidate(0, structures[0], -2.0, flags="not converged"), candidate(1, structures[1], -3.0)]
    path = tmp_path / "doubts.html"
    path.write_text(render(report(read_data(write_candidates(tmp_path / "run", rows, structures)), smact=False)))
    one = Opened(browser, path)
    assert one.column(2) == ["MgO", "KCl*"]
    marks = one.page.locator("abbr").evaluate_all("all => all.map(mark => mark.title)")
    assert marks == ["Doubtful: not converged"] * 2
    assert one.page.locator("#viewer-list abbr").count() == 1
    assert one.errors == []
    one.context.close()


def test_the_powder_pattern_is_that_of_the_structure_shown_and_tells_indices(opened):
    for options in ({}, {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}):
        one = opened("structures", **options)
        one.page.locator("#viewer-list button", has_text="MgO").click()
        plot = one.page.locator("#plot-pattern")
        plot.and_(one.page.locator("[aria-label*='MgO'][data-drawn]")).wait_for()
        wait_for(one.page, "document.getElementById('plot-pattern').data[0].x.includes(42.97)")
        assert "strongest at 42.97 degrees, (2 0 0)" in plot.get_attribute("aria-label")
        assert plot.locator(".xtitle").text_content() == "2θ (degree)"
        one.page.evaluate(
            "document.getElementById('plot-pattern').scrollIntoView({block: 'center', behavior: 'instant'})"
        )
        area = plot.locator(".nsewdrag").bounding_box()
        x = area["x"] + (42.97 - 10) / 80 * area["width"]
        one.page.mouse.move(x, area["y"] + area["height"] / 2, steps=3)
        plot.locator(".hoverlayer text").first.wait_for(timeout=20_000)
        assert "(2 0 0)2θ = 42.97°, 100.0 %" in plot.locator(".hoverlayer").text_content()
        assert one.errors == []
