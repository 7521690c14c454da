"""Configurations from presets and YAML files, with overrides; every mistake is one line that says what is allowed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from crystalgfn.config.beside import sections_beside
from crystalgfn.config.sections import Config
from crystalgfn.errors import ConfigError, DataError, nearest
from crystalgfn.files.reading import read_text
from crystalgfn.files.trust import opened
from crystalgfn.section import OneOf
from crystalgfn.spaces.constraints.registry import MAIN_KEYS

CONFIG = "config.yaml"
"""Name of the configuration file in the folder of a preset or a run."""

MOST_BYTES = 1_000_000
"""Largest size of a configuration file."""

BASE = "base"
"""Key of a YAML file that names the preset it changes."""


def presets() -> list[str]:
    """Names of the shipped presets."""
    return sorted(p.name for p in files("crystalgfn").joinpath("presets").iterdir() if (p / CONFIG).is_file())


def preset_path(name: str) -> Path:
    """Folder of a shipped preset: config.yaml, and policy.safetensors if its weights ship.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in presets():
        raise ConfigError(f"unknown preset {name!r}, allowed: {', '.join(presets())}{nearest(name, presets())}")
    return Path(str(files("crystalgfn").joinpath("presets", name)))


def load_preset(name: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a preset, with ``key=value`` overrides."""
    return read_config(preset_path(name) / CONFIG, overrides, source=f"preset {name}")


def load_config(where: str | Path, overrides: Sequence[str] = (), *, trust: bool = False) -> Config:
    """Read a configuration.

    Args:
        where: name of a preset, a YAML file, or a run folder. A preset comes before a folder of its name, which
            ``./name`` stands for.
        overrides: ``key=value`` with a dotted key, such as ``training.lr=1e-4``; values are YAML.
        trust: whether the configuration of a run folder may name files outside the folder.

    Raises:
        ConfigError: a key or a value is invalid; says what was found, what is allowed and the nearest valid name.
        TrustError: the configuration of a run folder names a file outside the folder.
    """
    path = Path(where)
    if str(where) in presets():  # before a folder of this name
        return load_preset(str(where), overrides)
    if (folder := run_folder(where)) is not None:
        with opened(folder, trust=trust):
            return read_config(folder / CONFIG, overrides)
    if path.exists() and not path.is_dir():
        return read_config(path, overrides)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise ConfigError(f"{where}: no such configuration file")
    return load_preset(str(where), overrides)


def run_folder(where: str | Path) -> Path | None:
    """Return the run folder that :func:`load_config` reads; None where it reads a preset or a YAML file."""
    path = Path(where)
    return path if str(where) not in presets() and path.is_dir() and (path / CONFIG).is_file() else None


def read_config(path: Path, overrides: Sequence[str] = (), *, source: str | None = None) -> Config:
    """Read a YAML file, which messages call by its path or by ``source``; see :func:`load_config`."""
    try:
        content = parse_yaml(read_text(path, most=MOST_BYTES))
    except (DataError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable YAML file ({error})") from error
    return parse_config(content, overrides, source=source or str(path))


def parse_yaml(text: str) -> Any:
    """Return the content of YAML text.

    Raises:
        ValueError: it is none, or is nested too deeply; one line.
    """
    try:
        return yaml.load(text, Loader=_loader())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except Exception as error:  # its own errors, and whatever a tag meets: "!!bool maybe" is a KeyError
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


@cache
def _loader() -> type[yaml.SafeLoader]:
    """Safe YAML that refuses aliases, which can blow up, and keys that are written twice."""

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not allowed")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [str(key.value) for key, _ in node.value]
            twice = {key for key in keys if keys.count(key) > 1}
            if twice:
                raise yaml.YAMLError(f"key {sorted(twice)[0]!r} stands twice")
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver(  # YAML 1.1 reads 1e-3 as text
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )
    # chemistry first: No is nobelium and Y is yttrium, not booleans
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
    )
    return Loader


def parse_config(content: Any, overrides: Sequence[str] = (), *, source: str = "configuration") -> Config:
    """Validate the content of a YAML file; see :func:`load_config`.

    A key ``base`` names a preset; the other keys change its content: sections key by key, lists as a whole.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: found {type(content).__name__}, allowed: keys {', '.join(Config.model_fields)}")
    if BASE in content:
        content = _on_base(dict(content), source)
    keys = Counter(override.partition("=")[0].strip() for override in overrides)
    for override in overrides:
        if keys[key := override.partition("=")[0].strip()] > 1:
            raise ConfigError(f"--set {key}: given {keys[key]} times, allowed: once")
        _override(content, override)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        key = _dotted(error.errors(include_url=False)[0]["loc"])
        asked = next((override for override in overrides if _concerns(override, key)), None)
        raise ConfigError(f"{source if asked is None else f'--set {asked}'}: {_explain(error)}") from None


def _concerns(override: str, key: str) -> bool:
    """Whether an override sets a key, or the section that holds it."""
    changed = override.partition("=")[0].strip()
    return key == changed or key.startswith((f"{changed}.", f"{changed}["))


def _on_base(content: dict[str, Any], source: str) -> dict[str, Any]:
    name = content.pop(BASE)
    if not isinstance(name, str):
        raise ConfigError(f"{source}: base: found {name!r}, allowed: {', '.join(presets())}")
    text = (preset_path(name) / CONFIG).read_text(encoding="utf-8")
    merged: dict[str, Any] = _merge(yaml.load(text, Loader=_loader()), content)
    return merged


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        base = merged.get(key)
        if key in MAIN_KEYS and isinstance(value, dict) and base is not None and not isinstance(base, dict):
            base = {MAIN_KEYS[key]: base}
        merged[key] = _merge(base, value) if isinstance(base, dict) and isinstance(value, dict) else value
    return merged


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: allowed key=value, such as training.lr=1e-4")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {override!r}: the value is not YAML ({str(error)[:100]})") from None
    place: Any = content
    *parents, last = _steps(override, key)
    for name in parents:
        place = _child(place, name, override)
    if isinstance(last, int):
        _child(place, last, override)
        place[last] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise ConfigError(f"--set {override!r}: {last!r} cannot be set there")


def _steps(override: str, key: str) -> list[str | int]:
    """``objective[0].property`` as ``["objective", 0, "property"]``."""
    steps: list[str | int] = []
    for part in key.strip().split("."):
        name, *indices = part.split("[")
        steps.append(name)
        for index in indices:
            if not index.endswith("]") or not index[:-1].isdigit():
                raise ConfigError(f"--set {override!r}: allowed key=value, such as objective[0].strength=8")
            steps.append(int(index[:-1]))
    return steps


def _child(place: Any, name: str | int, override: str) -> Any:
    """The content under a key or an index; a new section where a key has no content."""
    if isinstance(name, int):
        if not isinstance(place, list) or name >= len(place):
            content = f"{len(place)} entries" if isinstance(place, list) else "no list"
            raise ConfigError(f"--set {override!r}: [{name}] of {content}, allowed: an index that is there, from 0")
        return place[name]
    if isinstance(place, dict) and place.get(name) is None:
        place[name] = {}
    if not isinstance(place, dict) or not isinstance(place[name], dict | list):
        short = isinstance(place, dict) and name in MAIN_KEYS
        if not short:
            raise ConfigError(f"--set {override!r}: {name!r} holds no further keys")
        place[name] = {MAIN_KEYS[name]: place[name]}
    if isinstance(place[name], list) and name in MAIN_KEYS:
        place[name] = {MAIN_KEYS[name]: place[name]}
    return place[name]


def _explain(error: ValidationError) -> str:
    """The first error as one line: key, found, allowed, nearest."""
    first = error.errors(include_url=False)[0]
    where = [part for part in first["loc"] if isinstance(part, str) and not part.startswith("function-")]
    key, rest = _dotted(first["loc"]) or "configuration", len(error.errors()) - 1
    more = f" (and {rest} more)" if rest else ""
    if first["type"] == "extra_forbidden":
        elsewhere = _places_of(where[-1])
        if elsewhere:
            return f"{key}: unknown key, allowed: {', '.join(elsewhere)}{more}"
        allowed = _keys_at(where[:-1])
        if len(where) == 1:
            allowed = sorted([*allowed, *sections_beside(), BASE])
        return f"{key}: unknown key, allowed: {', '.join(allowed)}{nearest(where[-1], allowed)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    value = first.get("input")
    hide = isinstance(value, dict | list) or first["type"] in ("missing", "value_error")
    finding = "" if hide else f"found {value!r}, "
    return f"{key}: {finding}{message[0].lower() + message[1:]}{more}"


def _dotted(location: Sequence[str | int]) -> str:
    """``("objective", 0, "goal")`` as ``objective[0].goal``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith("function-"):
            text += f".{part}" if text else part
    return text


def _places_of(name: str) -> list[str]:
    """Dotted keys that end in a name, as they are written with ``--set``."""
    found: list[list[str]] = []

    def search(place: type[BaseModel] | OneOf, path: list[str]) -> None:
        if isinstance(place, OneOf):
            for kind, section in place.registry.items():
                search(section, path if kind == place.plain else [*path, kind])
            return
        for key in place.model_fields:
            if key == name:
                found.append([*path, key])
            for inner in _inside(place, key):
                search(inner, [*path, key])

    search(Config, [])
    return list(dict.fromkeys(map(_written, found)))


def _written(path: list[str]) -> str:
    """A key in its short form: terms and keys of the objective of training stand beside it."""
    if path[0] == "objective" and len(path) > 1:
        return ".".join(path[1:]) if path[1] in sections_beside() else f"objective[0].{'.'.join(path[1:])}"
    if path[:2] == ["training", "objective"] and len(path) == 4:
        return f"training.{path[3]}"
    return ".".join(path)


def _keys_at(path: Sequence[str]) -> list[str]:
    keys: set[str] = set()
    places: list[type[BaseModel] | OneOf] = [Config]
    for name in path:
        places = [inner for place in places for inner in _inside(place, name)]
    for place in places:
        if isinstance(place, OneOf):
            plain = place.registry[place.plain].model_fields if place.plain is not None else {}
            keys |= {*plain, *(name for name in place.registry if name != place.plain)}
        else:
            keys |= set(place.model_fields)
    return sorted(keys)


def _inside(place: type[BaseModel] | OneOf, name: str) -> list[type[BaseModel] | OneOf]:
    """The sections under a key of a section, or of a choice of sections."""
    if isinstance(place, OneOf):
        return [place.registry[name]] if name in place.registry else []
    if name not in place.model_fields:
        return []
    field = place.model_fields[name]
    choices = [part for part in field.metadata if isinstance(part, OneOf)]
    return list(choices) if choices else _sections(field.annotation)


def _sections(annotation: Any) -> list[type[BaseModel] | OneOf]:
    """The sections and choices of sections that an annotation holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    choices = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, OneOf)]
    if choices:
        return list(choices)
    return [inner for part in getattr(annotation, "__args__", ()) for inner in _sections(part)]
