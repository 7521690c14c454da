"""``crystalgfn train`` under torchrun, with checks of its own before, and an error on the second process at the end.

    torchrun --standalone --nproc-per-node 2 train_on_ranks.py train CONFIG -o FOLDER

Each process writes what it found into FOLDER-N.json. The whole run goes into FOLDER-whole, and FOLDER holds one that
the error ended after its tenth iteration.
"""

import copy
import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import distributed

from crystalgfn import cli
from crystalgfn.errors import PropertyError
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.gflownet.prior import PriorTrainer
from crystalgfn.gflownet.ranks import ALONE
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.runs import training
from crystalgfn.runs.build import build_policy, build_recipe, build_space, build_target
from small_run import small_config

ONE_ROLLOUT = {"rollout_batches": 1, "clip": None}
REPLAY = {"share": 0.25, "capacity": 40, "start": 10}
RECIPES = {
    "vargrad": {"objective": "vargrad", "replay": REPLAY},
    "tb": {"objective": "tb", "backward": "tlm", "replay": REPLAY},
    "subtb": {"objective": "subtb", "backward": "learned"},
    "rtb": {"objective": {"rtb": {"towards_target": 0.5}}, "prior": "some"},
}
TRAIN, STEP = training.train, Trainer.step


def gradient(parameters) -> torch.Tensor:
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])


def two_gradients(recipe, ranks) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the third update: by all processes, and by this one alone from the trajectories of all."""
    config = small_config(**ONE_ROLLOUT, **recipe)
    space = build_space(config.constraints)
    policy = build_policy(config, space)
    frozen = FrozenPolicy(copy.deepcopy(policy).requires_grad_(False), space, same_steps=True)
    prior = frozen if config.training.prior else None
    target = build_target(config, space)
    trainer = Trainer(policy, space, target, build_recipe(config.training), seed=0, prior=prior, ranks=ranks)
    trainer.run(2)
    seen, score = [], policy.score
    alone, log_z = copy.deepcopy(policy), trainer.log_z.detach().clone().requires_grad_()
    policy.score = lambda taken, space: seen.append(taken) or score(taken, space)
    trainer.step()
    both = [None] * ranks.size
    distributed.all_gather_object(both, seen[-1])
    replayed = 2 if trainer.replay else 0
    drawn = [part[: len(part) - replayed] for part in both]
    joined = Trajectories.concatenate([*drawn, *(part[len(part) - replayed :] for part in both if replayed)])
    n_drawn = sum(map(len, drawn))
    log_prior = frozen.log_prob(joined, space) if prior else None
    batch = ScoredBatch(alone.score(joined, space), target.log_reward(joined.states), n_drawn, log_prior=log_prior)
    objective, backward = trainer.recipe.objective, trainer.recipe.backward
    if backward.own:
        loss = objective.loss(batch.with_fixed_backward_policy(), log_z.sum()) + backward.loss(batch)
    else:
        loss = objective.loss(batch, log_z.sum())
    loss.backward()
    of_all = [group["params"][0].grad for group in trainer.optimizer.param_groups]
    return torch.cat(of_all), gradient([*alone.parameters(), *([log_z] if len(log_z) else [])])


def prior_weights(ranks) -> torch.Tensor:
    """Weights of a prior after two epochs, whose batches of 16 and 17 crystals the processes share."""
    config = small_config()
    space = build_space(config.constraints)
    policy = build_policy(config, space)
    states = policy.sample(50, space, generator=torch.Generator().manual_seed(0)).states
    ways = policy.sample_backward(states[:40], space, generator=torch.Generator().manual_seed(0))
    recipe = TrainingRecipe(iterations=1, batch_size=16)
    trainer = PriorTrainer(
        policy, space, states[:40], recipe, Likelihood(warm_up=2, epochs=2), held_out=states[40:], seed=0, ranks=ranks
    )
    trainer.crystals.draw = lambda policy, rows, generator: ways[rows]  # each process would draw others
    trainer.run()
    return trainer.best


def digest(tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def checks(folder, ranks, config) -> dict:
    found = {}
    for name, recipe in RECIPES.items():
        together, alone = two_gradients(recipe, ranks)
        found[name] = {"gradient": float(alone.norm()), "difference": float((together - alone).norm())}
    together, alone = prior_weights(ranks), prior_weights(ALONE)
    found["prior"] = {"weights": digest(together), "difference": float((together - alone).norm())}
    trainer = TRAIN(config, Path(f"{folder}-whole"), ranks=ranks)
    weights = torch.cat([p.detach().flatten() for p in trainer.policy.parameters()])
    return found | {"weights": digest(weights), "generator": digest(trainer.generator.get_state())}


def train(config, folder, *, ranks, **how):
    """In place of :func:`crystalgfn.runs.training.train`."""
    Path(f"{folder}-{ranks.rank}.json").write_text(json.dumps(checks(folder, ranks, config)))

    def step(trainer, **keys):
        if trainer.iteration == 10 and not ranks.first:
            raise PropertyError("density: NaN on the second process")
        return STEP(trainer, **keys)

    Trainer.step = step
    return TRAIN(config, folder, ranks=ranks, **how)


if __name__ == "__main__":
    training.train = train
    cli.main(sys.argv[1:])
