"""The gate: what lies in a folder is read, anything else only for those who trust it or name it themselves."""

import os
import sys

import pytest

from crystalgfn.errors import TrustError
from crystalgfn.files.trust import PACKAGE, ask_for_file, ask_for_network, check_links, import_named, opened, safe_path


def asks(path):
    try:
        ask_for_file(path)
    except TrustError:
        return False
    return True


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "a" / "b" / "run"
    place.mkdir(parents=True)
    (place / "file").write_text("")
    (tmp_path / "secret").write_text("")
    (place / "link").symlink_to(tmp_path / "secret")
    (place / "inner").symlink_to(place / "file")
    return place


def test_what_lies_in_the_folder_may_be_read(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    with opened(folder):
        for path in ("file", "inner", "missing", folder / "deep" / ".." / "file", PACKAGE / "presets", str(folder)):
            assert asks(path), path
        for path in ("link", "../file", "/dev/zero", "/etc/passwd", tmp_path, folder.parent, f"{folder}x", ""):
            assert asks(path) == (path == ""), path  # the empty path is the current folder
    assert asks("/etc/passwd")


def test_a_folder_that_is_trusted_or_named_is_not_asked(folder, tmp_path):
    with opened(folder, trust=True):
        assert asks("/etc/passwd")
        ask_for_network("it")
    with opened(None):
        assert asks("/etc/passwd")
    with opened(folder, also=[tmp_path / "secret"]):
        assert asks(tmp_path / "secret")
        assert asks(folder / "link")
        assert not asks(tmp_path / "other")


def test_inner_blocks_cannot_widen_the_limit(folder, tmp_path):
    with opened(folder):
        for trust in (False, True):
            with pytest.raises(TrustError), opened(tmp_path, trust=trust):
                pass
        with opened(folder, trust=True), pytest.raises(TrustError):
            ask_for_network("it")
        with opened(None), pytest.raises(TrustError):
            ask_for_file("/etc/passwd")
    assert asks("/etc/passwd")


def test_trust_holds_in_inner_blocks(folder):
    with opened(folder, trust=True), opened(folder):
        assert asks("/etc/passwd")
        assert import_named("os:getcwd") is os.getcwd
    with opened(None, trust=True), opened(folder):
        assert asks("/etc/passwd")
    with opened(folder):
        assert not asks("/etc/passwd")


def test_rounds_share_the_folder_of_their_loop(folder):
    model = folder.parent / "model"
    with opened(folder):
        assert not asks(model)
    (folder.parent.parent / "loop.json").write_text("{}")
    with opened(folder):
        assert asks(model)
        assert not asks(folder.parent.parent.parent)


def test_messages_name_folder_and_wish(folder):
    with opened(folder):
        for ask, what in (
            (lambda: ask_for_file("/etc/passwd"), "'/etc/passwd', which lies outside"),
            (lambda: ask_for_network("the hull 'mp'"), "the hull 'mp', which is fetched from a network"),
            (lambda: import_named("os:getcwd"), "the code 'os:getcwd'"),
        ):
            with pytest.raises(TrustError) as caught:
                ask()
            assert str(caught.value).startswith(f"{folder}: asks for {what}, allowed: ")
            assert "--trust" in str(caught.value)


def test_links_in_a_folder(folder):
    check_links(folder)
    with opened(folder), pytest.raises(TrustError, match="link"):
        check_links(folder)
    (folder / "link").unlink()
    with opened(folder):
        check_links(folder)


def test_named_objects(tmp_path, monkeypatch):
    assert import_named("os:path.join") is os.path.join
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "beside_it.py").write_text("import beside_that\nvalue = beside_that.value")
    (tmp_path / "beside_that.py").write_text("value = 5")
    (tmp_path / "json.py").write_text("raise SystemExit")
    assert import_named("json:dumps")([]) == "[]"
    assert str(tmp_path) not in sys.path
    assert import_named("beside_it:value") == 5
    assert sys.path[-1] == str(tmp_path)
    for spec, error in (("no_such:f", ImportError), ("os:no_such", AttributeError)):
        with pytest.raises(error):
            import_named(spec)


def test_the_current_folder_comes_last_while_processes_start(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = ["", str(tmp_path), "/lib"]
    monkeypatch.setattr(sys, "path", list(before))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with safe_path():
        assert sys.path == ["/lib", "", str(tmp_path)]
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert sys.path == before
    assert "PYTHONSAFEPATH" not in os.environ
