"""What the documentation says about the code is made from the code, and the Python on its pages runs."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from crystalgfn.cli import main
from crystalgfn.structures.relaxing.potentials import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

NOT_RUN = {
    "properties.md:fit_model": "training for minutes; tests/proxies/test_workflow.py runs it on small data",
    "quickstart.md:def lithium_share": "an excerpt of examples/own_property.py, which tests/test_examples.py runs",
    "dft.md:structures.export": "relaxations for an hour; tests/structures/export runs it on candidates made by hand",
    "dft.md:run_locally": "needs VASP; tests/structures/export/test_workflows.py runs it without",
    "data.md:with TableWriter": "a frame around a sampler and a hash of the reader's own",
}
"""Blocks of Python that are read and not run, by page and by the text that tells them, with the reason."""

SMALLER = {
    "place(crystals[:10], seed=0)": "place(crystals[crystals.n_atoms <= 6][:1], seed=0)",
    "place(model.sample(10), seed=0)": "place(crystals[crystals.n_atoms <= 6][:1], seed=0)",
    '.relax("chgnet")': '.relax("chgnet", relaxed=1, steps=3, free_steps=0)',
}
"""Calls that take minutes as they are written, and the same calls for one small crystal and a few steps."""

EARLIER = """
import crystalgfn
from crystalgfn.structures import place

model = crystalgfn.load("default")
crystals = model.sample(300, seed=0)
crystals.to_parquet("crystals.parquet")
"""
"""What a reader of any page has done before: the first lines of the quickstart."""

COMMANDS = ("crystalgfn properties", "crystalgfn config show", "crystalgfn info")
"""Commands of the README that take no time; each verb has tests of its own."""


def blocks(page: Path) -> list[str]:
    """Return the blocks of Python on a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def reason(page: Path, block: str) -> str | None:
    """Return why a block is not run, or None."""
    return next((why for key, why in NOT_RUN.items() if key.startswith(page.name) and key.split(":")[1] in block), None)


def test_configuration_reference_is_current():
    script = ROOT / "scripts" / "docs" / "build_config_reference.py"
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_into_the_repository_exist(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_python_runs_as_it_is_written(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = [block for block in blocks(page) if not reason(page, block)]
    if any("chgnet" in block for block in code):
        pytest.importorskip("chgnet")
    if any("report" in block for block in code):
        pytest.importorskip("matplotlib")
    monkeypatch.setattr(registry, "POTENTIALS", dict(registry.POTENTIALS))  # a page may add one
    names: dict[str, object] = {}
    exec(EARLIER, names)
    for block in code:
        for slow, quick in SMALLER.items():
            block = block.replace(slow, quick)
        exec(compile(block, str(page), "exec"), names)


def test_blocks_that_are_not_run_and_calls_that_are_made_smaller_are_there():
    text = {page.name: page.read_text() for page in PAGES}
    assert all(key.split(":")[1] in text[key.split(":")[0]] for key in NOT_RUN)
    assert all(any(slow in page for page in text.values()) for slow in SMALLER)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme_run(command, capsys):
    (line,) = re.findall(rf"^    ({command}.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line, comments=True)[1:])
    assert ended.value.code == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("target", ["venv-demo", "venv-test"])
def test_make_installs_whole_requirements(target):
    """A comma among the extras would split the argument of make's ``call``, and pip would get half of it."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not on PATH")
    done = subprocess.run([make, "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True)
    (requirement,) = re.findall(r'hatchling "(.*?)"', done.stdout)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert requirement.startswith(".[")
    assert requirement.endswith("]")
    assert set(requirement[2:-1].split(",")) <= set(extras)
