"""Typed and validated configuration of a run, read from YAML; a mistake is answered by one clear line."""

from crystalgfn.config.constraints import ConstraintsConfig, ElementsConfig, LatticeConfig, SpaceGroupsConfig
from crystalgfn.config.loading import (
    CONFIG,
    load_config,
    load_preset,
    parse_config,
    preset_path,
    presets,
    read_config,
    run_folder,
)
from crystalgfn.config.sections import Config, DataTrajectoriesConfig, PolicyConfig, ReplayConfig, TrainingConfig

__all__ = [
    "CONFIG",
    "Config",
    "ConstraintsConfig",
    "DataTrajectoriesConfig",
    "ElementsConfig",
    "LatticeConfig",
    "PolicyConfig",
    "ReplayConfig",
    "SpaceGroupsConfig",
    "TrainingConfig",
    "load_config",
    "load_preset",
    "parse_config",
    "preset_path",
    "presets",
    "read_config",
    "run_folder",
]
