"""The composition stage: elements in formula order, each with its count; one trajectory a composition, so P_B is 1.

P_F(element, count | s) = P(element | s) P(count | s, element). Both heads correct a starting point that look-ahead
gives: with n(e, k) the number of ways on after adding k atoms of e, 0 where that is not allowed,

    P(e | s) ~ exp(head(s)_e) sum over k of n(e, k) exp(b_ek),    P(k | s, e) ~ exp(head(s, e)_k) n(e, k) exp(b_ek)

so that an untrained policy draws about uniformly from the compositions (b is learned, 0 at first), and a head need not
learn how many counts a constraint has left of each element. The sum costs D x K look-ups a state: for many elements
``look_ahead="elements"`` puts there the number of ways that charge left aside gives, one look-up an element.

With ``look_ahead="learned"`` a way on counts as the product of exp(b) over what it adds, by the b that the rollout
began with: where log R is a sum over (element, count), the start is then exact but for charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, SetEncoder, small_head
from crystalgfn.policy.stages.stage import Rows, Stage, StageScore
from crystalgfn.spaces.composition import CompositionSpace, CompositionState
from crystalgfn.spaces.crystal import CrystalSpace, CrystalStates

LookAhead = Literal["counts", "elements", "learned"]

CHARGES = 32
"""Charges beyond +-32 of a partial composition are not shown to the network."""


@dataclass(frozen=True)
class CompositionSteps:
    """Compositions in the order in which they grew, with what look-ahead said on the way.

    Attributes:
        elements: ``(B, m)`` int64, 1 + column; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell.
        facts: ``(B, m, F)`` bool, what the network is told before each choice: charges, counts that fit, then as the
            last D + 1 the allowed elements and stop.
        ways: ``(B, m, D, K)`` float32, ways on after each possible addition, 0 where it is not allowed; or
            ``(B, m, D, 1)``, of all counts together.
        room: ``(B, m, K)`` float32, ways on after each count of the element that was added.
    """

    elements: Tensor
    counts: Tensor
    facts: Tensor
    ways: Tensor
    room: Tensor

    @property
    def length(self) -> Tensor:
        """``(B,)`` number of elements."""
        return (self.elements > 0).sum(1)


class CompositionStage(Stage[CompositionSteps]):
    """Heads for D elements and stop, and for K counts given the element.

    Args:
        width: of the trunk.
        n_elements: D.
        max_count: K.
        look_ahead: "counts", "elements" or "learned", what the heads start from (see the module's docstring).
    """

    index = 1

    def __init__(self, width: int, n_elements: int, max_count: int, look_ahead: LookAhead = "counts") -> None:
        super().__init__()
        self.n_elements, self.max_count, self.look_ahead = n_elements, max_count, look_ahead
        self.facts = nn.Linear(2 * CHARGES + 2 + max_count + n_elements + 1, width, bias=False)
        self.element = small_head(width, n_elements + 1)
        self.of_state, self.of_element = nn.Linear(width, width), nn.Embedding(n_elements, width)
        self.count = small_head(width, max_count)
        self.bias = nn.Parameter(torch.zeros(n_elements, max_count))
        nn.init.normal_(self.of_element.weight, std=0.5)

    def encoder(self, width: int) -> nn.Module:
        """Embeddings of (element, count) and of the element alone."""
        return SetEncoder(1 + self.n_elements * (self.max_count + 1), width, expected=6)

    def features(self, elements: Tensor, counts: Tensor) -> Tensor:
        """Encoder input ``(R, 2 n)`` of compositions ``(R, n)``; entries with element 0 are padding."""
        pairs = elements * self.max_count + counts - self.max_count
        alone = elements + self.n_elements * self.max_count
        return torch.cat((pairs, alone), 1) * (elements > 0).repeat(1, 2)

    def _facts(self, state: CompositionState, mask: Tensor, compositions: CompositionSpace) -> Tensor:
        """Facts ``(R, F)`` bool of states; a space narrower than that of training has fewer charges and counts."""
        fits = compositions.fits(state)
        fits = nn.functional.pad(fits, (0, self.max_count - fits.shape[1]))
        return torch.cat((compositions.carried(state, CHARGES), fits, mask), 1)

    def _completions(self, compositions: CompositionSpace) -> Tensor | None:
        """Completions weighted by what was learned so far; None where each counts as 1."""
        if self.look_ahead != "learned":
            return None
        weights = self.bias.detach()[:, : compositions.max_count].exp()
        return compositions.tables.weighted_completions(weights)

    def _ways(
        self, state: CompositionState, mask: Tensor, compositions: CompositionSpace, completions: Tensor | None
    ) -> Tensor:
        """What the element head starts from: ``(R, D, K)`` or ``(R, D, 1)``."""
        if self.look_ahead == "elements":
            return compositions.ways_by_element(state, mask).unsqueeze(2)
        return compositions.ways(state, mask, completions)

    def _room(self, state: CompositionState, element: Tensor, ways: Tensor, compositions: CompositionSpace) -> Tensor:
        """Ways on after each count ``(R, K)`` of the elements chosen."""
        if self.look_ahead != "elements":
            return ways[torch.arange(len(element), device=element.device), element]
        return compositions.ways_by_count(state, element)

    def _element_logits(self, z: Tensor, ways: Tensor) -> Tensor:
        """Logits ``(R, D + 1)``; what is masked holds anything finite."""
        if self.look_ahead != "elements":
            total = (ways * torch.exp(self.bias[:, : ways.shape[2]])).sum(2)
        else:
            total = ways.squeeze(2)
        logits: Tensor = self.element(z) + nn.functional.pad(torch.log(total.clamp(min=1e-6)), (0, 1))
        return logits

    def _count_logits(self, z: Tensor, element: Tensor, ways: Tensor) -> Tensor:
        """Logits ``(R, K)`` for the ways ``(R, K)`` of the elements chosen."""
        most = ways.shape[1]
        logits = self.count(torch.relu(self.of_state(z) + self.of_element(element))) + self.bias[element]
        return logits[:, :most] + torch.log(ways)

    def _empty(self, batch: int, space: CompositionSpace, device: torch.device) -> CompositionSteps:
        """To be filled step by step."""
        m = space.max_elements
        elements = torch.zeros(batch, m, dtype=torch.int64, device=device)
        facts = torch.zeros(batch, m, self.facts.in_features, dtype=torch.bool, device=device)
        room = torch.zeros(batch, m, space.max_count, device=device)
        counts = 1 if self.look_ahead == "elements" else space.max_count
        ways = torch.zeros(batch, m, self.n_elements, counts, device=device)
        return CompositionSteps(elements, torch.zeros_like(elements), facts, ways, room)

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
        compositions, device, encoder = space.composition, prefix.device, network.encoders[self.index]
        steps = self._empty(len(prefix), compositions, device)
        state, completions = compositions.start(so_far.space_group), self._completions(compositions)
        rows, encoding = torch.arange(len(prefix), device=device), prefix
        for t in range(compositions.max_elements):
            mask = compositions.element_mask(state)
            facts = self._facts(state, mask, compositions)
            steps.facts[rows, t] = facts
            ways = self._ways(state, mask, compositions, completions)
            steps.ways[rows, t] = ways
            z = network.trunk(encoding + self.facts(facts.to(encoding.dtype)))
            element = sample_masked(self._element_logits(z, ways), mask, epsilon=epsilon, generator=generator)
            going = (element < self.n_elements).nonzero().squeeze(1)
            if len(going) < len(rows):
                rows, element, z, encoding = rows[going], element[going], z[going], encoding[going]
                state, ways = state[going], ways[going]
                if len(rows) == 0:
                    break
            room = self._room(state, element, ways, compositions)
            logits = self._count_logits(z, element, room)
            count = 1 + sample_masked(logits, room > 0, epsilon=epsilon, generator=generator)
            steps.elements[rows, t], steps.counts[rows, t], steps.room[rows, t] = element + 1, count, room
            state = compositions.add(state, element, count)
            if t + 1 < compositions.max_elements:
                encoding = encoding + encoder(self.features((element + 1).unsqueeze(1), count.unsqueeze(1)))
        return steps

    def rollback(
        self, network: Network, prefix: Tensor, states: CrystalStates, space: CrystalSpace, *, generator: Generator
    ) -> CompositionSteps:
        """See :meth:`Stage.rollback`; there is one way back, only facts and ways on met are traced."""
        compositions, completions = space.composition, self._completions(space.composition)
        steps = self._empty(len(states), compositions, states.elements.device)
        steps.elements.copy_(states.elements)
        steps.counts.copy_(states.counts)
        state, rows = compositions.start(states.space_group), torch.arange(len(states), device=states.elements.device)
        for t in range(compositions.max_elements):
            mask = compositions.element_mask(state)
            steps.facts[rows, t] = self._facts(state, mask, compositions)
            ways = self._ways(state, mask, compositions, completions)
            steps.ways[rows, t] = ways
            going = states.elements[rows, t] > 0
            rows, state = rows[going], state[going]
            element, count = states.elements[rows, t] - 1, states.counts[rows, t]
            steps.room[rows, t] = self._room(state, element, ways[going], compositions)
            state = compositions.add(state, element, count)
        return steps

    @staticmethod
    def _decisions(steps: CompositionSteps) -> tuple[Tensor, Tensor]:
        """Owner and number of elements of the states in which something was chosen, ``(I,)`` each.

        A composition of m elements can only stop, and nothing is chosen there.
        """
        places = torch.arange(steps.elements.shape[1], device=steps.elements.device)
        owner, place = (places <= steps.length.unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place

    def rows(self, steps: CompositionSteps, space: CrystalSpace) -> Rows:
        """Finished compositions, then those in which something was chosen, with their facts as hints."""
        owner, place = self._decisions(steps)
        batch, m = steps.elements.shape
        keep = torch.arange(m, device=owner.device) < place.unsqueeze(1)
        elements = torch.cat((steps.elements, torch.where(keep, steps.elements[owner], 0)))
        counts = torch.cat((steps.counts, steps.counts[owner]))
        everyone = torch.arange(batch, device=owner.device)
        hints = self.facts(steps.facts[owner, place].to(self.facts.weight.dtype))
        return Rows(torch.cat((everyone, owner)), (self.features(elements, counts),), hints)

    def final(self, steps: CompositionSteps, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (self.features(steps.elements, steps.counts),)

    def score(
        self, steps: CompositionSteps, space: CrystalSpace, entry: Tensor, forward: Tensor, backward: Tensor
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        batch, m = steps.elements.shape
        owner, place = self._decisions(steps)
        everyone = torch.arange(batch, device=owner.device)
        z, ways, mask = forward[batch:], steps.ways[owner, place], steps.facts[owner, place, -self.n_elements - 1 :]
        chosen = steps.elements[owner, place] - 1
        log_p = masked_log_softmax(self._element_logits(z, ways), mask)
        log_p = log_p.gather(1, chosen.remainder(self.n_elements + 1).unsqueeze(1)).squeeze(1)  # -1: stop, the last

        adds = (chosen >= 0).nonzero().squeeze(1)
        element, count = chosen[adds], steps.counts[owner[adds], place[adds]] - 1
        room = steps.room[owner[adds], place[adds]]
        log_counts = masked_log_softmax(self._count_logits(z.index_select(0, adds), element, room), room > 0)
        log_p = log_p.index_add(0, adds, log_counts.gather(1, count.unsqueeze(1)).squeeze(1))

        log_pf = torch.zeros(batch, m + 1, device=z.device).index_put((owner, place), log_p)
        source = torch.full((batch, m + 1), -1, device=owner.device)
        source[everyone, steps.length] = batch + everyone
        source[owner, place] = 2 * batch + torch.arange(len(owner), device=owner.device)
        return StageScore(log_pf, torch.zeros_like(log_pf), source)
