"""Put the weights of a finished run into a preset of the package, with a card that records how they were made.

crystalgfn train default -o RUN && python scripts/release/ship_preset.py RUN default
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

from crystalgfn.config import CONFIG, load_preset, preset_path, read_config
from crystalgfn.files.tensors import read_tensors
from crystalgfn.proxies.models import CARD, WEIGHTS, model_folder
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.folder import VERSIONS

SOURCE = Path(__file__).parents[2] / "src" / "crystalgfn" / "presets"


def main() -> int:
    """Check the run, copy its weights and write the card; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("preset")
    options = parser.parse_args()
    config = read_config(options.run / CONFIG)
    preset_path(options.preset)
    if config != load_preset(options.preset):
        print(f"error: {options.run} has another configuration than preset {options.preset}", file=sys.stderr)
        return 2
    _, header = read_tensors(options.run / POLICY)
    if header["iteration"] != config.training.iterations:
        print(f"error: {options.run} stopped at iteration {header['iteration']}", file=sys.stderr)
        return 2
    folder = SOURCE / options.preset
    shutil.copyfile(options.run / POLICY, folder / POLICY)
    proxy = model_folder(config.first_property) / WEIGHTS
    card = {
        "command": f"crystalgfn train {options.preset} -o RUN --threads 1",
        "seed": config.seed,
        "iterations": config.training.iterations,
        "trajectories": config.training.iterations * config.training.batch_size,
        "property": config.first_property,
        "property_weights_sha256": hashlib.sha256(proxy.read_bytes()).hexdigest(),
        "policy_sha256": hashlib.sha256((folder / POLICY).read_bytes()).hexdigest(),
        "versions": json.loads((options.run / VERSIONS).read_text()),
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
