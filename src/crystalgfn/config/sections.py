"""The sections of a configuration, with their defaults, limits and meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.errors import CrystalGFNError, nearest

MAX_ATOMS = 400
"""Most atoms a conventional cell may be asked to hold."""


def _bounds(value: Any) -> Any:
    """Accept a single number for "exactly that many"."""
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


def _group_numbers(value: Any) -> Any:
    """Expand "all", numbers and ranges such as "3-15"."""
    if value == "all":
        return list(range(1, 231))
    if not isinstance(value, Sequence) or isinstance(value, str):
        value = [value]
    numbers: list[int] = []
    for entry in value:
        first, dash, last = str(entry).partition("-")
        if isinstance(entry, bool) or not first.strip().isdigit() or (dash and not last.strip().isdigit()):
            raise ValueError(f"{entry!r} is not a space group; allowed: numbers 1..230, ranges '3-15', or 'all'")
        numbers.extend(range(int(first), int(last or first) + 1))
    wrong = [n for n in numbers if not 1 <= n <= 230]
    if wrong or not numbers:
        raise ValueError(f"space group {wrong[0] if wrong else value}: allowed 1..230")
    return sorted(set(numbers))


def _symbols(value: Any) -> Any:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        try:
            return [SYMBOLS[atomic_number(str(s))] for s in value]
        except CrystalGFNError as error:
            raise ValueError(str(error)) from None
    return value


Count = Annotated[int, Field(ge=1, le=MAX_ATOMS)]
CountRange = Annotated[tuple[Count, Count], BeforeValidator(_bounds)]
FloatRange = tuple[float, float]
Symbols = Annotated[list[str], BeforeValidator(_symbols)]
SpaceGroups = Annotated[list[int], BeforeValidator(_group_numbers)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)


class BoxLatticeConfig(_Section):
    """Lengths and angles affine in the unit cube, as in the paper, restricted to cells that exist."""

    kind: Literal["box"] = "box"
    lengths: FloatRange = (0.9, 100.0)
    """Least and most length, A (rhombohedral: of the primitive cell)."""
    angles: FloatRange = (50.0, 150.0)
    """Least and most angle, degree."""
    monoclinic: FloatRange | None = None
    """Least and most monoclinic beta, degree; null for the same as ``angles``."""


class VolumeLatticeConfig(_Section):
    """Volume log-uniform around the estimate from the composition, axial ratios log-uniform."""

    kind: Literal["volume"] = "volume"
    volume: FloatRange = (0.55, 1.6)
    """Least and most volume, as multiples of the volume estimated from the composition."""
    max_axis_ratio: float = 7.5
    """Largest longest / shortest length of the conventional cell."""
    angles: FloatRange = (60.0, 120.0)
    """Least and most triclinic angle, degree."""
    monoclinic: FloatRange = (90.0, 135.0)
    """Least and most monoclinic beta, degree."""


class SpaceConfig(_Section):
    """What may be sampled; every limit holds for every sample."""

    elements: Symbols
    """Chemical symbols of the elements that may be used."""
    space_groups: SpaceGroups = Field(default_factory=lambda: list(range(1, 231)))
    """International numbers: a list of numbers and ranges such as "3-15", or "all"."""
    systems: list[str] | None = None
    """Crystal-lattice systems to keep (triclinic ... cubic); null for all."""
    required: Symbols = Field(default_factory=list)
    """Elements that every crystal must hold."""
    forbidden: Symbols = Field(default_factory=list)
    """Elements that no crystal may hold."""
    n_elements: CountRange = (2, 5)
    """Least and most distinct elements."""
    n_atoms: CountRange = (1, MAX_ATOMS)
    """Least and most atoms in the conventional cell."""
    n_atoms_primitive: Annotated[tuple[Count, Count], BeforeValidator(_bounds)] = (1, 50)
    """Least and most atoms in the primitive cell."""
    atoms_per_element: CountRange = (1, 64)
    """Least and most atoms of one element in the conventional cell."""
    neutrality: Literal["per_element", "per_atom", "none"] = "per_element"
    """Charge neutrality: one oxidation state an element, mixed valence, or not asked for."""
    wyckoff: bool = True
    """Whether the counts must fit the Wyckoff positions of the space group."""
    lattice: Annotated[BoxLatticeConfig | VolumeLatticeConfig, Field(discriminator="kind")] = VolumeLatticeConfig()
    """How the unit cube becomes a cell."""
    measure: Literal["cube", "lebesgue"] = "cube"
    """Samples follow the reward with respect to uniform measure in the cube, or in A and degree."""

    @model_validator(mode="after")
    def _ordered(self) -> SpaceConfig:
        for name in ("n_elements", "n_atoms", "n_atoms_primitive", "atoms_per_element"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: found [{low}, {high}], allowed: least <= most")
        if self.n_elements[1] > 8:
            raise ValueError(f"n_elements: found at most {self.n_elements[1]}, allowed: at most 8")
        for system in self.systems or ():
            if system not in CRYSTAL_LATTICE_SYSTEMS:
                raise ValueError(
                    f"systems: found {system!r}, allowed: {', '.join(CRYSTAL_LATTICE_SYSTEMS)}"
                    f"{nearest(system, CRYSTAL_LATTICE_SYSTEMS)}"
                )
        return self

    @property
    def groups(self) -> list[int]:
        """Space groups left by ``space_groups`` and ``systems`` together."""
        if self.systems is None:
            return self.space_groups
        kept = {CRYSTAL_LATTICE_SYSTEMS.index(s) + 1 for s in self.systems}
        return [g for g in self.space_groups if int(CRYSTAL_LATTICE_SYSTEM[g]) in kept]


class StabilityConfig(_Section):
    """A second factor of the reward, exp(-beta max(E above hull, floor)); the property is a formation energy."""

    hull: str = "builtin"
    """"builtin", "mp", or a table of phases."""
    beta: float = Field(20.0, ge=0.0)
    """Inverse temperature, per eV/atom above the hull."""
    floor: float = 0.05
    """eV/atom; crystals predicted lower count as this. No crystal lies below a true hull, and what is predicted lower
    than the error of the property is mostly an error."""


class ChanceConfig(_Section):
    """A further factor of the reward: the chance that a proposal comes out as wanted; ``crystalgfn loop`` learns it."""

    model: str
    """File of the chances."""
    power: float = Field(2.0, ge=0.0)
    """The factor is the chance to this power."""


class RewardConfig(_Section):
    """R(x) = exp(-beta property(x))."""

    property: str = "formation_energy"
    """A shipped property, "module:function", an entry point, or the folder of a trained proxy."""
    beta: float = 8.0
    """Inverse temperature, 1 / unit of the property; negative to ask for high values."""
    stability: StabilityConfig | None = None
    """Ask for crystals near the convex hull as well; null for no such factor."""
    chance: ChanceConfig | None = None
    """Ask for crystals that are likely to come out as wanted; null for no such factor."""


class PolicyConfig(_Section):
    """Networks of the forward and the backward policy."""

    width: int = Field(256, ge=8, le=4096)
    """Units a hidden layer."""
    layers: int = Field(3, ge=1, le=12)
    """Hidden layers."""
    shared: bool = True
    """One network for both policies; false gives the backward policy its own, as in the paper."""
    components: int = Field(5, ge=1, le=32)
    """Beta distributions in the mixture of each lattice parameter."""
    beta_range: FloatRange = (1.0, 100.0)
    """Least and most value of their parameters."""
    look_ahead: Literal["counts", "elements"] = "counts"
    """The choice of an element starts from the ways on of each of its counts, or (faster where there are many elements)
    from those of all counts together, charge left aside. Masks are exact either way."""


class ReplayConfig(_Section):
    """Training again on the best samples so far, through trajectories drawn backward from them."""

    share: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of each batch; 0 switches replay off."""
    capacity: int = Field(10_000, ge=1)
    """Samples kept."""
    start: int = Field(1_000, ge=1)
    """Samples kept before replay begins."""


class DataTrajectoriesConfig(_Section):
    """Trajectories drawn backward from real crystals."""

    path: str
    """A crystals table; rows outside the space are left out and counted."""
    share: float = Field(0.25, gt=0.0, lt=1.0)
    """Share of each batch."""


class TrainingConfig(_Section):
    """Objective, optimiser and exploration."""

    start: str | None = None
    """Weights to begin with: a preset that has some, or a run folder of the same space; null for random ones."""
    iterations: int = Field(5_000, ge=1)
    """Updates of the weights."""
    batch_size: int = Field(100, ge=2)
    """Trajectories an update."""
    rollout_batches: int = Field(5, ge=1)
    """Batches drawn at once: one large rollout, then an update for each batch; 1 draws with the newest weights."""
    passes: int = Field(1, ge=1)
    """Times the batches of a rollout are trained on; more learn more from each query of the reward, and take longer."""
    objective: Literal["vargrad", "tb", "subtb"] = "vargrad"
    """Log-partition variance, trajectory balance, or SubTB(lambda)."""
    backward: Literal["learned", "tlm"] = "tlm"
    """Backward policy trained by the objective, or by trajectory likelihood."""
    lr: float = Field(3e-3, gt=0.0)
    """Learning rate of the policies (Adam)."""
    lr_log_z: float = Field(1e-2, gt=0.0)
    """Learning rate of log Z (``tb`` and ``subtb``)."""
    log_z_weights: int = Field(16, ge=1)
    """Weights whose sum is log Z."""
    log_z_start: Literal["batch", "zero"] = "batch"
    """Start log Z from an estimate on the first batch, or from zero."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Learning rate over the run; cosine ends at 1 %."""
    clip: float | None = Field(1.0, gt=0.0)
    """Largest norm of the gradient; null for none."""
    ema: float = Field(0.995, ge=0.0, lt=1.0)
    """Decay of the moving average of the weights that samples are drawn from; 0 for the last weights."""
    epsilon: float = Field(0.05, ge=0.0, le=1.0)
    """Share of actions drawn uniformly from the allowed ones, at the start ..."""
    epsilon_final: float = Field(0.0, ge=0.0, le=1.0)
    """... and at the end."""
    subtb_lambda: float = Field(0.9, gt=0.0, le=1.0)
    """lambda of SubTB."""
    replay: ReplayConfig = ReplayConfig()
    """Replay of the best samples."""
    data: DataTrajectoriesConfig | None = None
    """Real crystals as a source of trajectories; null for none."""
    checkpoint_every: int = Field(500, ge=1)
    """Iterations between checkpoints, rounded up to whole rollouts."""
    log_every: int = Field(20, ge=1)
    """Iterations between rows of metrics.csv."""


class Config(_Section):
    """A run: what is sampled, what for, and how it is learned."""

    space: SpaceConfig
    """What may be sampled."""
    reward: RewardConfig = RewardConfig()
    """What is wanted."""
    policy: PolicyConfig = PolicyConfig()
    """Networks."""
    training: TrainingConfig = TrainingConfig()
    """How they are trained."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Of every random draw."""

    def to_yaml(self) -> str:
        """The whole configuration, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
