"""The batch of all ranks as one, so that an objective is the same function on one process and on several.

A batch of B trajectories over n ranks is B/n on each. Most objectives couple trajectories (a variance needs the mean of
all), so the scores of all ranks are gathered, and every rank computes the loss L of the whole batch. It knows gradients
through its own scores alone. By the chain rule the gradients of all ranks add up to

    sum over ranks r, rows i of r   (dL / d score_i) (d score_i / d weights)  =  dL / d weights

which is what one process computes from the same trajectories, whatever the objective.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.policy.policy import Scores


def whole_batch(own: ScoredBatch, ranks: Ranks) -> ScoredBatch:
    """The batch of all ranks from each rank's own part; gradients lead to the scores of this rank.

    Args:
        own: the part of this rank; all parts have as many trajectories of each source.
        ranks: the processes.

    Returns:
        the batch in the usual order: trajectories of P_F of all ranks, then replayed ones, then those from data.
    """
    if ranks.size == 1:
        return own
    order, scores = _order(own, ranks.size), _aligned(own.scores, ranks)

    def whole(tensor: Tensor) -> Tensor:
        parts = ranks.gather(tensor)
        parts[ranks.rank] = tensor  # the same numbers, with gradients
        return torch.cat(parts)[order]

    return ScoredBatch(
        Scores(
            whole(scores.log_pf),
            whole(scores.log_pb),
            whole(scores.is_step),
            None if scores.log_flow is None else whole(scores.log_flow),
            scores.columns,
        ),
        whole(own.log_reward),
        own.drawn * ranks.size,
        own.from_data * ranks.size,
        None if own.log_prior is None else whole(own.log_prior),
    )


def _order(own: ScoredBatch, size: int) -> Tensor:
    """Rows of the parts one after the other, sorted by source: ``(B,)``."""
    n, device = len(own.log_reward), own.log_reward.device
    rows = torch.arange(size * n, device=device).view(size, n)
    ends = (own.drawn, n - own.drawn - own.from_data, own.from_data)
    return torch.cat([part.flatten() for part in rows.split(ends, 1)])


def _aligned(scores: Scores, ranks: Ranks) -> Scores:
    """Scores with as many columns for each stage as on the rank with the longest trajectories."""
    widths = torch.tensor([columns.stop - columns.start for columns in scores.columns.values()])
    longest = torch.stack(ranks.gather(widths)).amax(0)
    more = (longest - widths).tolist()

    def wider(tensor: Tensor) -> Tensor:
        stages = zip(scores.columns.values(), more, strict=True)
        return torch.cat([pad(tensor[:, columns], (0, extra)) for columns, extra in stages], 1)

    ends = accumulate(longest.tolist(), initial=0)
    return Scores(
        wider(scores.log_pf),
        wider(scores.log_pb),
        wider(scores.is_step),
        None if scores.log_flow is None else wider(scores.log_flow),
        {name: slice(*pair) for name, pair in zip(scores.columns, pairwise(ends), strict=True)},
    )
