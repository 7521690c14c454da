"""Trained property models: weights in a folder, and the property that predicts with them.

A model folder holds ``weights.safetensors`` (tables, scaling and weights; half precision where the card says so),
``domain.safetensors`` (statistics of the training crystals, see :mod:`.domain`), ``card.json`` (architecture, domain,
data, metrics) and ``card.md`` (the same card for people).
"""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import KnownElements
from crystalgfn.errors import CheckpointError, DataError, PropertyError, nearest
from crystalgfn.files.atomic import write_together
from crystalgfn.files.reading import read_json, shaped
from crystalgfn.files.tensors import read_tensors, serialised
from crystalgfn.files.trust import opened
from crystalgfn.proxies.card_shape import CardShape
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.terms import Terms

WEIGHTS = "weights.safetensors"
DOMAIN = "domain.safetensors"
CARD = "card.json"
CARD_TEXT = "card.md"
FILES = (CARD, CARD_TEXT, WEIGHTS, DOMAIN)
"""What the folder of a model holds."""
FORMAT = 1
CHUNK = 256


class ProxyProperty:
    """A trained network as a property: crystals in, eV/atom (eV for a band gap) out.

    Example::

        energy = ProxyProperty.load("formation_energy")
        energy(crystals)                 # (B,) float32, eV/atom
        energy.with_deviation(crystals)  # and the standard deviation

    Args:
        network: the trained ensemble.
        card: the model card; its ``domain`` names the elements the model was trained on.
    """

    def __init__(self, network: ProxyNetwork, card: dict[str, Any]) -> None:
        self.network = network.float().eval().requires_grad_(False)
        self.card = card
        self.name: str = card["name"]
        self.unit: str = card["unit"]
        self._known_elements = KnownElements(self.name, card["domain"]["elements"], "it was trained on")
        self._featuriser = network.featuriser(network.properties, network.volumes)
        self._tables: dict[torch.device, tuple[Tensor, ...]] = {}

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the ensemble's mean, (B,) float32, on the device of the crystals.

        Raises:
            PropertyError: a crystal holds an element the model was not trained on.
        """
        return self._predict(crystals).energy.mean(0)

    def with_deviation(self, crystals: Crystals) -> tuple[Tensor, Tensor]:
        """Return the mean and its standard deviation, each (B,) float32, in the unit of the property.

        The deviation combines the spread of the members (0 for a single member) with the doubt about the part that they
        share: see :data:`~crystalgfn.proxies.networks.volume.STRAIN_DOUBT`.

        Raises:
            PropertyError: a crystal holds an element the model was not trained on.
        """
        terms = self._predict(crystals)
        return terms.energy.mean(0), self.network.deviation(terms)

    def formation_energy(self, crystals: Crystals) -> Tensor:
        """Return the formation energy (B,), eV/atom, that a model of the energy above the hull predicts beside it.

        Raises:
            PropertyError: the model is not one of the energy above the hull, or does not know an element.
        """
        formation = self._predict(crystals).formation
        if formation is None:
            raise PropertyError(f"model {self.name!r} has one output, allowed: a model of the energy above the hull")
        return formation.mean(0)

    def metal(self, crystals: Crystals) -> Tensor:
        """Return the probability (B,) of being a metal, by a model of the band gap.

        Raises:
            PropertyError: the model is not one of the band gap, or a crystal holds an element it was not trained on.
        """
        logit = self._predict(crystals).logit if self.network.tells_metals else None
        if logit is None:
            raise PropertyError(f"model {self.name!r} knows no metals, allowed: a model of the band gap")
        return torch.sigmoid(-logit).mean(0)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the model was trained on."""
        return self._known_elements.symbols

    @property
    def source(self) -> str:
        """What the model predicts, and from which data, in one line."""
        rows = self.card.get("data", {}).get("rows", 0)
        return f"{self.card.get('property', self.name)}: {self.network.config.members} networks, {rows:,} rows"

    @property
    def error(self) -> str:
        """Mean absolute error on held-out rows, by the model card."""
        errors = self.card.get("metrics", {}).get("real", {}).get("groups", {}).get("all", {})
        return f"MAE {errors['mae']:.3f} {self.unit} on {errors['n']:,} test rows" if errors.get("n") else ""

    def _predict(self, crystals: Crystals) -> Terms:
        """Return the prediction of each member."""
        self._known_elements.check(crystals)
        device = crystals.counts.device
        if device not in self._tables:
            self.network.to(device)
            self._tables = {device: tuple(t.detach() for t in self.network.tables())}
        with torch.no_grad():
            inputs = self._featuriser(crystals)
            if len(inputs) <= CHUNK:
                return self.network.terms(inputs.for_all_members(), self._tables[device])
            order = inputs.order
            parts = [
                self.network.terms(inputs[index].trimmed().for_all_members(), self._tables[device])
                for index in order.split(CHUNK)
            ]
            return Terms.join(parts).reordered(order.argsort())

    @classmethod
    def load(cls, where: str | Path, *, trust: bool = False) -> ProxyProperty:
        """Load a shipped model by name, or a model folder.

        Args:
            where: name or folder.
            trust: whether files in the folder may be links that lead out of it.

        Raises:
            CheckpointError: there is no such model or folder, or its files do not fit each other.
            TrustError: a file lies outside of the folder.
        """
        folder = model_folder(where)
        with opened(folder, trust=trust):
            card = read_card(folder)
            tensors, _ = read_tensors(folder / WEIGHTS)
        try:
            names = {f.name for f in fields(NetworkConfig)}
            config = shaped({k: v for k, v in card["network"].items() if k in names}, NetworkConfig, "network")
            _check_sizes(config, tensors)
            network = build(config)
            network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
            return cls(network, card)
        except (DataError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{folder}: weights and card do not fit: {error}") from None


def _check_sizes(config: NetworkConfig, tensors: dict[str, Tensor]) -> None:
    """Refuse a card whose network has other sizes than the weights, before memory is taken for it.

    Raises:
        ValueError: a tensor has another shape, or is missing.
    """
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in build(config).state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(f"{name} has shape {found.get(name)}, allowed: {expected.get(name)}")


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models inside the package, by name."""
    root = Path(str(files("crystalgfn.proxies") / "weights"))
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{CARD}"))}


def model_folder(where: str | Path) -> Path:
    """Return the folder of a model, given by the name of a shipped model or by its path.

    Raises:
        CheckpointError: ``where`` is neither.
    """
    shipped = shipped_models()
    if str(where) in shipped:
        return shipped[str(where)]
    folder = Path(where)
    if not (folder / CARD).is_file():
        raise CheckpointError(
            f"no model {str(where)!r}: not a folder with {CARD}, and the shipped models are "
            f"{', '.join(shipped)}{nearest(str(where), shipped)}"
        )
    return folder


def read_card(folder: Path) -> dict[str, Any]:
    """Return the model card of a folder.

    Raises:
        CheckpointError: the card is unreadable, or has another format.
    """
    try:
        card = read_json(folder / CARD, dict[str, Any])
    except DataError as error:
        raise CheckpointError(f"unreadable model card: {error}") from None
    if card.get("format") != FORMAT:
        raise CheckpointError(f"{folder / CARD}: format {card.get('format')!r}, allowed: {FORMAT}")
    try:
        shaped(card, CardShape, str(folder / CARD))
    except DataError as error:
        raise CheckpointError(f"{error}") from None
    return card


def save_model(
    folder: Path,
    network: ProxyNetwork,
    card: dict[str, Any],
    text: str,
    *,
    half: bool = True,
    domain: dict[str, Tensor] | None = None,
) -> None:
    """Write the files of a model, complete and in place of those of an older one, or none; other files stay.

    Args:
        folder: where to write.
        network: the trained ensemble.
        card: the model card; ``format``, ``network`` and ``precision`` are filled in.
        text: the card for people, markdown.
        half: store learned weights in half precision; tables and scaling keep single precision.
        domain: fields of a :class:`~crystalgfn.proxies.domain.TrainingDomain`.

    Raises:
        DataError: the folder cannot be written, or the disk is full.
    """
    card = {
        "format": FORMAT,
        **card,
        "network": network.config.to_dict(),
        "precision": "float16" if half else "float32",
    }
    learned = {name for name, _ in network.named_parameters()}
    tensors = {k: v.half() if half and k in learned else v for k, v in network.state_dict().items()}
    parts = {
        CARD: f"{json.dumps(card, indent=1)}\n".encode(),
        CARD_TEXT: text.encode(),
        WEIGHTS: serialised(tensors, {}),
        **({DOMAIN: serialised(domain, {})} if domain is not None else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_together(folder, parts)
    if domain is None:
        (folder / DOMAIN).unlink(missing_ok=True)
