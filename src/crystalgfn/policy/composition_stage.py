"""The composition stage: elements in formula order, each with its count; one trajectory a composition, so P_B is 1.

P_F(element, count | s) = P(element | s) P(count | s, element): two small heads instead of one of D x K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.crystal import CrystalSpace, CrystalStates

from .distributions import masked_log_softmax, sample_masked
from .network import Network, SetEncoder, small_head
from .stage import Rows, Stage, StageScore


@dataclass(frozen=True)
class CompositionSteps:
    """Compositions in the order in which they grew, with the masks met on the way.

    Attributes:
        elements: ``(B, m)`` int64, 1 + column; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell.
        element_masks: ``(B, m + 1, D + 1)`` bool, allowed elements and stop before each addition and at the end.
        count_masks: ``(B, m, K)`` bool, allowed counts of the element chosen.
    """

    elements: Tensor
    counts: Tensor
    element_masks: Tensor
    count_masks: Tensor

    @property
    def length(self) -> Tensor:
        """``(B,)`` number of elements."""
        return (self.elements > 0).sum(1)

    @classmethod
    def empty(cls, batch: int, space: CompositionSpace, device: torch.device) -> CompositionSteps:
        """To be filled step by step."""
        m, n_elements, most = space.max_elements, len(space.elements), space.max_count
        elements = torch.zeros(batch, m, dtype=torch.int64, device=device)
        element_masks = torch.zeros(batch, m + 1, n_elements + 1, dtype=torch.bool, device=device)
        count_masks = torch.zeros(batch, m, most, dtype=torch.bool, device=device)
        return cls(elements, torch.zeros_like(elements), element_masks, count_masks)


class CompositionStage(Stage[CompositionSteps]):
    """Heads for D elements and stop, and for K counts given the element.

    Args:
        width: of the trunk.
        n_elements: D.
        max_count: K.
    """

    index = 1

    def __init__(self, width: int, n_elements: int, max_count: int) -> None:
        super().__init__()
        self.n_elements, self.max_count = n_elements, max_count
        self.element = small_head(width, n_elements + 1)
        self.count = small_head(width, max_count)
        self.gate = nn.Embedding(n_elements, width)
        self.count_bias = nn.Embedding(n_elements, max_count)
        nn.init.normal_(self.gate.weight, std=0.5)
        nn.init.zeros_(self.count_bias.weight)

    def encoder(self, width: int) -> nn.Module:
        """Embeddings of (element, count) and of the element alone."""
        return SetEncoder(1 + self.n_elements * (self.max_count + 1), width, expected=6)

    def features(self, elements: Tensor, counts: Tensor) -> Tensor:
        """Encoder input ``(R, 2 n)`` of compositions ``(R, n)``; entries with element 0 are padding."""
        pairs = elements * self.max_count + counts - self.max_count
        alone = elements + self.n_elements * self.max_count
        return torch.cat((pairs, alone), 1) * (elements > 0).repeat(1, 2)

    def _count_logits(self, z: Tensor, element: Tensor) -> Tensor:
        logits: Tensor = self.count(z * (1 + self.gate(element))) + self.count_bias(element)
        return logits

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        so_far: Any,
        space: CrystalSpace,
        *,
        epsilon: float,
        generator: Generator,
    ) -> CompositionSteps:
        """See :meth:`Stage.rollout`."""
        compositions, device = space.composition, prefix.device
        steps = CompositionSteps.empty(len(prefix), compositions, device)
        state = compositions.start(so_far.space_group)
        rows, encoding = torch.arange(len(prefix), device=device), prefix
        for t in range(compositions.max_elements + 1):
            mask = compositions.element_mask(state)
            steps.element_masks[rows, t] = mask
            if t == compositions.max_elements:
                break
            z = network.trunk(encoding)
            element = sample_masked(self.element(z), mask, epsilon=epsilon, generator=generator)
            going = element < self.n_elements
            if not bool(going.all()):
                rows, element, z, encoding = rows[going], element[going], z[going], encoding[going]
                state = state[going]
                if len(rows) == 0:
                    break
            mask = compositions.count_mask(state, element)
            logits = self._count_logits(z, element)[:, : mask.shape[1]]
            count = 1 + sample_masked(logits, mask, epsilon=epsilon, generator=generator)
            steps.count_masks[rows, t] = mask
            steps.elements[rows, t], steps.counts[rows, t] = element + 1, count
            state = compositions.add(state, element, count)
            if t + 1 < compositions.max_elements:
                added = self.features((element + 1).unsqueeze(1), count.unsqueeze(1))
                encoding = encoding + network.encoders[self.index](added)
        return steps

    def rollback(
        self, network: Network, prefix: Tensor, states: CrystalStates, space: CrystalSpace, *, generator: Generator
    ) -> CompositionSteps:
        """See :meth:`Stage.rollback`; there is one way back, only the masks met are traced."""
        compositions = space.composition
        steps = CompositionSteps.empty(len(states), compositions, states.elements.device)
        steps.elements.copy_(states.elements)
        steps.counts.copy_(states.counts)
        state, rows = compositions.start(states.space_group), torch.arange(len(states), device=states.elements.device)
        for t in range(compositions.max_elements + 1):
            steps.element_masks[rows, t] = compositions.element_mask(state)
            if t == compositions.max_elements:
                break
            going = states.elements[rows, t] > 0
            rows, state = rows[going], state[going]
            element, count = states.elements[rows, t] - 1, states.counts[rows, t]
            steps.count_masks[rows, t] = compositions.count_mask(state, element)
            state = compositions.add(state, element, count)
        return steps

    def _between(self, steps: CompositionSteps) -> tuple[Tensor, Tensor]:
        """Owner and number of elements of the states between the first and the last, ``(I,)`` each."""
        inner = torch.arange(1, steps.elements.shape[1] + 1, device=steps.elements.device)
        owner, place = (inner < steps.length.unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place + 1

    def rows(self, steps: CompositionSteps, space: CrystalSpace) -> Rows:
        """Finished compositions, then partial ones."""
        owner, filled = self._between(steps)
        keep = torch.arange(steps.elements.shape[1], device=owner.device) < filled.unsqueeze(1)
        elements = torch.cat((steps.elements, torch.where(keep, steps.elements[owner], 0)))
        counts = torch.cat((steps.counts, steps.counts[owner]))
        everyone = torch.arange(len(steps.elements), device=owner.device)
        return Rows(torch.cat((everyone, owner)), (self.features(elements, counts),))

    def final(self, steps: CompositionSteps, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (self.features(steps.elements, steps.counts),)

    def score(
        self, steps: CompositionSteps, space: CrystalSpace, entry: Tensor, forward: Tensor, backward: Tensor
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        batch, m = steps.elements.shape
        owner, filled = self._between(steps)
        everyone = torch.arange(batch, device=owner.device)
        row = torch.cat((everyone, owner, everyone))  # entry, between, end
        place = torch.cat((torch.zeros_like(everyone), filled, steps.length))
        z = torch.cat((entry, forward[batch:], forward[:batch]))
        stop = torch.full((batch,), self.n_elements, device=owner.device)
        adds = len(row) - batch
        element = torch.cat((steps.elements[row[:adds], place[:adds]] - 1, stop))
        log_p = masked_log_softmax(self.element(z), steps.element_masks[row, place])
        log_p = log_p.gather(1, element.unsqueeze(1)).squeeze(1)
        masks = steps.count_masks[row[:adds], place[:adds]]
        logits = self._count_logits(z[:adds], element[:adds])[:, : masks.shape[1]]
        count = steps.counts[row[:adds], place[:adds]] - 1
        log_counts = masked_log_softmax(logits, masks).gather(1, count.unsqueeze(1)).squeeze(1)
        log_p = torch.cat((log_p[:adds] + log_counts, log_p[adds:]))
        log_pf = torch.zeros(batch, m + 1, device=z.device).index_put((row, place), log_p)
        source = torch.full((batch, m + 1), -1, device=row.device)
        source[row, place] = torch.cat(
            (everyone, 2 * batch + torch.arange(len(owner), device=row.device), batch + everyone)
        )
        return StageScore(log_pf, torch.zeros_like(log_pf), source)
