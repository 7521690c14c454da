"""The stage of site patterns: letters one after the other, or a remembered pattern; one action as a whole.

The network writes a pattern letter by letter, each among those with a completion. Beside it the stage remembers the
patterns of the crystals it learned from (:mod:`.pattern_table`), so that

    P_F(pattern | group) = w P_table(pattern | group) + (1 - w) prod over letters of P_network(letter | ...)

with both parts normalised over what the constraints allow. The sum is taken: the pattern is one transition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Generator, Tensor, nn

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.orbits import OrbitEmbedding
from crystalgfn.policy.stages.pattern_table import PatternTable
from crystalgfn.policy.stages.site_encoder import SiteEncoder
from crystalgfn.policy.stages.space_group import SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Steps, Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_pattern_space import END, SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.states import CrystalStates

QUERY = 32
"""Numbers by which the network asks for a letter."""


@dataclass(frozen=True)
class SiteSteps(Steps):
    """Patterns, with the letters that could have been written in place of each letter.

    Attributes:
        space_group: ``(B,)``.
        slots, letters: ``(B, O)``, as in :class:`~crystalgfn.spaces.site_states.SiteStates`.
        masks: ``(B, O + 1, 55)`` bool, allowed actions before each letter and before the end; False afterwards.
    """

    space_group: Tensor
    slots: Tensor
    letters: Tensor
    masks: Tensor

    @property
    def length(self) -> Tensor:
        """``(B,)`` number of orbits."""
        return (self.letters >= 0).sum(1)

    def outcome(self) -> dict[str, Tensor]:
        """See :meth:`Steps.outcome`."""
        return {"slots": self.slots, "letters": self.letters}

    def decisions(self) -> tuple[Tensor, Tensor]:
        """Trajectory and number of orbits of every state in which a letter or the end was chosen, ``(I,)`` each."""
        places = torch.arange(self.letters.shape[1] + 1, device=self.letters.device)
        owner, place = (places <= self.length.unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place


class SiteStage(Stage[SiteSteps]):
    """Heads for the letter that joins the open slot, the letter that opens a new one, and the end.

    Args:
        width: units in each layer of the trunk.
        max_slots: most slots, m.
        max_atoms: most atoms in the primitive cell.
        remembered: most patterns that are remembered.
    """

    name: ClassVar[str] = SitePatternSpace.name
    single_parent: ClassVar[bool] = True

    def __init__(self, width: int, *, max_slots: int, max_atoms: int, remembered: int) -> None:
        super().__init__()
        self.max_slots, self.max_atoms = max_slots, max_atoms
        self.action = small_head(width, END + 1)
        self.of_group = nn.Embedding(231, END + 1)
        self.query = nn.Linear(width, 2 * QUERY)
        self.letter = OrbitEmbedding(QUERY)
        self.of_letter = nn.Linear(QUERY, QUERY)
        self.table = PatternTable(remembered, max_atoms)
        self._allowed: WeakKeyDictionary[SitePatternSpace, tuple[int, Tensor]] = WeakKeyDictionary()
        nn.init.zeros_(self.of_group.weight)

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> SiteStage:
        """See :meth:`Stage.build`."""
        most = space.of(SitePatternSpace).max_orbits
        return cls(options.width, max_slots=space.max_elements, max_atoms=most, remembered=options.remembered_patterns)

    def encoder(self, width: int) -> nn.Module:
        """Encoder of partial patterns."""
        return SiteEncoder(width, self.max_slots, self.max_atoms)

    def remember(self, states: CrystalStates) -> None:
        """Fill the table with the patterns of crystals."""
        assert isinstance(states, SiteStates)
        if self.table.capacity:
            self.table.fill(states.space_group, *self._widened(states.slots, states.letters))

    def _widened(self, slots: Tensor, letters: Tensor) -> tuple[Tensor, Tensor]:
        """Patterns of a narrower space, with as many columns as the table has."""
        more = self.max_atoms - slots.shape[1]
        return nn.functional.pad(slots, (0, more)), nn.functional.pad(letters, (0, more), value=-1)

    def allowed_patterns(self, space: CrystalSpace) -> Tensor:
        """``(T,)`` bool, entries of the table that lie in a space."""
        patterns = space.of(SitePatternSpace)
        version, known = self._allowed.get(patterns, (-1, self.table.groups))
        if version != self.table.version:
            with torch.inference_mode(False), torch.no_grad():
                allowed, orbits = self.table.used.clone(), patterns.max_orbits
                allowed &= (self.table.letters[:, orbits:] < 0).all(1)
                rows = allowed.nonzero().squeeze(1)
                slots, letters = self.table.slots[rows, :orbits], self.table.letters[rows, :orbits]
                allowed[rows] = patterns.allows(self.table.groups[rows], slots, letters)
            self._allowed[patterns] = self.table.version, allowed
            return allowed
        return known

    def _logits(self, z: Tensor, space_group: Tensor) -> Tensor:
        """Logits ``(R, 55)`` of the actions."""
        groups, row = torch.unique(space_group, return_inverse=True)
        letters = torch.arange(MAX_LETTERS, device=z.device)
        of_letters = self.letter(groups.repeat_interleave(MAX_LETTERS), letters.repeat(len(groups)))
        keys = self.of_letter(nn.functional.gelu(of_letters)).view(len(groups), MAX_LETTERS, QUERY)
        query = self.query(z).view(len(z), 2, QUERY)
        match = torch.einsum("rkq,rlq->rkl", query, keys[row]).flatten(1) / QUERY**0.5
        logits: Tensor = self.action(z) + self.of_group(space_group) + nn.functional.pad(match, (0, 1))
        return logits

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> SiteSteps:
        """See :meth:`Stage.rollout`."""
        group = so_far.of(SpaceGroupSteps).space_group
        patterns = space.of(SitePatternSpace)
        entry, by_network = self.table.draw(group, self.allowed_patterns(space), generator=generator)
        steps = self._empty(group, patterns)
        if self.table.capacity:
            remembered = (~by_network).nonzero().squeeze(1)
            orbits = patterns.max_orbits
            steps.slots[remembered] = self.table.slots[entry[remembered], :orbits]
            steps.letters[remembered] = self.table.letters[entry[remembered], :orbits]
        encoder: SiteEncoder = network.encoders[self.name]  # type: ignore[assignment]
        rows, state = torch.arange(len(group), device=group.device), patterns.start(group)
        forced = patterns.actions(steps.slots, steps.letters)
        partial = encoder.start(int(by_network.sum()))
        for step in range(patterns.max_orbits + 1):
            mask = patterns.patterns.mask(state)
            steps.masks[rows, step] = mask
            action = forced[rows, step]
            own = by_network[rows].nonzero().squeeze(1)
            if len(own):
                z = network.trunk(prefix[rows[own]] + encoder.encode(partial))
                logits = self._logits(z, group[rows[own]])
                action[own] = sample_masked(logits, mask[own], epsilon=epsilon, generator=generator)
            goes_on = action != END
            rows, state, action = rows[goes_on], state[goes_on], action[goes_on]
            if not len(rows):
                break
            if len(own):
                partial = partial[goes_on[own]]
                chosen = by_network[rows]
                letter, opens = action[chosen] % MAX_LETTERS, action[chosen] >= MAX_LETTERS
                partial = encoder.append(partial, group[rows[chosen]], letter=letter, opens=opens)
                steps.letters[rows[chosen], step] = letter
                steps.slots[rows[chosen], step] = partial.slots - 1
            state = patterns.patterns.act(state, action)
        return steps

    def _empty(self, group: Tensor, patterns: SitePatternSpace) -> SiteSteps:
        batch, orbits, device = len(group), patterns.max_orbits, group.device
        slots = torch.zeros(batch, orbits, dtype=torch.int64, device=device)
        masks = torch.zeros(batch, orbits + 1, END + 1, dtype=torch.bool, device=device)
        return SiteSteps(group, slots, torch.full_like(slots, -1), masks)

    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> SiteSteps:
        """See :meth:`Stage.rollback`: there is one path back; only the masks are looked up."""
        assert isinstance(states, SiteStates)
        patterns = space.of(SitePatternSpace)
        steps = self._empty(states.space_group, patterns)
        steps.slots.copy_(states.slots)
        steps.letters.copy_(states.letters)
        actions = patterns.actions(states.slots, states.letters)
        rows, state = torch.arange(len(states), device=actions.device), patterns.start(states.space_group)
        for step in range(patterns.max_orbits + 1):
            steps.masks[rows, step] = patterns.patterns.mask(state)
            goes_on = actions[rows, step] != END
            rows, state = rows[goes_on], state[goes_on]
            if not len(rows):
                break
            state = patterns.patterns.act(state, actions[rows, step])
        return steps

    def visits(self, steps: SiteSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Finished patterns, then every partial one."""
        owner, place = steps.decisions()
        all_rows = torch.arange(len(steps.letters), device=owner.device)
        inputs = (steps.space_group, steps.slots, steps.letters, owner, place)
        return Visits(torch.cat((all_rows, owner)), inputs)

    def final(self, steps: SiteSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        none = torch.zeros(0, dtype=torch.int64, device=steps.letters.device)
        return (steps.space_group, steps.slots, steps.letters, none, none)

    def score(
        self,
        steps: SiteSteps,
        so_far: Trajectories,
        *,
        space: CrystalSpace,
        entry: Tensor,
        forward: Tensor,
        backward: Tensor,
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        batch, group = len(steps.letters), steps.space_group.clone()  # recorded in inference mode
        owner, place = steps.decisions()
        actions = space.of(SitePatternSpace).actions(steps.slots, steps.letters)
        log_p = masked_log_softmax(self._logits(forward[batch:], group[owner]), steps.masks[owner, place])
        of_action = log_p.gather(1, actions[owner, place].unsqueeze(1)).squeeze(1)
        log_pf = torch.zeros(batch, device=of_action.device).index_add(0, owner, of_action)
        if self.table.capacity:
            allowed = self.allowed_patterns(space)
            number, there = self.table.find(group, *self._widened(steps.slots, steps.letters))
            there &= allowed[number]
            weight = torch.where(there, self.table.weight[number], -torch.inf)
            together = torch.logaddexp(self.table.network[group] + log_pf, weight)
            log_pf = together - self.table.log_normaliser(allowed)[group]
        log_pf = log_pf.unsqueeze(1)
        rows = torch.arange(batch, device=owner.device).unsqueeze(1)
        return StageScore(log_pf, torch.zeros_like(log_pf), rows)
