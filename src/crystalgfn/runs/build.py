"""Build the objects that a configuration describes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from crystalgfn.config import (
    CONFIG,
    Config,
    ConstraintsConfig,
    LatticeConfig,
    TrainingConfig,
    preset_path,
    presets,
    read_config,
)
from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError, ConfigError, DataError
from crystalgfn.gflownet.checkpoint import load_policy
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.ranks import ALONE, Ranks
from crystalgfn.gflownet.recipe import TrainingRecipe, usual_rollout
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.formula import FormulaConfig
from crystalgfn.rewards.terms.term import Surroundings
from crystalgfn.spaces.constraints.elements import usable
from crystalgfn.spaces.constraints.lattice_bounds import NO_BOUNDS, LatticeBounds
from crystalgfn.spaces.crystal import SITE_SUBSPACES, SUBSPACES, CrystalSpace
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.states import CrystalStates

POLICY = "policy.safetensors"
"""Name of the file of a run folder with the weights to sample with."""


def build_space(config: ConstraintsConfig) -> CrystalSpace:
    """The space of a configuration, with its tables.

    Raises:
        ConstraintError: no crystal satisfies the constraints.
    """
    constraints = config.all_constraints
    with_sites = config.sites == "wyckoff"
    return CrystalSpace(
        [atomic_number(symbol) for symbol in config.elements.allowed],
        constraints.space_groups(),
        constraints=constraints,
        lattice=build_lattice(config.lattice, constraints.fold("lattice", NO_BOUNDS)),
        lebesgue=config.measure == "lebesgue",
        subspaces=SITE_SUBSPACES if with_sites else SUBSPACES,
        state_type=SiteStates if with_sites else CrystalStates,
    )


def build_lattice(lattice: LatticeConfig, bounds: LatticeBounds) -> LatticeDecoder:
    """The decoder from the unit cube to cells within hard bounds."""
    if lattice.kind == "box":
        return BoxLattice(lattice.box, lattice.box_angles, lattice.monoclinic, bounds)
    return VolumeLattice(lattice.volume, angles=lattice.triclinic, monoclinic=lattice.monoclinic, bounds=bounds)


def build_policy(config: Config, space: CrystalSpace) -> CrystalPolicy:
    """Policies with random weights from the configuration's seed; the global generator keeps its state."""
    options = PolicyOptions(
        **config.policy.model_dump(), flow=config.training.objective.flows, conditions=config.conditions
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return policy_of(space, options).to(space.device)


def weights_of(where: str | Path) -> Path:
    """Return the file with the weights of a run folder, or of a preset that ships with weights.

    Args:
        where: name of a preset, which comes before a folder of that name, or a folder.

    Raises:
        ConfigError: there is no such preset or folder.
        CheckpointError: the preset or folder has no weights.
    """
    folder = Path(where)
    if str(where) in presets():  # before a folder of this name
        folder = preset_path(str(where))
    elif not folder.is_dir():
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


def load_prior(config: Config, space: CrystalSpace) -> FrozenPolicy | None:
    """The prior that the configuration names, with its weights; None where it names none.

    Args:
        config: configuration of a run.
        space: the space of that run, on its device; the prior shares it if both have the same constraints.

    Raises:
        ConfigError: there is no such preset or folder, or the prior cannot be one of this run.
        CheckpointError: the weights are missing or do not fit.
    """
    name = config.training.prior
    if name is None:
        return None
    weights = weights_of(name)
    trained = read_config(weights.parent / CONFIG)
    if trained.conditions:
        raise ConfigError(f"training.prior: {name} is conditional on weights of its terms, allowed: a prior without")
    own = space
    if trained.constraints != config.constraints:
        own = build_space(trained.constraints).to(space.device)
    stages, of_prior = ([subspace.name for subspace in each.subspaces] for each in (space, own))
    if stages != of_prior:
        raise ConfigError(
            f"training.prior: {name} decides {', '.join(of_prior)}, allowed: a prior that decides {', '.join(stages)}"
        )
    policy = build_policy(trained, own)
    load_policy(weights, policy)
    ahead = trained.policy.look_ahead  # the one option of a policy on which the recorded steps depend
    same_steps = ahead == config.policy.look_ahead and ahead != "learned"
    return FrozenPolicy(policy.to(space.device).eval().requires_grad_(False), own, same_steps=same_steps)


def build_reward(config: Config, elements: Iterable[int]) -> Reward:
    """The sum of the terms of the objective.

    Args:
        config: configuration of the run.
        elements: atomic numbers of the space; terms have to know those that the constraints leave usable.

    Raises:
        CrystalGFNError: a term cannot be built; see the kinds of terms in :mod:`crystalgfn.rewards.terms.registry`.
    """
    may_occur = usable(config.constraints.elements.model_dump())
    symbols = [SYMBOLS[z] for z in elements if SYMBOLS[z] in may_occur]
    surroundings = Surroundings(symbols, config.first_property)
    return Reward([term.build(surroundings) for term in config.objective])


def build_target(config: Config, space: CrystalSpace) -> CrystalTarget:
    """The reward as a target over the space; raises the errors of :func:`build_reward`."""
    whole = config.training.prior is not None or config.is_prior
    return CrystalTarget(space, build_reward(config, space.elements), whole=whole)


def build_recipe(config: TrainingConfig) -> TrainingRecipe:
    """The hyperparameters of training."""
    common = {f.name: getattr(config, f.name) for f in fields(TrainingRecipe) if f.name in TrainingConfig.model_fields}
    return TrainingRecipe(
        **{
            **common,
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
        DataError: none of the crystals lies in the space.
    """
    if config.data is None:
        return None
    crystals = Crystals.from_file(config.data.path)
    states, rows = space.states(crystals)
    if len(rows) == 0:
        raise DataError(f"{config.data.path}: none of its {len(crystals)} crystals lies in the space, allowed: some")
    return states


def known_formulas(config: Config, space: CrystalSpace) -> Tensor | None:
    """Keys of the formulas that the term ``formula`` of the objective knows; None if it has no such term."""
    terms = [term for term in config.objective if isinstance(term, FormulaConfig)]
    return terms[0].table().formulas.to(space.device) if terms else None


def build_trainer(config: Config, *, device: str = "cpu", ranks: Ranks = ALONE) -> Trainer:
    """A trainer with space, policy, prior, target and data, ready to run."""
    space = build_space(config.constraints).to(device)
    policy = build_policy(config, space)
    if config.training.start is not None:
        load_policy(weights_of(config.training.start), policy, start=True)
    target = build_target(config, space)
    data = load_data(config.training, space)
    prior = load_prior(config, space)
    if prior is not None:
        policy.recognise(data, known_formulas(config, space))
    recipe = build_recipe(config.training)
    return Trainer(policy, space, target, recipe, seed=config.seed, data=data, prior=prior, ranks=ranks)
