"""Distance from the training crystals of a model, as a property."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import EXACT
from crystalgfn.proxies.domain import TrainingDomain
from crystalgfn.proxies.models import model_folder


class DomainDistance:
    """Distance from the training crystals of a model, as a property.

    Args:
        model: name or folder of the model.
    """

    name = "domain_distance"
    unit = ""
    error = EXACT
    elements = None

    def __init__(self, model: str = "formation_energy") -> None:
        self._model = model
        self.source = f"distance from the training crystals of {model} in composition, group and cell; 1 is the edge"

    @cached_property
    def domain(self) -> TrainingDomain:
        """The statistics of the model's training crystals."""
        return TrainingDomain.load(model_folder(self._model))

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the distance (B,)."""
        return self.domain.distance(crystals)
