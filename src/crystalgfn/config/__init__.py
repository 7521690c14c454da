"""Typed, validated configuration of a run: YAML in, one clear line for whatever is wrong in it."""

from crystalgfn.config.loading import load_config, load_preset, parse_config, preset_path, presets, read_config
from crystalgfn.config.sections import (
    BoxLatticeConfig,
    ChanceConfig,
    Config,
    DataTrajectoriesConfig,
    PolicyConfig,
    ReplayConfig,
    RewardConfig,
    SpaceConfig,
    StabilityConfig,
    TrainingConfig,
    VolumeLatticeConfig,
)

__all__ = [
    "BoxLatticeConfig",
    "ChanceConfig",
    "Config",
    "DataTrajectoriesConfig",
    "PolicyConfig",
    "ReplayConfig",
    "RewardConfig",
    "SpaceConfig",
    "StabilityConfig",
    "TrainingConfig",
    "VolumeLatticeConfig",
    "load_config",
    "load_preset",
    "parse_config",
    "preset_path",
    "presets",
    "read_config",
]
