"""Trained models, as :func:`crystalgfn.load` returns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from crystalgfn.config import CONFIG, Config, read_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN as SITES
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.files.reading import sha256
from crystalgfn.files.trust import opened
from crystalgfn.gflownet.checkpoint import load_policy
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.likelihood import log_likelihood, nats_by_stage
from crystalgfn.gflownet.objectives.relative_trajectory_balance import RelativeTrajectoryBalance
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.gflownet.weights import log_weights, resampled
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.properties.registry import resolve
from crystalgfn.rewards.asks import LOG_REWARD, origin
from crystalgfn.rewards.terms.formula import FormulaConfig
from crystalgfn.rewards.terms.novelty import NoveltyConfig
from crystalgfn.rewards.terms.stability import ABOVE_HULL
from crystalgfn.rewards.values import Values
from crystalgfn.runs.build import build_policy, build_recipe, build_space, build_target, load_prior, weights_of
from crystalgfn.runs.folder import trained_in
from crystalgfn.runs.inputs import with_inputs
from crystalgfn.runs.wanted import Bounds, Wanted, foreign
from crystalgfn.spaces.constraints.elements import usable
from crystalgfn.spaces.crystal import CrystalSpace

DOMAIN = "domain_distance"
"""Name of a property that is a column of every table of samples."""

LABEL = "protostructure"
"""Column with the protostructure label of crystals with sites (:mod:`.crystallography.sites.protostructures`)."""

KNOWN = ("known", "known_pattern", "known_formula")
"""Properties of crystals with sites that are columns of every table of samples."""

MOST_DRAWS = 1_000
"""Number of times that ``CHUNK`` crystals are drawn for a chunk of wanted ones, before it is given up."""

BARREN_DRAWS = 50
"""The same where none of them was wanted so far."""

CHUNK = 1_000
"""Number of crystals drawn at a time; samples of a seed depend on it, so it never changes."""


class Model:
    """A policy over a space, with the reward that the policy was trained for.

    Example::

        model = crystalgfn.load("default")
        crystals = model.sample(1000, seed=0)
        crystals.columns["formation_energy [eV/atom]"]   # predicted by the proxy

    Args:
        config: configuration of the run that trained the policy.
        space: space of the samples.
        policy: policy to sample with.
        target: reward and properties.
        fingerprint: hash of the weights, written beside samples.
        weights: weights of the terms of the objective, for a conditional model; 1 for terms that are not named.
        prior: the prior, where the policy was trained to prior x reward.
        wanted: ranges of properties; only crystals that are predicted to lie in all of them are drawn.
        trained: configuration whose space the policy was made for, which may be wider than that of ``config``; by
            default the same.
    """

    def __init__(
        self,
        config: Config,
        space: CrystalSpace,
        policy: CrystalPolicy,
        target: CrystalTarget,
        fingerprint: str,
        weights: Mapping[str, float] | None = None,
        prior: FrozenPolicy | None = None,
        wanted: Sequence[Wanted] = (),
        trained: Config | None = None,
    ) -> None:
        self.config, self.space, self.target, self.fingerprint = config, space, target, fingerprint
        self.prior, self.wanted, self.trained = prior, tuple(wanted), trained or config
        self.policy = policy.eval().requires_grad_(False)
        self.weights = dict(weights or {})
        self._domain = resolve(DOMAIN)
        condition = target.reward.condition(self.weights)
        self._condition = condition.to(space.device) if len(condition) else None

    def sample(self, n: int, *, seed: int = 0) -> Crystals:
        """Draw ``n`` crystals.

        Args:
            n: number of crystals.
            seed: the same seed gives the same crystals.

        Returns:
            crystals with the columns of the reward's terms, ``log_reward``, ``log_pf``, ``log_pb``, and their
            importance weights ``log_weight`` = log_reward + log_pb - log_pf; and ``domain_distance``, above 1 where a
            crystal is unlike the training data of the formation-energy model (:mod:`crystalgfn.proxies.domain`). Where
            the target is prior x reward, also ``log_prior``, log P_F of the trajectories under the prior in its own
            space; then ``log_weight`` = log_reward + log_prior - log_pf. A model that is a prior is its own. Crystals
            with sites also have columns ``wyckoff``, ``protostructure``, ``known``, ``known_pattern`` and
            ``known_formula``.

        Raises:
            ConfigError: ``n`` is below 1, wanted ranges are not reached, or a wanted property has the name of another
                column.
            PropertyError: a property failed on a crystal.
        """
        if n < 1:
            raise ConfigError(f"n: found {n}, allowed: 1 or more crystals")
        return Crystals.concatenate(list(self.chunks(n, seed=seed)))

    def chunks(self, n: int, *, seed: int = 0, first: int = 0) -> Iterator[Crystals]:
        """The crystals of :meth:`sample` in chunks of ``CHUNK`` from chunk ``first`` on, each with its own seed."""
        for chunk in range(first, -(-n // CHUNK)):
            yield self._draw(min(CHUNK, n - chunk * CHUNK), seed=seed, chunk=chunk)

    @torch.inference_mode()
    def _draw(self, n: int, *, seed: int, chunk: int) -> Crystals:
        if not self.wanted:
            return self._described(self._trajectories(n, [seed, chunk]))
        parts: list[Trajectories] = []
        found, draws = 0, 0
        while found < n:
            if draws >= (MOST_DRAWS if found else BARREN_DRAWS):
                ranges = ", ".join(f"{each.name} {each.range}" for each in self.wanted)
                raise ConfigError(
                    f"wanted: found {found} of {draws * CHUNK:,} samples predicted with {ranges}, allowed: wider "
                    f"ranges, so that {n:,} can be found{f', or {found} crystals' if found else ''}"
                )
            drawn = self._trajectories(CHUNK, [seed, chunk, draws])
            rows = self._is_wanted(drawn)
            draws, found = draws + 1, found + int(rows.sum())
            if rows.any():
                parts.append(drawn[rows])
        return self._described(Trajectories.concatenate(parts)[:n])

    def _is_wanted(self, trajectories: Trajectories) -> Tensor:
        """Which of the crystals ``(B,)`` are predicted to lie in all ranges."""
        values = Values(self.space.crystals(trajectories.states))
        rows = torch.ones(len(trajectories), dtype=torch.bool, device=self.space.device)
        for each in self.wanted:
            rows &= each.holds(values.of(each.prop))
        return rows

    def _trajectories(self, n: int, entropy: list[int]) -> Trajectories:
        words = np.random.SeedSequence(entropy).generate_state(2, np.uint32).tolist()
        generator = Generator(device=self.space.device).manual_seed(words[0] << 31 | words[1] >> 1)
        condition = self._condition.expand(n, -1) if self._condition is not None else None
        return self.policy.sample(n, self.space, condition=condition, generator=generator)

    def _described(self, trajectories: Trajectories) -> Crystals:
        """The crystals that trajectories end in, with the columns of :meth:`sample`."""
        scores = self.policy.score(trajectories, self.space)
        evaluation = self.target.evaluate(trajectories.states, trajectories.condition, deviations=True)
        log_reward, crystals, columns = evaluation.log_reward, evaluation.crystals, evaluation.columns()
        for each in self.wanted:
            columns.setdefault(each.column, evaluation.values.of(each.prop).cpu().numpy())
        columns[DOMAIN] = evaluation.values.of(self._domain).cpu().numpy()  # not computed again where a term needs it
        if crystals.sites is not None:
            columns[SITES] = crystals.sites.texts(crystals.space_group)
            columns[LABEL] = crystals.sites.labels(crystals.space_group)
            columns |= {
                name: evaluation.values.of(resolve(name)).cpu().numpy() for name in KNOWN if name not in columns
            }
        numbers = {"log_reward": log_reward, "log_pf": scores.log_pf_sum, "log_pb": scores.log_pb_sum}
        given_end = scores.log_pb_sum
        if self.prior is not None:
            given_end = scores.log_pf_sum
            if not self._is_own_prior:
                given_end = self.prior.log_prob(trajectories, self.space)
            numbers["log_prior"] = given_end
        numbers["log_weight"] = log_weights(scores.log_pf_sum, given_end, log_reward)
        columns |= {name: number.cpu().double().numpy() for name, number in numbers.items()}
        made = crystals.with_columns(**columns)
        for each in self.wanted:
            each.check_column(made, evaluation.values.of(each.prop))
        made.origins[LOG_REWARD] = origin(self.target.reward.asks)
        return made

    @property
    def _is_own_prior(self) -> bool:
        """Whether the model is a prior in the space of its training."""
        return self.prior is not None and self.prior.policy is self.policy and self.prior.space is self.space

    def resample(self, n: int, *, pool: int | None = None, seed: int = 0) -> Crystals:
        """Draw ``n`` crystals from the target itself, by the importance weights of a larger number of samples.

        Exact in the limit of a large pool. Rows repeat where the pool's effective sample size is small:
        :func:`crystalgfn.gflownet.weights.effective_sample_size` of its ``log_weight`` says how small.

        Args:
            n: number of crystals.
            pool: number of samples to choose from; 10 n by default.
            seed: the same seed gives the same crystals.
        """
        samples = self.sample(pool if pool is not None else 10 * n, seed=seed)
        rows = resampled(np.asarray(samples.columns["log_weight"], dtype=float), n, np.random.default_rng(seed))
        return samples[rows].with_columns(log_weight=np.zeros(n))

    def likelihoods(self, crystals: Crystals, *, trajectories: int = 50, seed: int = 0) -> Crystals:
        """Log-likelihoods of crystals, real or sampled, under the model, beside their log-rewards.

        Args:
            crystals: crystals of any origin; crystals outside the model's space are left out.
            trajectories: number of trajectories drawn backward from each crystal
                (:func:`crystalgfn.gflownet.likelihood.log_likelihood`).
            seed: the same seed gives the same numbers.

        Returns:
            the crystals in the space, with their own columns, ``log_likelihood`` and its standard error
            ``log_likelihood_error``, nats in the measure of the unit cube, and ``log_reward``; for a perfect model,
            ``log_likelihood`` is ``log_reward`` minus log Z. Where the target is prior x reward, also ``log_prior``,
            the log-likelihood under the prior in its own space; for a perfect model, ``log_likelihood`` is then
            ``log_reward`` + ``log_prior`` minus log Z. Crystals with sites are those of their canonical writing.
        """
        states, rows = self.space.states(crystals)
        inside = crystals[rows.cpu().numpy()]
        inside.columns.pop("log_prior", None)  # samples bring that of their own model, which may be another
        if not len(rows):
            names = ("log_likelihood", "log_likelihood_error", "log_reward", *["log_prior"] * (self.prior is not None))
            return inside.with_columns(**dict.fromkeys(names, np.zeros(0)))
        generator = Generator(device=self.space.device).manual_seed(seed)
        log_p, error = log_likelihood(
            self.policy,
            self.space,
            states,
            trajectories=trajectories,
            condition=self._condition,
            generator=generator,
        )
        condition = self._condition.expand(len(states), -1) if self._condition is not None else None
        numbers = {
            "log_likelihood": log_p,
            "log_likelihood_error": error,
            "log_reward": self.target.log_reward(states, condition),
        }
        if self.prior is not None and not self._is_own_prior:
            log_p = self.prior.log_likelihood(states, self.space, trajectories=trajectories, generator=generator)
        if self.prior is not None:
            numbers["log_prior"] = log_p
        return inside.with_columns(**{k: v.cpu().double().numpy() for k, v in numbers.items()})

    def nats(self, crystals: Crystals, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Parts of -log-likelihoods that the stages contribute, for those of some crystals that lie in the space.

        Args:
            crystals: crystals of any origin.
            seed: of the trajectories, where more than one leads to a crystal.

        Returns:
            arrays ``(N,)`` by the name of the stage, nats; see :func:`crystalgfn.gflownet.likelihood.nats_by_stage`.
        """
        states, rows = self.space.states(crystals)
        if not len(rows):
            return dict.fromkeys(self.policy.stages, np.zeros(0))
        condition = self._condition.expand(len(states), -1) if self._condition is not None else None
        generator = Generator(device=self.space.device).manual_seed(seed)
        drawn = self.policy.sample_backward(states, self.space, condition=condition, generator=generator)
        parts = nats_by_stage(self.policy, drawn, self.space)
        return {name: part.cpu().numpy() for name, part in parts.items()}

    def weighted(self, **weights: float) -> Model:
        """The model at other weights of the terms of the objective, by the name of the criterion: ``band_gap=2``.

        Raises:
            ConfigError: the model was not trained for a name or a weight.
        """
        return self._but(weights={**self.weights, **weights})

    def knowing(self, *tables: str | Path) -> Model:
        """The model with further tables of known crystals, which its reward counts as known.

        The policy stays as it is: the columns ``known``, ``known_formula``, ``log_reward`` and ``log_weight`` change,
        and what :meth:`resample` and :meth:`finetuned` lead to.

        Args:
            tables: files with a column ``wyckoff``.

        Raises:
            ConfigError: the reward has no term of novelty, nor of known formulas.
            DataError: a table cannot be read, or has no sites.
        """
        terms = [
            term.model_copy(update={"known": (*term.known, *map(str, tables))})
            if isinstance(term, NoveltyConfig | FormulaConfig)
            else term
            for term in self.config.objective
        ]
        if terms == self.config.objective and tables:
            raise ConfigError(
                "known: the objective has no term novelty or formula, allowed: models with one, such as default"
            )
        config = self.config.model_copy(update={"objective": terms})
        return self._but(config=config, target=build_target(config, self.space))

    def indifferent_to_known(self) -> Model:
        """The model whose reward asks neither whether a crystal nor whether its formula is known.

        The policy stays as it is: ``log_reward`` and ``log_weight`` change. A reward of nothing else stays as well.
        """
        terms = [term for term in self.config.objective if not isinstance(term, NoveltyConfig | FormulaConfig)]
        config = self.config.model_copy(update={"objective": terms or self.config.objective})
        return self._but(config=config, target=build_target(config, self.space))

    def within(self, **ranges: Bounds) -> Model:
        """The model whose samples are all predicted to lie in ranges of properties: ``band_gap=(1.4, 1.8)``.

        Samples that do not are drawn again, so that the others keep their relative probabilities and weights. Elements
        that a property does not know are forbidden. What is predicted is not yet true: the card of a model says how
        often, and ranges hold for the sampled cell, before anything is relaxed.

        Args:
            ranges: least and most in the unit of the property, None for an open end, by the name of the property.

        Raises:
            PropertyError: there is no such property.
            ConfigError: a range is none, or an element that is required is one that a property does not know.
            ConstraintError: no crystal of elements that the properties know is left.
        """
        wanted = [Wanted.of(name, bounds) for name, bounds in ranges.items()]
        others = [each for each in self.wanted if each.name not in ranges]
        strangers = foreign(wanted, usable(self.config.constraints.elements.model_dump()))
        try:
            model = self.restricted(forbidden=strangers) if strangers else self
        except (ConfigError, ConstraintError) as error:
            names = ", ".join(each.name for each in wanted if foreign([each], strangers))
            raise type(error)(f"{names}: nothing is known of {', '.join(strangers)}; {error}") from error
        return model._but(wanted=(*others, *wanted))

    def at_most(self, above_hull: float) -> Model:
        """The model whose samples are all predicted to lie at most so far above the hull, eV/atom (:meth:`within`).

        Raises:
            ConfigError: the distance is not a number.
        """
        return self.within(**{ABOVE_HULL.name: (None, above_hull)})

    def _but(self, **changes: Any) -> Model:
        """The model with other parts."""
        names = ("config", "space", "policy", "target", "fingerprint", "weights", "prior", "wanted", "trained")
        return Model(**{name: getattr(self, name) for name in names} | changes)

    def restricted(self, **limits: object) -> Model:
        """The model under narrower constraints, which hold as strictly as the constraints of training.

        The policy is normalised over the smaller set of allowed actions; log_pf is that of the normalised policy, so
        importance weights stay right. Example: ``model.restricted(required=["Li", "O"], crystal_system=["cubic"])``.

        A prior is not normalised again, since that would not give the prior under the condition that the constraints
        hold: log_prior stays that of the prior's own space, and weighted samples follow the conditional distribution.

        Args:
            limits: keys of ``constraints`` or of its sections (:func:`crystalgfn.runs.restrict.allowed_limits`).

        Raises:
            ConfigError: a key is unknown, or a limit is wider than in training.
            ConstraintError: no crystal is left; says which constraint empties the space.
        """
        from crystalgfn.runs.restrict import narrower

        config = narrower(self.config, limits)
        space = build_space(config.constraints).to(self.space.device)
        target = CrystalTarget(space, self.target.reward, whole=self.target.whole)
        return self._but(config=config, space=space, target=target)

    def finetuned(
        self,
        *,
        iterations: int,
        seed: int = 0,
        report: Callable[[Progress, float], None] | None = None,
    ) -> Model:
        """A model whose policy is trained further in this model's space, which pays after :meth:`restricted`.

        A prior is trained by relative trajectory balance, to the prior under the condition that the constraints hold,
        times its reward if it has one.

        Arguments and errors are those of :func:`crystalgfn.gflownet.finetune.finetune`.
        """
        from crystalgfn.gflownet.finetune import finetune

        recipe = build_recipe(self.config.training)
        if self.config.is_prior:
            recipe = replace(recipe, objective=RelativeTrajectoryBalance())
        policy = finetune(
            self.policy,
            self.space,
            self.target,
            recipe,
            iterations=iterations,
            seed=seed,
            prior=self.prior,
            report=report,
        )
        return self.tuned(policy, iterations, seed)

    def tuned(self, policy: CrystalPolicy, iterations: int, seed: int) -> Model:
        """The model with a policy that :meth:`finetuned` trained, and a fingerprint that says so."""
        fingerprint = f"{self.fingerprint}, {iterations} more updates with seed {seed}"
        return self._but(policy=policy, fingerprint=fingerprint)


def load(where: str | Path, *, device: str = "cpu", trust: bool = False) -> Model:
    """Load a trained model.

    Args:
        where: name of a preset with shipped weights, which comes before a folder of that name, or a run folder.
        device: "cpu" or "cuda".
        trust: whether the configuration of a run folder may have code imported (``module:function``), something
            fetched, and files outside the folder read.

    Raises:
        ConfigError: there is no such preset or folder.
        CheckpointError: the weights are missing or do not fit.
        TrustError: a folder that is not trusted asks for something; names it.
    """
    weights = weights_of(where)
    with opened(weights.parent, trust=trust):
        config = with_inputs(read_config(weights.parent / CONFIG), weights.parent)
        space = build_space(config.constraints).to(device)
        trained = trained_in(weights.parent)
        policy = build_policy(config, space if trained is None else build_space(trained.constraints).to(device))
        load_policy(weights, policy)
        policy = policy.to(device)
        prior = FrozenPolicy(policy, space, same_steps=True) if config.is_prior else load_prior(config, space)
        target = build_target(config, space)
        return Model(config, space, policy, target, sha256(weights), prior=prior, trained=trained)


def untrained(config: Config) -> Model:
    """A model with random weights, the baseline of figure 2 of the paper."""
    space = build_space(config.constraints)
    policy, target, prior = build_policy(config, space), build_target(config, space), load_prior(config, space)
    return Model(config, space, policy, target, f"untrained-{config.seed}", prior=prior)
