"""The stage of elements for the slots of a pattern: in formula order, each element with the slot that it fills.

P_F(element, slot | s) = P(element | s) P(slot | s, element), over what look-ahead allows. Slots with the same letters
are filled in order, so there is one trajectory per assignment of elements to slots, and P_B is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.orbits import ElementEmbedding
from crystalgfn.policy.stages.known_formulas import KnownFormulas
from crystalgfn.policy.stages.recognition import Recognition
from crystalgfn.policy.stages.sites import SiteSteps
from crystalgfn.policy.stages.slot_encoder import SIZE, SlotEmbedding, SlotEncoder
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Steps, Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates, slot_counts, slot_keys
from crystalgfn.spaces.slot_elements import SlotElementSpace, first_alike
from crystalgfn.spaces.states import CrystalStates


@dataclass(frozen=True)
class SlotElementSteps(Steps):
    """Elements in the order in which they were added, with the results of look-ahead for every choice.

    Attributes:
        elements: ``(B, m)`` int64, 1 + column of each element; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell.
        filled: ``(B, m)`` int64, slot of each element; 0 where there are fewer.
        element_masks: ``(B, m, D)`` bool, elements allowed at each choice; False where there is none.
        slot_masks: ``(B, m, m)`` bool, slots allowed for the element chosen.
    """

    elements: Tensor
    counts: Tensor
    filled: Tensor
    element_masks: Tensor
    slot_masks: Tensor

    def outcome(self) -> dict[str, Tensor]:
        """See :meth:`Steps.outcome`."""
        return {"elements": self.elements, "counts": self.counts, "filled": self.filled}

    def decisions(self) -> tuple[Tensor, Tensor]:
        """Trajectory and number of elements of every state in which a choice was made, ``(I,)`` each."""
        owner, place = (self.elements > 0).nonzero(as_tuple=True)
        return owner, place


class SlotElementStage(Stage[SlotElementSteps]):
    """Heads for D elements, and for m slots given the element.

    Args:
        width: units in each layer of the trunk.
        elements: atomic numbers, D.
        max_slots: most slots, m.
        max_atoms: most atoms in the primitive cell.
        recognised: most crystals that are recognised before their last element.
        formulas: most formulas that are recognised before their last element.
    """

    name: ClassVar[str] = SlotElementSpace.name
    single_parent: ClassVar[bool] = True

    def __init__(
        self,
        width: int,
        elements: Sequence[int],
        *,
        max_slots: int,
        max_atoms: int,
        recognised: int = 0,
        formulas: int = 0,
    ) -> None:
        super().__init__()
        self.vocabulary, self.max_slots, self.max_atoms = tuple(elements), max_slots, max_atoms
        self.recognised = Recognition(recognised, self.vocabulary) if recognised else None
        self.recognised_weight = small_head(width, 1) if recognised else None
        self.recognised_formulas = KnownFormulas(formulas, self.vocabulary) if formulas else None
        self.recognised_formulas_weight = small_head(width, 1) if formulas else None
        self.element = small_head(width, len(self.vocabulary))
        self.query, self.key = nn.Linear(width, SIZE), ElementEmbedding(elements, SIZE)
        self.slots = SlotEmbedding(max_slots, max_atoms)
        self.of_state, self.of_element, self.slot = (
            nn.Linear(width, SIZE),
            nn.Linear(SIZE, SIZE),
            nn.Linear(SIZE, SIZE),
        )

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> SlotElementStage:
        """See :meth:`Stage.build`."""
        most = space.of(SitePatternSpace).max_orbits
        return cls(
            options.width,
            space.elements,
            max_slots=space.max_elements,
            max_atoms=most,
            recognised=options.recognised_crystals,
            formulas=options.recognised_formulas,
        )

    def encoder(self, width: int) -> nn.Module:
        """Encoder of partial compositions."""
        return SlotEncoder(width, self.vocabulary, self.max_slots, self.max_atoms)

    def recognise(self, states: CrystalStates | None, formulas: Tensor | None = None) -> None:
        """See :meth:`Stage.recognise`: crystals and formulas get weights of their own at their last element."""
        if self.recognised_formulas is not None and formulas is not None:
            self.recognised_formulas.fill(formulas)
        if self.recognised is not None and states is not None:
            assert isinstance(states, SiteStates)
            self.recognised.fill(
                states.space_group, states.slots, states.letters, elements=states.elements, filled=states.filled
            )

    def _element_logits(self, z: Tensor, keys: Tensor) -> Tensor:
        """Logits ``(R, D)`` of the elements, whose embeddings are ``keys`` ``(D, SIZE)``."""
        logits: Tensor = self.element(z) + self.query(z) @ keys.T / SIZE**0.5
        return logits

    def _with_recognition(
        self,
        logits: Tensor,
        z: Tensor,
        sites: SiteSteps,
        *,
        rows: Tensor,
        elements: Tensor,
        counts: Tensor,
        filled: Tensor,
        left: Tensor,
    ) -> Tensor:
        """Logits with the weights of recognised crystals and formulas added, where one slot is open.

        Args:
            logits: ``(R, D)``.
            z: ``(R, width)``.
            sites: patterns of all trajectories.
            rows: ``(R,)`` trajectory of each state.
            elements, counts, filled: ``(R, m)`` elements so far.
            left: ``(R,)`` atoms of the open slot where there is one; 0 where more are open.
        """
        chosen = left.nonzero().squeeze(1)
        if self.recognised is not None and self.recognised_weight is not None:
            own = rows[chosen]
            keys = self.recognised.key(
                sites.space_group[own],
                sites.slots[own],
                sites.letters[own],
                elements=elements[chosen],
                filled=filled[chosen],
            )
            logits = logits.index_add(0, chosen, self.recognised(keys) * self.recognised_weight(z[chosen]))
        if self.recognised_formulas is not None and self.recognised_formulas_weight is not None:
            known = self.recognised_formulas(elements[chosen], counts[chosen], left[chosen])
            logits = logits.index_add(0, chosen, known * self.recognised_formulas_weight(z[chosen]))
        return logits

    def _slot_logits(self, z: Tensor, of_element: Tensor, of_slots: Tensor) -> Tensor:
        """Logits ``(R, m)`` of the slots ``(R, m, SIZE)``, given the element ``(R, SIZE)``."""
        query = self.slot(torch.relu(self.of_state(z) + self.of_element(of_element)))
        return torch.einsum("rd,rmd->rm", query, of_slots) / SIZE**0.5

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> SlotElementSteps:
        """See :meth:`Stage.rollout`."""
        sites, compositions = so_far.of(SiteSteps), space.of(SlotElementSpace)
        steps, m = self._empty(sites, compositions), compositions.max_elements
        encoder: SlotEncoder = network.encoders[self.name]  # type: ignore[assignment]
        group, device = sites.space_group, prefix.device
        counts = slot_counts(group, sites.slots, sites.letters, m)
        keys = slot_keys(sites.slots, sites.letters, m)
        of_slots, slot_values = (
            encoder.slots(group, sites.slots, sites.letters),
            self.slots(group, sites.slots, sites.letters),
        )
        element_table, key_table = encoder.elements(), self.key()
        rows = torch.arange(len(group), device=device)
        state = compositions.start_of(group, sites.slots, sites.letters)
        unfilled = counts > 0
        whole = of_slots.sum(1)
        open_, pairs, last = whole, torch.zeros_like(whole), torch.zeros_like(whole)
        for t in range(m):
            mask = compositions.element_mask(state)
            steps.element_masks[rows, t] = mask
            encoding = encoder.encode(whole[rows], open_, last=last, pairs=pairs)
            z = network.trunk(prefix[rows] + encoding)
            logits = self._with_recognition(
                self._element_logits(z, key_table),
                z,
                sites,
                rows=rows,
                elements=steps.elements[rows],
                counts=steps.counts[rows],
                filled=steps.filled[rows],
                left=_atoms_left(counts[rows], unfilled[rows]),
            )
            element = sample_masked(logits, mask, epsilon=epsilon, generator=generator)
            allowed = compositions.slot_mask(state, element, first_alike(unfilled[rows], keys[rows]))
            steps.slot_masks[rows, t] = allowed
            logits = self._slot_logits(z, key_table[element], slot_values[rows, :m])
            slot = sample_masked(logits, allowed, epsilon=epsilon, generator=generator)
            steps.elements[rows, t], steps.filled[rows, t] = element + 1, slot
            steps.counts[rows, t] = counts[rows, slot]
            unfilled[rows, slot] = False
            goes_on = unfilled[rows].any(1).nonzero().squeeze(1)
            if not len(goes_on) or t + 1 == m:
                break
            state = compositions.fill(state[goes_on], element[goes_on], slot[goes_on])
            rows, element, slot = rows[goes_on], element[goes_on], slot[goes_on]
            filled, last = of_slots[rows, slot], element_table[element]
            open_, pairs = open_[goes_on] - filled, pairs[goes_on] + encoder.pair(filled, last)
        return steps

    def _empty(self, sites: SiteSteps, compositions: SlotElementSpace) -> SlotElementSteps:
        batch, m, device = len(sites.letters), compositions.max_elements, sites.letters.device
        whole = torch.zeros(batch, m, dtype=torch.int64, device=device)
        elements = torch.zeros(batch, m, len(compositions.elements), dtype=torch.bool, device=device)
        slots = torch.zeros(batch, m, m, dtype=torch.bool, device=device)
        return SlotElementSteps(whole, whole.clone(), whole.clone(), elements, slots)

    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> SlotElementSteps:
        """See :meth:`Stage.rollback`: there is one path back; only the masks are looked up."""
        assert isinstance(states, SiteStates)
        sites, compositions = so_far.of(SiteSteps), space.of(SlotElementSpace)
        steps, m = self._empty(sites, compositions), compositions.max_elements
        steps.elements.copy_(states.elements)
        steps.counts.copy_(states.counts)
        steps.filled.copy_(states.filled)
        counts = slot_counts(sites.space_group, sites.slots, sites.letters, m)
        keys = slot_keys(sites.slots, sites.letters, m)
        rows = torch.arange(len(counts), device=counts.device)
        state = compositions.start_of(sites.space_group, sites.slots, sites.letters)
        unfilled = counts > 0
        for t in range(m):
            element, slot = states.elements[rows, t] - 1, states.filled[rows, t]
            steps.element_masks[rows, t] = compositions.element_mask(state)
            alike = first_alike(unfilled[rows], keys[rows])
            steps.slot_masks[rows, t] = compositions.slot_mask(state, element, alike)
            unfilled[rows, slot] = False
            goes_on = unfilled[rows].any(1).nonzero().squeeze(1)
            if not len(goes_on) or t + 1 == m:
                break
            state = compositions.fill(state[goes_on], element[goes_on], slot[goes_on])
            rows = rows[goes_on]
        return steps

    def _inputs(self, steps: SlotElementSteps, sites: SiteSteps, owner: Tensor, place: Tensor) -> tuple[Tensor, ...]:
        return (sites.space_group, sites.slots, sites.letters, steps.elements, steps.filled, owner, place)

    def visits(self, steps: SlotElementSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Finished compositions, then the states in which a choice was made."""
        owner, place = steps.decisions()
        all_rows = torch.arange(len(steps.elements), device=owner.device)
        inputs = self._inputs(steps, so_far.of(SiteSteps), owner, place)
        return Visits(torch.cat((all_rows, owner)), inputs)

    def final(self, steps: SlotElementSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        none = torch.zeros(0, dtype=torch.int64, device=steps.elements.device)
        return self._inputs(steps, so_far.of(SiteSteps), none, none)

    def score(
        self,
        steps: SlotElementSteps,
        so_far: Trajectories,
        *,
        space: CrystalSpace,
        entry: Tensor,
        forward: Tensor,
        backward: Tensor,
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        sites, (batch, m) = so_far.of(SiteSteps), steps.elements.shape
        owner, place = steps.decisions()
        z, keys = forward[batch:], self.key()
        chosen = steps.elements[owner, place] - 1
        so_far_only = torch.arange(m, device=owner.device) < place.unsqueeze(1)
        logits = self._with_recognition(
            self._element_logits(z, keys),
            z,
            sites,
            rows=owner,
            elements=steps.elements[owner] * so_far_only,
            counts=steps.counts[owner] * so_far_only,
            filled=steps.filled[owner] * so_far_only,
            left=torch.where(place + 1 == (steps.elements > 0).sum(1)[owner], steps.counts[owner, place], 0),
        )
        log_p = masked_log_softmax(logits, steps.element_masks[owner, place])
        log_p = log_p.gather(1, chosen.unsqueeze(1)).squeeze(1)
        of_slots = self.slots(sites.space_group, sites.slots, sites.letters)[:, :m]
        logits = self._slot_logits(z, keys[chosen], of_slots[owner])
        log_slots = masked_log_softmax(logits, steps.slot_masks[owner, place])
        log_p = log_p + log_slots.gather(1, steps.filled[owner, place].unsqueeze(1)).squeeze(1)
        log_pf = torch.zeros(batch, m, device=z.device).index_put((owner, place), log_p)
        source = torch.full((batch, m), -1, device=owner.device)
        source[owner, place] = 2 * batch + torch.arange(len(owner), device=owner.device)
        return StageScore(log_pf, torch.zeros_like(log_pf), source)


def _atoms_left(counts: Tensor, unfilled: Tensor) -> Tensor:
    """Atoms ``(R,)`` of the open slot, from counts and open slots ``(R, m)``; 0 where not exactly one is open."""
    return torch.where(unfilled.sum(1) == 1, (counts * unfilled).sum(1), 0)
