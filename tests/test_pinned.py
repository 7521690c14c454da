"""What the shipped presets sample, score and learn does not change unless somebody means it to.

``pinned.json`` holds digests of tables, log-probabilities and trained weights, byte for byte. Rounding differs between
processors and releases of torch: where either is another one, the leading rows are compared as numbers instead.

After a change that is meant, write the file again and say in CHANGELOG.md why:
``OMP_NUM_THREADS=1 python tests/test_pinned.py``.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

import crystalgfn
from crystalgfn.config import load_preset
from crystalgfn.runs.build import build_trainer

PINNED = Path(__file__).with_name("pinned.json")
PRESETS = ("twelve-elements", "paper-fast")
LIMITS = {
    "twelve-elements": {
        "required": ["O"],
        "n_elements": [2, 3],
        "crystal_system": ["cubic", "tetragonal"],
        "density": [1, 5],
    },
    "paper-fast": {"stoichiometry": "AB2", "forbidden": ["F"], "charge": "per_element"},
}
ROWS, SHOWN, ITERATIONS = 300, 12, 12


def machine() -> str:
    """What rounding depends on, as a digest."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.is_file() else []
    model = next((line for line in lines if line.startswith("model name")), platform.processor())
    known = f"{model} {torch.backends.cpu.get_cpu_capability()} {torch.__version__.split('+')[0]} {np.__version__}"
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def digest(crystals) -> str:
    """Of every value of a table, column by column."""
    found = hashlib.sha256(json.dumps(crystals.elements).encode())
    for tensor in (crystals.space_group, crystals.counts, crystals.lattice):
        found.update(tensor.contiguous().numpy().tobytes())
    for name in sorted(crystals.columns):
        values = crystals.columns[name]
        content = json.dumps(values.tolist()).encode() if values.dtype == object else values.tobytes()
        found.update(name.encode() + content)
    return found.hexdigest()


def table(crystals) -> dict:
    """Digest and leading rows."""
    head = crystals[:SHOWN]
    numbers = {name: [float(f"{x:.7g}") for x in head.columns[name]] for name in sorted(head.columns)}
    return {"digest": digest(crystals), "formulas": head.formulas, "groups": head.space_group.tolist(), **numbers}


def weights(policy) -> str:
    """Of all weights, whatever they are called and in whichever order they come."""
    each = sorted(hashlib.sha256(w.contiguous().numpy().tobytes()).hexdigest() for w in policy.state_dict().values())
    return hashlib.sha256("".join(each).encode()).hexdigest()


def trained(preset: str) -> dict:
    """A short training run, with replay."""
    config = load_preset(
        preset,
        overrides=[f"training.iterations={ITERATIONS}", "training.replay.share=0.25", "training.replay.start=100"],
    )
    trainer = build_trainer(config)
    seen = []
    trainer.run(ITERATIONS, seen.append)
    losses = [float(f"{p.loss:.6g}") for p in seen]
    return {"weights": weights(trainer.policy), "averaged": weights(trainer.sampling_policy), "losses": losses}


def measured(preset: str) -> dict:
    """Everything that is pinned of a preset."""
    model = crystalgfn.load(preset)
    samples = model.sample(ROWS, seed=0)
    return {
        "samples": table(samples),
        "restricted": table(model.restricted(**LIMITS[preset]).sample(ROWS, seed=1)),
        "likelihoods": table(model.likelihoods(samples[:60], trajectories=4, seed=2)),
        "training": trained(preset),
    }


def compared(found: dict, wanted: dict, *, exact: bool) -> None:
    """Assert that both are the same: to the bit, or to the rounding of another processor."""
    if exact:
        assert found == wanted
        return
    for part, values in wanted.items():
        for name, value in values.items():
            if name in ("digest", "weights", "averaged"):
                continue
            if name in ("formulas", "groups"):
                assert found[part][name] == value
            else:
                np.testing.assert_allclose(found[part][name], value, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("preset", PRESETS)
def test_same_samples_scores_and_weights(preset):
    pinned = json.loads(PINNED.read_text())
    compared(measured(preset), pinned[preset], exact=pinned["machine"] == machine())


if __name__ == "__main__":
    torch.set_num_threads(1)
    PINNED.write_text(json.dumps({"machine": machine(), **{p: measured(p) for p in PRESETS}}, indent=1) + "\n")
