"""Crystal-GFN: sample inorganic crystals in proportion to a reward, under hard constraints."""

from __future__ import annotations

__version__ = "0.1.0"
