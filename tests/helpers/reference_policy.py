"""Log-probabilities of one trajectory, transition by transition, written as plainly as possible.

The networks are the policy's own; which state they see, what is allowed, and every formula are written out again here.
"""

from __future__ import annotations

from math import exp, log

import torch
from torch.distributions import Beta, Categorical, MixtureSameFamily
from torch.nn.functional import logsigmoid

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, POINT_SYMMETRY
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupSteps
from crystalgfn.spaces.bitsets import unpack

M = 0.1
ORDERS = [("group",), ("system",), ("symmetry",), ("system", "symmetry"), ("symmetry", "system")]


def score_one(policy, trajectories, row, space):
    """Transitions of one trajectory: three lists, one a stage, of (log P_F, log P_B)."""
    walker = _Walker(policy, space)
    groups, compositions = trajectories.of(SpaceGroupSteps), trajectories.of(CompositionSteps)
    lattices = trajectories.of(LatticeSteps)
    with torch.no_grad():
        return [
            walker.space_group(int(groups.path[row]), int(groups.space_group[row])),
            walker.composition(compositions.elements[row], compositions.counts[row]),
            walker.lattice(lattices.u[row, : int(lattices.length[row])]),
        ]


class _Walker:
    """Follows a trajectory, keeping what has been decided so far for both networks."""

    def __init__(self, policy, space):
        self.policy, self.space = policy, space
        self.networks = {"f": policy.forward_network, "b": policy.backward_network or policy.forward_network}
        self.decided = {"f": 0.0, "b": 0.0}

    def hidden(self, which, stage=None, *inputs, further=0.0):
        """Last hidden layer of a network for what was decided, and a state of the stage being passed."""
        network = self.networks[which]
        own = 0.0 if stage is None else network.encoders[stage](*inputs)
        return network.trunk(self.decided[which] + own + further)[0]

    def decide(self, stage, *inputs):
        for which, network in self.networks.items():
            self.decided[which] = self.decided[which] + network.encoders[stage](*inputs)

    # space group

    def space_group(self, path, group):
        head = self.policy.stages["space_group"]
        properties = {
            "system": int(CRYSTAL_LATTICE_SYSTEM[group]),
            "symmetry": int(POINT_SYMMETRY[group]),
            "group": group,
        }
        order = [name for name in ORDERS[path] if name != "group"] + ["group"]
        state, found = {}, []
        for step, name in enumerate(order):
            log_p = torch.log_softmax(
                head.action(self.hidden("f", "space_group", self.group_inputs(state))) + self.allowed(state), 0
            )
            action = {"system": 0, "symmetry": 8, "group": 13}[name] + properties[name] - 1
            state = {**state, name: properties[name]}
            back = 0.0
            if name == "group":
                parent = {(): 0, ("system",): 1, ("symmetry",): 2}.get(tuple(order[:step]), 3)
                full = {"system": properties["system"], "symmetry": properties["symmetry"], "group": group}
                z = self.hidden("b", "space_group", self.group_inputs(full))
                back = float(torch.log_softmax(head.parent(z), 0)[parent])
            elif step == 1:
                undone = 0 if name == "symmetry" else 1
                z = self.hidden("b", "space_group", self.group_inputs(state))
                back = float(torch.log_softmax(head.unset(z), 0)[undone])
            found.append((float(log_p[action]), back))
        self.decide("space_group", self.group_inputs(properties))
        self.group = group
        return found

    @staticmethod
    def group_inputs(state):
        code = state.get("system", 0) * 6 + state.get("symmetry", 0)
        return torch.tensor([[1 + code, 54 + state["group"] if "group" in state else 0]])

    def allowed(self, state):
        """0 for the actions that some group of the space agrees with, -inf for others, (243,)."""
        result = torch.full((243,), -torch.inf)
        for group in self.space.groups.allowed.nonzero().flatten().tolist():
            system, symmetry = int(CRYSTAL_LATTICE_SYSTEM[group]), int(POINT_SYMMETRY[group])
            if state.get("system", system) == system and state.get("symmetry", symmetry) == symmetry:
                result[13 + group - 1] = 0.0
                if "system" not in state:
                    result[system - 1] = 0.0
                if "symmetry" not in state:
                    result[8 + symmetry - 1] = 0.0
        return result

    # composition

    def composition(self, elements, counts):
        head, space = self.policy.stages["composition"], self.space.composition
        state, found = space.start(torch.tensor([self.group])), []
        filled = int((elements > 0).sum())
        for t in range(filled + 1):
            if t == space.max_elements:
                found.append((0.0, 0.0))  # nothing else is left
                break
            mask = space.element_mask(state)
            completions = space.completions(state, mask)[0]
            inputs = self.composition_inputs(elements[:t], counts[:t])
            z = self.hidden("f", "composition", inputs, further=head.features(self.features(state, mask)))
            logits = head.element(z)
            for e in mask[0, :-1].nonzero().flatten().tolist():
                each = zip(completions[e], head.bias[e], strict=False)
                logits[e] += log(sum(float(n) * exp(float(b)) for n, b in each))
            log_p = torch.log_softmax(logits.masked_fill(~mask[0], -torch.inf), 0)
            if t == filled:
                found.append((float(log_p[-1]), 0.0))
                break
            element, count = int(elements[t]) - 1, int(counts[t])
            logits = head.count(torch.relu(head.of_state(z) + head.of_element.weight[element])) + head.bias[element]
            log_q = torch.log_softmax(logits[: completions.shape[1]] + torch.log(completions[element]), 0)
            found.append((float(log_p[element] + log_q[count - 1]), 0.0))
            state = space.add(state, torch.tensor([element]), torch.tensor([count]))
        self.decide("composition", self.composition_inputs(elements[:filled], counts[:filled]))
        return found

    def features(self, state, mask):
        """Charges from -32 to 32 that can be carried, any charge, counts that fit, allowed elements and stop."""
        head, tables = self.policy.stages["composition"], self.space.composition.tables
        bound = tables.charges.bound
        *charges, anything = unpack(state.charges[0], 2 * bound + 2).tolist()
        carried = {q - bound for q, there in enumerate(charges) if there}
        move = tables.occupancy.move[0][state.context[0]].tolist() + [0] * head.max_count
        features = [q in carried for q in range(-32, 33)] + [anything]
        features += [move[k] > 0 for k in range(1, head.max_count + 1)]
        return torch.tensor([features + mask[0].tolist()], dtype=torch.float32)

    def composition_inputs(self, elements, counts):
        """One index an (element, count) and one an element; 0 is padding, for the empty composition."""
        head = self.policy.stages["composition"]
        pairs = [1 + (e - 1) * head.max_count + k - 1 for e, k in zip(elements.tolist(), counts.tolist(), strict=True)]
        alone = [head.n_elements * head.max_count + e for e in elements.tolist()]
        return torch.tensor([pairs + alone or [0]])

    # lattice

    def lattice(self, points):
        head, free = self.policy.stages["lattice"], self.space.lattice.free(torch.tensor([self.group]))
        inside = free[0]
        found = []
        here = None
        for point in [*points, None]:
            if here is None:  # from the source
                forward = self.mixtures(head.increment(self.hidden("f")), inside).log_prob(point[inside]).sum()
            else:
                log_exit = float(logsigmoid(head.exit(self.hidden("f", "lattice", here[None], free)))[0])
                log_stay = float(logsigmoid(-head.exit(self.hidden("f", "lattice", here[None], free)))[0])
                if point is None:
                    forced = bool((here[inside] > 1 - M).any())
                    found.append((0.0 if forced else log_exit, 0.0))
                    return found
                above = 1 - here[inside] - M
                r = (point[inside] - here[inside] - M) / above
                raw = head.increment(self.hidden("f", "lattice", here[None], free))
                density = self.mixtures(raw, inside).log_prob(r)
                forward = log_stay + (density - torch.log(above)).sum()
            back_logit = head.back(self.hidden("b", "lattice", point[None], free))[0]
            if here is None:
                backward = 0.0 if bool((point[inside] < M).any()) else float(logsigmoid(back_logit))
            else:
                below = point[inside] - M
                raw = head.decrement(self.hidden("b", "lattice", point[None], free))
                density = self.mixtures(raw, inside).log_prob((below - here[inside]) / below)
                backward = float(logsigmoid(-back_logit) + (density - torch.log(below)).sum())
            found.append((float(forward), backward))
            here = point
        return found

    def mixtures(self, raw, inside):
        head = self.policy.stages["lattice"]
        raw = raw.double().view(6, -1)[inside]
        k = raw.shape[1] // 3
        shapes = torch.exp(log(head.low) + log(head.high / head.low) * torch.sigmoid(raw[:, k:]))
        return MixtureSameFamily(Categorical(logits=raw[:, :k]), Beta(shapes[:, :k], shapes[:, k:]))
