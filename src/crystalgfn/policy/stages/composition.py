"""The composition stage: elements in formula order, each with its count; one trajectory per composition, so P_B is 1.

P_F(element, count | s) = P(element | s) P(count | s, element). Both heads correct a starting point that look-ahead
gives: with n(e, k) the number of completions after adding k atoms of e, 0 where that addition is not allowed,

    P(e | s) ~ exp(head(s)_e) sum over k of n(e, k) exp(b_ek),    P(k | s, e) ~ exp(head(s, e)_k) n(e, k) exp(b_ek)

so that an untrained policy draws almost uniformly from the compositions (b is learned and 0 at first), and no head has
to learn how many counts the constraints leave for each element. The sum takes D x K look-ups per state. For many
elements, ``look_ahead="elements"`` replaces it by the number of completions without regard to charge, which takes one
look-up per element.

With ``look_ahead="learned"`` the weight of a completion is the product of exp(b) over its additions, with b as it was
when the rollout began. Where log R is a sum over (element, count), this starting point is exact except for charge.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, SetEncoder, small_head
from crystalgfn.policy.options import LookAhead, PolicyOptions
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.policy.stages.space_group import SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.composition import CompositionSpace, CompositionState
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates

CHARGES = 32
"""The network does not see charges of a partial composition beyond +-32."""


class CompositionStage(Stage[CompositionSteps]):
    """Heads for D elements and stop, and for K counts given the element.

    Args:
        width: units in each layer of the trunk.
        n_elements: number of elements, D.
        max_count: largest count of an element, K.
        look_ahead: "counts", "elements" or "learned": what the heads correct (see the module's docstring).
    """

    name: ClassVar[str] = CompositionSpace.name
    single_parent: ClassVar[bool] = True

    def __init__(self, width: int, n_elements: int, max_count: int, look_ahead: LookAhead = "counts") -> None:
        super().__init__()
        self.n_elements, self.max_count, self.look_ahead = n_elements, max_count, look_ahead
        self.features = nn.Linear(2 * CHARGES + 2 + max_count + n_elements + 1, width, bias=False)
        self.element = small_head(width, n_elements + 1)
        self.of_state, self.of_element = nn.Linear(width, width), nn.Embedding(n_elements, width)
        self.count = small_head(width, max_count)
        self.bias = nn.Parameter(torch.zeros(n_elements, max_count))
        nn.init.normal_(self.of_element.weight, std=0.5)

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> CompositionStage:
        """See :meth:`Stage.build`."""
        return cls(options.width, len(space.elements), space.max_count, options.look_ahead)

    def encoder(self, width: int) -> nn.Module:
        """Embeddings of (element, count) and of the element alone."""
        return SetEncoder(1 + self.n_elements * (self.max_count + 1), width, expected=6)

    def inputs(self, elements: Tensor, counts: Tensor) -> Tensor:
        """Encoder input ``(R, 2 n)`` of compositions ``(R, n)``; entries with element 0 are padding."""
        pairs = elements * self.max_count + counts - self.max_count
        singles = elements + self.n_elements * self.max_count
        return torch.cat((pairs, singles), 1) * (elements > 0).repeat(1, 2)

    def _features(self, state: CompositionState, mask: Tensor, compositions: CompositionSpace) -> Tensor:
        """Features ``(R, F)`` bool of states; a space narrower than in training has fewer charges and counts."""
        fits = compositions.fits(state)
        fits = nn.functional.pad(fits, (0, self.max_count - fits.shape[1]))
        return torch.cat((compositions.carried(state, CHARGES), fits, mask), 1)

    def _weighted(self, compositions: CompositionSpace) -> Tensor | None:
        """Completions weighted by the learned ``bias``; None where every completion counts as 1."""
        if self.look_ahead != "learned":
            return None
        weights = self.bias.detach()[:, : compositions.max_count].exp()
        return compositions.tables.weighted_completions(weights)

    def _completions(
        self, state: CompositionState, mask: Tensor, compositions: CompositionSpace, weighted: Tensor | None
    ) -> Tensor:
        """Completions that the element head corrects, ``(R, D, K)`` or ``(R, D, 1)``."""
        if self.look_ahead == "elements":
            return compositions.completions_by_element(state, mask).unsqueeze(2)
        return compositions.completions(state, mask, weighted)

    def _of_chosen(
        self, state: CompositionState, element: Tensor, completions: Tensor, compositions: CompositionSpace
    ) -> Tensor:
        """Completions ``(R, K)`` after each count of the chosen elements."""
        if self.look_ahead != "elements":
            return completions[torch.arange(len(element), device=element.device), element]
        return compositions.completions_by_count(state, element)

    def _element_logits(self, z: Tensor, completions: Tensor) -> Tensor:
        """Logits ``(R, D + 1)``; masked entries are finite but mean nothing."""
        if self.look_ahead != "elements":
            total = (completions * torch.exp(self.bias[:, : completions.shape[2]])).sum(2)
        else:
            total = completions.squeeze(2)
        logits: Tensor = self.element(z) + nn.functional.pad(torch.log(total.clamp(min=1e-6)), (0, 1))
        return logits

    def _count_logits(self, z: Tensor, element: Tensor, completions: Tensor) -> Tensor:
        """Logits ``(R, K)`` of the counts, from the completions ``(R, K)`` of the chosen elements."""
        max_count = completions.shape[1]
        logits = self.count(torch.relu(self.of_state(z) + self.of_element(element))) + self.bias[element]
        return logits[:, :max_count] + torch.log(completions)

    def _empty(self, batch: int, space: CompositionSpace, device: torch.device) -> CompositionSteps:
        """Steps of zeros, to be filled in one after the other."""
        m = space.max_elements
        elements = torch.zeros(batch, m, dtype=torch.int64, device=device)
        features = torch.zeros(batch, m, self.features.in_features, dtype=torch.bool, device=device)
        of_chosen = torch.zeros(batch, m, space.max_count, device=device)
        counts = 1 if self.look_ahead == "elements" else space.max_count
        completions = torch.zeros(batch, m, self.n_elements, counts, device=device)
        return CompositionSteps(elements, torch.zeros_like(elements), features, completions, of_chosen)

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> CompositionSteps:
        """See :meth:`Stage.rollout`."""
        compositions, encoder = space.of(CompositionSpace), network.encoders[self.name]
        device = prefix.device
        steps = self._empty(len(prefix), compositions, device)
        state, weighted = compositions.start(so_far.of(SpaceGroupSteps).space_group), self._weighted(compositions)
        rows, encoding = torch.arange(len(prefix), device=device), prefix
        for t in range(compositions.max_elements):
            mask = compositions.element_mask(state)
            features = self._features(state, mask, compositions)
            steps.features[rows, t] = features
            completions = self._completions(state, mask, compositions, weighted)
            steps.completions[rows, t] = completions
            z = network.trunk(encoding + self.features(features.to(encoding.dtype)))
            element = sample_masked(self._element_logits(z, completions), mask, epsilon=epsilon, generator=generator)
            active = (element < self.n_elements).nonzero().squeeze(1)
            if len(active) < len(rows):
                rows, element, z, encoding = rows[active], element[active], z[active], encoding[active]
                state, completions = state[active], completions[active]
                if len(rows) == 0:
                    break
            of_chosen = self._of_chosen(state, element, completions, compositions)
            logits = self._count_logits(z, element, of_chosen)
            count = 1 + sample_masked(logits, of_chosen > 0, epsilon=epsilon, generator=generator)
            steps.elements[rows, t], steps.counts[rows, t], steps.of_chosen[rows, t] = element + 1, count, of_chosen
            state = compositions.add(state, element, count)
            if t + 1 < compositions.max_elements:
                encoding = encoding + encoder(self.inputs((element + 1).unsqueeze(1), count.unsqueeze(1)))
        return steps

    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> CompositionSteps:
        """See :meth:`Stage.rollback`: there is one path back; only its features and completions are looked up."""
        compositions = space.of(CompositionSpace)
        weighted = self._weighted(compositions)
        steps = self._empty(len(states), compositions, states.elements.device)
        steps.elements.copy_(states.elements)
        steps.counts.copy_(states.counts)
        state = compositions.start(so_far.of(SpaceGroupSteps).space_group)
        rows = torch.arange(len(states), device=states.elements.device)
        for t in range(compositions.max_elements):
            mask = compositions.element_mask(state)
            steps.features[rows, t] = self._features(state, mask, compositions)
            completions = self._completions(state, mask, compositions, weighted)
            steps.completions[rows, t] = completions
            active = states.elements[rows, t] > 0
            rows, state = rows[active], state[active]
            element, count = states.elements[rows, t] - 1, states.counts[rows, t]
            steps.of_chosen[rows, t] = self._of_chosen(state, element, completions[active], compositions)
            state = compositions.add(state, element, count)
        return steps

    def visits(self, steps: CompositionSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Finished compositions, then the states in which a choice was made, with the features of these states."""
        owner, place = steps.decisions()
        batch, m = steps.elements.shape
        keep = torch.arange(m, device=owner.device) < place.unsqueeze(1)
        elements = torch.cat((steps.elements, torch.where(keep, steps.elements[owner], 0)))
        counts = torch.cat((steps.counts, steps.counts[owner]))
        all_rows = torch.arange(batch, device=owner.device)
        features = self.features(steps.features[owner, place].to(self.features.weight.dtype))
        return Visits(torch.cat((all_rows, owner)), (self.inputs(elements, counts),), features)

    def final(self, steps: CompositionSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (self.inputs(steps.elements, steps.counts),)

    def score(
        self,
        steps: CompositionSteps,
        so_far: Trajectories,
        *,
        space: CrystalSpace,
        entry: Tensor,
        forward: Tensor,
        backward: Tensor,
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        batch, m = steps.elements.shape
        owner, place = steps.decisions()
        all_rows = torch.arange(batch, device=owner.device)
        z, completions = forward[batch:], steps.completions[owner, place]
        mask = steps.features[owner, place, -self.n_elements - 1 :]
        chosen = steps.elements[owner, place] - 1
        log_p = masked_log_softmax(self._element_logits(z, completions), mask)
        log_p = log_p.gather(1, chosen.remainder(self.n_elements + 1).unsqueeze(1)).squeeze(1)  # -1: stop, the last

        adds = (chosen >= 0).nonzero().squeeze(1)
        element, count = chosen[adds], steps.counts[owner[adds], place[adds]] - 1
        of_chosen = steps.of_chosen[owner[adds], place[adds]]
        log_counts = masked_log_softmax(self._count_logits(z.index_select(0, adds), element, of_chosen), of_chosen > 0)
        log_p = log_p.index_add(0, adds, log_counts.gather(1, count.unsqueeze(1)).squeeze(1))

        log_pf = torch.zeros(batch, m + 1, device=z.device).index_put((owner, place), log_p)
        source = torch.full((batch, m + 1), -1, device=owner.device)
        source[all_rows, steps.length] = batch + all_rows
        source[owner, place] = 2 * batch + torch.arange(len(owner), device=owner.device)
        return StageScore(log_pf, torch.zeros_like(log_pf), source)
