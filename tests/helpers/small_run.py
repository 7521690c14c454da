"""A configuration that trains in a second: few groups and elements, an exact property as the reward."""

from crystalgfn.config import Config, parse_config


def small_config(**training) -> Config:
    """Four elements, four groups, density as the reward."""
    return parse_config(
        {
            "constraints": {
                "elements": ["Li", "O", "F", "Mg"],
                "space_groups": [2, 62, 166, 225],
                "n_elements": [1, 3],
                "n_atoms_primitive": [1, 8],
                "atoms_per_element": [1, 32],
            },
            "objective": [{"property": "density", "goal": "maximise"}],
            "policy": {"width": 32, "layers": 2},
            "training": {"iterations": 12, "batch_size": 16, "checkpoint_every": 4, "log_every": 2, **training},
        }
    )
