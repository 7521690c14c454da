"""Files that a run needs for sampling, kept in its folder: property models, hulls, known crystals, a prior, modules.

DIR/inputs/inputs.json      by the names in config.yaml, which stays as it was
DIR/inputs/0-gap, ...       the copies
DIR/inputs/modules.json     by their names, the files of the modules of ``module:name`` when the run was made
DIR/inputs/mymodule.py      copies of those that are one file in the folder that the run was made from

So a run can be moved, sampled from any folder, and opened by others without trust in anything outside of it. Code is
imported with consent alone: from where it is installed, from the current folder, or else from its copy.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crystalgfn.config import CONFIG, Config, presets
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_json
from crystalgfn.files.folders import work_folder
from crystalgfn.files.reading import read_json
from crystalgfn.files.trust import INPUTS, MODULES, ask_for_file
from crystalgfn.properties.registry import available
from crystalgfn.proxies.models import CARD
from crystalgfn.runs.build import weights_of
from crystalgfn.spaces.constraints.registry import is_own
from crystalgfn.stability.load import HULLS

INDEX = "inputs.json"

MOST_BYTES = 1_000_000_000
"""Larger inputs are not copied: their absolute path is noted, and later commands ask for trust in it."""


def keep_inputs(config: Config, folder: Path) -> None:
    """Copy what a configuration names into the folder of its run; nothing is made where it names no files or code.

    Raises:
        DataError: a file cannot be copied.
    """
    _keep_files(config, folder)
    _keep_modules(config, folder)


def _keep_files(config: Config, folder: Path) -> None:
    found: dict[str, Path] = {}
    _renamed(config.model_dump(mode="json"), lambda name, path: str(found.setdefault(name, path)))
    if not found:
        return
    place = work_folder(folder / INPUTS)
    index = {}
    for number, (name, path) in enumerate(found.items()):
        files = list(_files(path))
        if sum(file.stat().st_size for file in files) > MOST_BYTES:
            index[name] = str(path.resolve())
            continue
        copy = place / f"{number}-{path.resolve().name}"
        for file in files:
            _copy(name, file, copy / file.relative_to(path) if path.is_dir() else copy)
        index[name] = copy.name
    write_json(place / INDEX, index)


def _keep_modules(config: Config, folder: Path) -> None:
    """Note where the modules lie that a configuration names; copy those that are a file in the current folder."""
    specs = [name for name in config.constraints.rules if is_own(name)]
    specs += [name for term in config.model_dump()["objective"] for name in _properties(term) if _is_code(name)]
    names = dict.fromkeys(spec.partition(":")[0] for spec in specs)
    files = {name: Path(str(sys.modules[name].__file__)).resolve() for name in names if name in sys.modules}
    if not files:
        return
    place = work_folder(folder / INPUTS)
    for name, file in files.items():
        if file == Path.cwd() / f"{name}.py":
            _copy(name, file, place / file.name)
    write_json(place / MODULES, {name: str(file) for name, file in files.items()})


def _properties(content: Any) -> Iterator[str]:
    """The properties that a term names, within sections as well."""
    if isinstance(content, dict):
        if isinstance(content.get("property"), str):
            yield content["property"]
        for value in content.values():
            yield from _properties(value)


def _is_code(name: str) -> bool:
    return ":" in name and not Path(name).exists()


def _copy(name: str, file: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    except OSError as error:
        raise DataError(f"{name}: cannot be copied to {target} ({error.strerror or error})") from None


def with_inputs(config: Config, folder: Path) -> Config:
    """The configuration of a run, with the copies in its folder in place of what they were made from.

    Raises:
        DataError: the index of the copies cannot be read.
        TrustError: a copy lies outside of a folder that is not trusted.
    """
    place = folder / INPUTS
    if not (place / INDEX).is_file():
        return config
    index = read_json(place / INDEX, dict[str, str])

    def copy(name: str, _: Path) -> str:
        if name not in index:
            return name
        ask_for_file(place / index[name])
        return str(place / index[name])

    return Config.model_validate(_renamed(config.model_dump(mode="json"), copy, anywhere=True))


def _renamed(content: dict[str, Any], rename: Callable[[str, Path], str], *, anywhere: bool = False) -> dict[str, Any]:
    """The content of a configuration with the files that it names renamed.

    Args:
        content: as ``config.model_dump`` gives it.
        rename: new name from the name and the path that it stands for.
        anywhere: whether names count whose files are not there.
    """

    def changed(key: str, value: Any) -> Any:
        if key == "known" and isinstance(value, list):
            return [rename(name, Path(name)) for name in value]
        if isinstance(value, str) and key in _SHIPPED and value not in _SHIPPED[key]():
            path = Path(value)
            if anywhere or (path / CARD).is_file() or (key != "property" and path.exists()):
                return rename(value, path)
        return value

    def term(one: dict[str, Any]) -> dict[str, Any]:
        return {key: term(value) if isinstance(value, dict) else changed(key, value) for key, value in one.items()}

    training = {**content["training"], "prior": changed("prior", content["training"]["prior"])}
    return {**content, "objective": [term(one) for one in content["objective"]], "training": training}


_SHIPPED: dict[str, Callable[[], list[str]]] = {"property": available, "hull": lambda: list(HULLS), "prior": presets}
"""Keys whose value names something that ships, or else a file or folder."""


def _files(path: Path) -> Iterator[Path]:
    """The files of an input: of a run those that a prior is loaded from."""
    if (path / CONFIG).is_file():
        yield from (path / CONFIG, weights_of(path))
    elif path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
    else:
        yield path
