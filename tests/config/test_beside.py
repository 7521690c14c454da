"""What may stand beside the key that it belongs to: terms beside the objective, keys of an objective in training."""

from crystalgfn.config import load_preset, parse_config
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.subtrajectory_balance import SubTrajectoryBalance
from crystalgfn.gflownet.objectives.trajectory_balance import TrajectoryBalance
from crystalgfn.rewards.terms.pattern import PatternConfig
from crystalgfn.rewards.terms.property import PropertyTermConfig
from crystalgfn.rewards.terms.stability import StabilityConfig
from small_run import small_config


def written(**changes):
    """The small configuration as a file would have it, with keys changed."""
    return {**small_config().model_dump(mode="json"), **changes}


def test_terms_may_stand_beside_the_list():
    term = {"property": "density", "goal": "maximise"}
    config = parse_config(
        written(objective=[term], stability={"beta": 5, "property": "formation_energy"}, pattern={"factor": 0.5})
    )
    assert config.objective == [
        PropertyTermConfig(property="density", goal="maximise"),
        StabilityConfig(beta=5.0, property="formation_energy"),
        PatternConfig(factor=0.5),
    ]
    assert parse_config(config.model_dump(mode="json")) == config
    assert parse_config(written(objective=[term], stability=None)).objective == config.objective[:1]


def test_keys_beside_change_the_term_that_is_there():
    config = parse_config(written(objective=[{}, {"stability": {"beta": 5, "floor": 0.1}}]), ["stability.beta=7"])
    assert config.objective == [PropertyTermConfig(), StabilityConfig(beta=7.0, floor=0.1)]


def test_a_configuration_without_objective_keeps_the_usual_one():
    content = written(stability={})
    del content["objective"]
    assert parse_config(content).objective == [PropertyTermConfig(strength=8.0), StabilityConfig()]


def test_keys_of_an_objective_may_stand_beside_it():
    beside = small_config(objective="subtb", subtb_lambda=0.5, lr_log_z=0.1).training
    assert beside.objective == SubTrajectoryBalance(subtb_lambda=0.5, lr_log_z=0.1)
    assert beside == small_config(objective={"subtb": {"subtb_lambda": 0.5, "lr_log_z": 0.1}}).training
    paper = load_preset("paper", ["training.lr_log_z=0.5"]).training
    assert paper.objective == TrajectoryBalance(lr_log_z=0.5, log_z_start="zero")


def test_keys_beside_win_over_those_within():
    config = parse_config(
        small_config(objective={"tb": {"lr_log_z": 0.1, "log_z_weights": 4}}).model_dump(mode="json"),
        ["training.lr_log_z=0.2"],
    )
    assert config.training.objective == TrajectoryBalance(lr_log_z=0.2, log_z_weights=4)


def test_another_objective_leaves_the_keys_of_the_first():
    assert load_preset("paper", ["training.objective=vargrad"]).training.objective == LogPartitionVariance()
    changed = load_preset("paper", ["training.objective=subtb"]).training.objective
    assert changed == SubTrajectoryBalance(log_z_start="zero")
