"""What a model card must hold for a model to be used; cards may hold more."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Domain(_Part):
    elements: list[str] = Field(min_length=1, max_length=118)
    """Symbols of the elements that the model was trained on."""


class _Data(_Part):
    rows: int = Field(0, ge=0)
    """Rows that it was trained on."""


class _Errors(_Part):
    mae: float | None = None
    """Mean absolute error, in the unit of the property."""
    n: int = Field(0, ge=0)
    """Rows that were predicted."""


class _Real(_Part):
    groups: dict[str, _Errors] = Field(default_factory=dict)
    """Errors by group of rows."""


class _Metrics(_Part):
    real: _Real | None = None
    """Errors on real crystals."""
    relaxed: dict[str, Any] | None = None
    """Errors on relaxed samples."""
    strained: dict[str, Any] | None = None
    """Errors on strained copies."""


class CardShape(_Part):
    """The parts of a card that the package reads."""

    format: Any = None
    """Number of the format."""
    name: str
    """Name of the model."""
    unit: str
    """Unit of its predictions."""
    network: dict[str, Any]
    """Sizes of its network."""
    domain: _Domain
    """What it was trained on."""
    data: _Data = Field(default_factory=_Data)
    """Its training data."""
    metrics: _Metrics = Field(default_factory=_Metrics)
    """Its errors."""
