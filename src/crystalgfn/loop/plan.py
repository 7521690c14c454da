"""The plan of a loop, and the model that it starts from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from crystalgfn.config import Config
from crystalgfn.errors import ConfigError
from crystalgfn.files.reading import sha256
from crystalgfn.loop.given import GivenLabels, read_given
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.rewards.terms.stability import StabilityConfig
from crystalgfn.runs.model import Model, load
from crystalgfn.spaces.constraints.elements import usable
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.workers import Tools


@dataclass(frozen=True)
class Plan:
    """The plan of a loop.

    Attributes:
        start: preset or run folder that round 0 samples from; a model with sites, trained to prior x reward.
        limits: constraints of the space, in the keys of :meth:`~crystalgfn.runs.model.Model.restricted`.
        rounds: most rounds after round 0.
        candidates: number of samples that each round relaxes.
        hull: ``"builtin"``, ``"mp"`` or a table of phases: the hull from which energies above hull are measured.
        compare: file of known structures, for novelty; empty for the known crystals that ship, by their sites.
        labels: tables of labels to learn from beside the loop's own, see :mod:`.given`.
        iterations: updates of the sampler in a round.
        seed: seed of the whole loop.
    """

    start: str = "default"
    limits: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 2
    candidates: int = 100
    hull: str = "builtin"
    compare: str = ""
    labels: tuple[str, ...] = ()
    iterations: int = 200
    seed: int = 0

    @property
    def request(self) -> dict[str, Any]:
        """The plan as JSON values; the labels may lie elsewhere when a loop goes on, but must hold the same bytes.

        Raises:
            DataError: a file of labels cannot be read.
        """
        hashes = [sha256(path) for path in self.labels] or None
        return {**dict(json.loads(json.dumps(asdict(self)))), "labels_sha256": hashes}


def first_models(plan: Plan, *, trust: bool = False) -> tuple[Model, Model]:
    """Return the model that a loop starts from, as it was trained and in the space of the plan.

    Args:
        plan: the plan.
        trust: see :func:`crystalgfn.runs.model.load`.

    Raises:
        ConfigError: there is no such model, it is not one of prior x reward over sites, a limit is wider than its
            training, or the hull lacks an element of the space.
        ConstraintError: the limits leave no crystal.
    """
    whole = load(plan.start, trust=trust)
    kinds = {
        "a prior": whole.config.is_prior,
        "a model of crystals without sites": not whole.space.has_sites,
        "a model without a prior": whole.prior is None,
    }
    wrong = next((kind for kind, found in kinds.items() if found), None)
    if wrong:
        raise ConfigError(
            f"loop: found {plan.start}, {wrong}, allowed: a model trained to prior x reward, such as default"
        )
    model = whole.restricted(**plan.limits) if plan.limits else whole
    missing = load_hull(plan.hull, potential=Tools.potential).missing(
        usable(model.config.constraints.elements.model_dump())
    )
    if missing:
        raise ConfigError(f"--hull {plan.hull}: has no phase with {', '.join(missing)}, allowed: another hull")
    return whole, model


def given_labels(plan: Plan, config: Config) -> GivenLabels | None:
    """Return the labels that a plan names, or None.

    Args:
        plan: the plan.
        config: configuration of the first model.

    Raises:
        DataError: see :func:`~.given.read_given`.
    """
    if not plan.labels:
        return None
    elements = ProxyProperty.load(energy_model(config)).elements
    hull = load_hull(plan.hull, potential=Tools.potential)
    return read_given(plan.labels, elements=elements, hull=hull, potential=Tools.potential)


def energy_model(config: Config) -> str:
    """Return the name or folder of the model of the energy above the hull that an objective names, or of the usual."""
    named = (term.property for term in config.objective if isinstance(term, StabilityConfig))
    return next(filter(None, named), EnergyAboveHull.name)
