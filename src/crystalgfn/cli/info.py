"""``crystalgfn info``: installed packages, the machine, and shipped presets and models."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer

from crystalgfn import __version__
from crystalgfn.files.reading import read_json
from crystalgfn.terminal import console

app = typer.Typer()

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "pydantic", "safetensors", "pymatgen", "moyopy")
OPTIONAL = {
    "chgnet": "structures",
    "ase": "structures",
    "plotly": "report",
    "sevenn": "second-opinion",
    "phonopy": "phonons",
    "matminer": "data",
    "mp-api": "data",
    "atomate2": "atomate2",
    "ray": "ray",
    "tensorboard": "tensorboard",
}
"""Optional packages, each with the extra that installs it."""


@app.command()
def info() -> None:
    """Print versions, hardware, presets and property models."""
    from rich.table import Table

    screen = console(soft_wrap=True, highlight=False)
    for title, rows in (
        ("crystalgfn", [("version", __version__), ("folder", str(Path(__file__).parents[1]))]),
        ("machine", _machine()),
        ("packages", [(name, version(name)) for name in PACKAGES]),
        ("extras", [(name, _optional(name, extra)) for name, extra in OPTIONAL.items()]),
        ("presets", _presets()),
        ("property models", _models()),
    ):
        table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, value)
        screen.print(table)


def _machine() -> list[tuple[str, str]]:
    import torch

    rows = [
        ("python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"),
        ("threads", f"{torch.get_num_threads()} of torch, {os.cpu_count()} processors"),
    ]
    devices = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return [*rows, ("CUDA", ", ".join(devices) if devices else "none")]


def _optional(name: str, extra: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return f"not installed (pip install 'crystalgfn[{extra}]')"


def _presets() -> list[tuple[str, str]]:
    from crystalgfn.config import preset_path, presets

    return [(name, _weights(preset_path(name))) for name in presets()]


def _models() -> list[tuple[str, str]]:
    from crystalgfn.proxies.models import shipped_models

    return [(name, _weights(folder)) for name, folder in shipped_models().items()]


def _weights(folder: Path) -> str:
    """Return the size of the weights in a folder and the metrics of its card: ``1.9 MB, real MAE 0.054 eV/atom``."""
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if not size:
        return "no weights: train it with crystalgfn train"
    from crystalgfn.proxies.models import CARD

    card = folder / CARD
    content = read_json(card, dict[str, Any]) if card.is_file() else {}
    return ", ".join([f"{size / 1e6:.1f} MB", *card_metrics(content)])


def card_metrics(card: dict[str, Any]) -> list[str]:
    """Return the errors that a property model's card gives for its first group of real and of strained rows.

    A card without them gives an empty list.
    """
    unit = f" {card['unit']}" if "unit" in card else ""
    metrics = card.get("metrics", {})
    shown = []
    for kind, groups in (
        ("real", metrics.get("real", {}).get("groups", {})),
        ("strained", metrics.get("strained") or {}),
    ):
        for name, metrics in groups.items():
            errors = metrics.get("energy", metrics)
            if errors.get("n"):
                shown.append(f"MAE {errors['mae']:.3f}{unit} on {errors['n']:,} {kind} test rows ({name})")
                break
    return shown
