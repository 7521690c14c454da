"""From a configuration to the objects it describes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import torch

from crystalgfn.config import Config, ConstraintsConfig, LatticeConfig, TrainingConfig, preset_path, presets
from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError, ConfigError, DataError
from crystalgfn.gflownet.checkpoint import load_policy
from crystalgfn.gflownet.recipe import TrainingRecipe, usual_rollout
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.term import Surroundings
from crystalgfn.spaces.constraints.lattice_bounds import NO_BOUNDS, LatticeBounds
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice
from crystalgfn.spaces.states import CrystalStates

POLICY = "policy.safetensors"
"""File of a run folder that holds the weights to sample with."""


def build_space(config: ConstraintsConfig) -> CrystalSpace:
    """The space, with its tables.

    Raises:
        ConstraintError: nothing satisfies the constraints.
    """
    asked = config.asked
    return CrystalSpace(
        [atomic_number(symbol) for symbol in config.elements.allowed],
        asked.space_groups(),
        constraints=asked,
        lattice=build_lattice(config.lattice, asked.fold("lattice", NO_BOUNDS)),
        lebesgue=config.measure == "lebesgue",
    )


def build_lattice(lattice: LatticeConfig, bounds: LatticeBounds) -> LatticeDecoder:
    """The decoding of the unit cube within hard bounds."""
    if lattice.kind == "box":
        return BoxLattice(lattice.box, lattice.box_angles, lattice.monoclinic, bounds)
    return VolumeLattice(lattice.volume, angles=lattice.triclinic, monoclinic=lattice.monoclinic, bounds=bounds)


def build_policy(config: Config, space: CrystalSpace) -> CrystalPolicy:
    """The policies with random weights from the configuration's seed; the global generator is left as it was."""
    options = PolicyOptions(
        **config.policy.model_dump(), flow=config.training.objective.flows, conditions=config.conditions
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return policy_of(space, options).to(space.device)


def weights_of(where: str | Path) -> Path:
    """Return the file with the weights of a run folder, or of a preset that ships with some.

    Raises:
        ConfigError: no such preset or folder.
        CheckpointError: it has no weights.
    """
    folder = Path(where)
    if not folder.is_dir():
        if len(folder.parts) > 1:
            raise ConfigError(f"{where}: no such run folder; presets: {', '.join(presets())}")
        folder = preset_path(str(where))
    if not (folder / POLICY).is_file():
        with_weights = [p for p in presets() if (preset_path(p) / POLICY).is_file()]
        raise CheckpointError(
            f"{where}: no trained weights ({POLICY}); train it (crystalgfn train {where} -o RUN), or use one of: "
            f"{', '.join(with_weights)}"
        )
    return folder / POLICY


def build_reward(config: Config, elements: Iterable[int]) -> Reward:
    """The sum of the objective's terms.

    Args:
        config: of the run.
        elements: atomic numbers of the space.

    Raises:
        CrystalGFNError: a term cannot be made; see the kinds in :mod:`crystalgfn.rewards.terms.registry`.
    """
    surroundings = Surroundings([SYMBOLS[z] for z in elements], config.first_property)
    return Reward([term.build(surroundings) for term in config.objective])


def build_target(config: Config, space: CrystalSpace) -> CrystalTarget:
    """The reward as a target over the space; errors as of :func:`build_reward`."""
    return CrystalTarget(space, build_reward(config, space.elements))


def build_recipe(config: TrainingConfig) -> TrainingRecipe:
    """The trainer's numbers."""
    own = {f.name: getattr(config, f.name) for f in fields(TrainingRecipe) if f.name in TrainingConfig.model_fields}
    return TrainingRecipe(
        **{
            **own,
            "rollout_batches": config.rollout_batches or usual_rollout(config.batch_size),
            "replay_share": config.replay.share,
            "replay_capacity": config.replay.capacity,
            "replay_start": config.replay.start,
            "data_share": config.data.share if config.data else 0.0,
        }
    )


def load_data(config: TrainingConfig, space: CrystalSpace) -> CrystalStates | None:
    """States of the real crystals named in the configuration that lie in the space.

    Raises:
        DataError: none of them does.
    """
    if config.data is None:
        return None
    crystals = Crystals.from_file(config.data.path)
    states, rows = space.states(crystals)
    if len(rows) == 0:
        raise DataError(f"{config.data.path}: none of its {len(crystals)} crystals lies in the space, allowed: some")
    return states


def build_trainer(config: Config, *, device: str = "cpu") -> Trainer:
    """Everything together, ready to run."""
    space = build_space(config.constraints).to(device)
    policy = build_policy(config, space)
    if config.training.start is not None:
        load_policy(weights_of(config.training.start), policy)
    target = build_target(config, space)
    data = load_data(config.training, space)
    return Trainer(policy, space, target, build_recipe(config.training), seed=config.seed, data=data)


def symbols(elements: tuple[int, ...]) -> list[str]:
    """Chemical symbols of atomic numbers."""
    return [SYMBOLS[z] for z in elements]
