"""Put the weights of a finished run into a preset of the package, with a card that records how they were made.

    crystalgfn train twelve-elements -o RUN && python scripts/release/ship_preset.py RUN twelve-elements
    crystalgfn train prior DATA.parquet -o RUN && python scripts/release/ship_preset.py RUN prior --half

With --half, weights are written with 16 bits and whole numbers with as many as they need: a third of the size.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from crystalgfn.config import CONFIG, load_preset, preset_path, read_config
from crystalgfn.files.tensors import read_tensors, write_tensors
from crystalgfn.proxies.models import CARD, WEIGHTS, model_folder
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.folder import VERSIONS
from crystalgfn.runs.prior import CARD as PRIOR_CARD
from crystalgfn.runs.training import POSTERIOR

SOURCE = Path(__file__).parents[2] / "src" / "crystalgfn" / "presets"


def main() -> int:
    """Check the run, copy its weights and write the card; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("preset")
    parser.add_argument("--half", action="store_true", help="write numbers with fewer bits")
    options = parser.parse_args()
    config = read_config(options.run / CONFIG)
    preset_path(options.preset)
    with_data = config.training.data
    if config != load_preset(options.preset, [f"training.data.path={with_data.path}"] if with_data else []):
        print(f"error: {options.run} has another configuration than preset {options.preset}", file=sys.stderr)
        return 2
    tensors, header = read_tensors(options.run / POLICY)
    if not config.is_prior and header["iteration"] != config.training.iterations:
        print(f"error: {options.run} stopped at iteration {header['iteration']}", file=sys.stderr)
        return 2
    folder = SOURCE / options.preset
    if options.half:
        write_tensors(folder / POLICY, {name: _small(tensor) for name, tensor in tensors.items()}, header)
    else:
        shutil.copyfile(options.run / POLICY, folder / POLICY)
    if config.is_prior:
        shutil.copyfile(options.run / PRIOR_CARD, folder / PRIOR_CARD)
    data = " DATA.parquet" if with_data else ""
    card: dict[str, Any] = {
        "command": f"crystalgfn train {options.preset}{data} -o RUN --threads 1",
        "seed": config.seed,
        "policy_sha256": hashlib.sha256((folder / POLICY).read_bytes()).hexdigest(),
        "versions": json.loads((options.run / VERSIONS).read_text()),
    }
    if not config.is_prior:
        card["iterations"] = config.training.iterations
        card["trajectories"] = config.training.iterations * config.training.batch_size
    if (options.run / POSTERIOR).is_file():
        card["posterior"] = json.loads((options.run / POSTERIOR).read_text())
    if any(term.subject() for term in config.objective):
        card["property"] = config.first_property
        proxy = model_folder(config.first_property) / WEIGHTS
        card["property_weights_sha256"] = hashlib.sha256(proxy.read_bytes()).hexdigest()
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return 0


def _small(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with fewer bits a number."""
    if tensor.is_floating_point():
        return tensor.half()
    low, high = int(tensor.min()), int(tensor.max())
    if low >= 0 and high < 256:
        return tensor.to(torch.uint8)
    return tensor.to(torch.int16) if max(-low, high) < 1 << 15 else tensor


if __name__ == "__main__":
    sys.exit(main())
