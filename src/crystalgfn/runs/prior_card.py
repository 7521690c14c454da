"""The card of a prior: on what data it was trained and how, and how well it fits held-out crystals."""

from __future__ import annotations

from crystalgfn.config import Config
from crystalgfn.gflownet.prior import PriorTrainer
from crystalgfn.runs.folder import versions
from crystalgfn.runs.prior_data import PriorData


def card_text(config: Config, data: PriorData, trainer: PriorTrainer) -> str:
    """Return the card as markdown, as of the last epoch.

    Args:
        config: configuration of the run.
        data: the crystals; none of them is in the card.
        trainer: after one epoch or more.
    """
    objective, recipe = trainer.objective, trainer.recipe
    learned, held_out = len(trainer.crystals), len(trainer.held_out)
    weights = sum(parameter.numel() for parameter in trainer.policy.parameters())
    exact = "exact" if trainer.policy.single_parent else "upper bounds, by trajectories drawn backward"
    schedule = f"{recipe.schedule} after {objective.warm_up} updates of warm-up"
    lines = [
        "# Prior over crystals",
        "",
        f"Learned from {learned:,} real crystals by likelihood, without a reward.",
        "",
        f"- data: `{data.path.name}`, sha256 `{data.sha256}`, {data.rows:,} rows",
        *(f"- rows not used: {count:,} {reason}" for reason, count in data.left_out.items()),
        f"- source of the data: {objective.citation or 'not stated'}",
        f"- split: {held_out:,} crystals held out, all those of {data.formulas[1]:,} of the {data.formulas[0]:,} "
        f"reduced formulas, drawn with seed {config.seed}; they choose the epoch and are not learned from",
        f"- space: {trainer.space!r}",
        f"- network: {weights:,} weights; AdamW, learning rate {recipe.lr:g}, {schedule}, weight decay "
        f"{objective.weight_decay:g}, batches of {recipe.batch_size}, gradients clipped at {recipe.clip}, average of "
        f"the weights {recipe.ema:g}",
        f"- epochs: {trainer.epoch} of {objective.epochs}, {trainer.updates:,} updates; weights of epoch "
        f"{trainer.best_epoch}",
        f"- CPU seconds: {trainer.cpu_seconds:,.0f}, the reading of the data included",
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions().items())}",
    ]
    if held_out:
        parts = trainer.best_nats
        lines += [
            "",
            f"## Nats a held-out crystal ({exact})",
            "",
            "| part | nats |",
            "|---|---|",
            *(f"| {name.replace('_', ' ')} | {nats:.3f} |" for name, nats in parts.items()),
            f"| all | {sum(parts.values()):.3f} |",
            "",
            "-log-likelihood of one way to write a crystal down; parts that decide a cell are densities in the unit "
            "cube, and may be negative.",
        ]
    return "\n".join([*lines, ""])
