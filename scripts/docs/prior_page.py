"""Write the tables of docs/prior.md and draw its figure: samples beside the real crystals that a prior learned from.

    python scripts/docs/prior_page.py prior --also default --data crystals.parquet --page docs/prior.md \
        --figure docs/images/prior.png

The prior (preset or run folder) says which rows of the table were learned from, and which were held out. Without
``--page`` the tables are printed. Needs matplotlib, which comes with pymatgen.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from one_line_errors import one_line_errors
from prior_figure import draw
from torch import Generator

from crystalgfn.crystallography.sites.keys import pattern_keys
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.errors import ConfigError
from crystalgfn.evaluation.chemical_classes import class_shares, elements_of
from crystalgfn.evaluation.exact_nats import ExactNats, exact_nats
from crystalgfn.evaluation.metrics import summarise
from crystalgfn.evaluation.site_diversity import site_numbers
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.properties.known import Known
from crystalgfn.report.pages import fill
from crystalgfn.report.summary import UNKNOWN
from crystalgfn.runs.model import Model, load
from crystalgfn.runs.prior_data import PriorData, read_prior_data
from crystalgfn.spaces.site_encoding import assignments_of, with_sites
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates, free_coordinates

PARTS = {"space_group": "space group", "sites": "pattern of sites", "elements": "elements on it", "lattice": "cell"}
"""What the stages decide, in words."""

LEARNED, HELD_OUT = "real crystals learned from", "real crystals held out"


class Real(NamedTuple):
    """Real crystals of a prior, in its space: those learned from, and those held out."""

    data: PriorData
    learned: Crystals
    held_out: Crystals


def read_real(model: Model, path: Path) -> Real:
    """Read the crystals of a table as the prior's training did.

    Raises:
        ConfigError: the model is no prior.
        DataError: the table cannot be read, or is no table for the prior.
    """
    objective = model.config.training.objective
    if not isinstance(objective, Likelihood):
        raise ConfigError("found a model that was trained on a reward, allowed first: a prior")
    data = read_prior_data(path, model.space, objective, seed=model.config.seed)
    crystals = model.space.crystals(data.states)
    return Real(data, crystals[~data.held_out], crystals[data.held_out])


def free(crystals: Crystals) -> np.ndarray:
    """Free coordinates of crystals with sites, ``(B,)``."""
    assert crystals.sites is not None
    found: np.ndarray = free_coordinates(crystals.space_group, crystals.sites.letters).numpy()
    return found


def atoms(crystals: Crystals) -> np.ndarray:
    """Atoms in the primitive cell, ``(B,)``."""
    found: np.ndarray = crystals.n_atoms.numpy() // CENTERING_MULTIPLICITY[crystals.space_group.numpy()]
    return found


def nats_table(nats: Mapping[str, ExactNats]) -> str:
    """Markdown: mean nats of held-out crystals by part, a column for each model."""
    lines = [_line("", *nats), _line("---", *["---:"] * len(nats))]
    lines += [
        _line(PARTS.get(name, name), *(f"{each.parts[name].mean():.2f}" for each in nats.values()))
        for name in next(iter(nats.values())).parts
    ]
    discrete = {name: each.total - each.parts["lattice"] for name, each in nats.items()}
    lines.append(_line("**without the cell**", *(_with_error(each) for each in discrete.values())))
    lines.append(_line("all", *(_with_error(each.total) for each in nats.values())))
    lines.append(_line("crystals scored", *(f"{len(each.rows):,}" for each in nats.values())))
    lines.append(_line("left out: too many writings", *(f"{each.too_many:,}" for each in nats.values())))
    lines.append(_line("writings a crystal, mean", *(f"{each.writings.mean():.1f}" for each in nats.values())))
    return "\n".join(lines).replace("-", "−").replace("−−−", "---")


def shares_table(tables: Mapping[str, Crystals], learned: Crystals) -> str:
    """Markdown: what crystals are like, a column for each table.

    Args:
        tables: crystals with sites, by heading.
        learned: crystals whose patterns count as known.
    """
    patterns, known = KnownCrystals.of(learned), Known()
    columns: list[dict[str, str]] = []
    for name, crystals in tables.items():
        assert crystals.sites is not None
        summary = summarise(crystals, energy=None)
        sites = site_numbers(list(assignments_of(crystals)), source="")
        keys = pattern_keys(crystals.space_group, crystals.sites.slots, crystals.sites.letters)
        own = name.startswith("real")
        columns.append(
            {
                "crystals": f"{len(crystals):,}",
                "pattern of sites among those learned from": UNKNOWN
                if name == LEARNED
                else _share(patterns.knows_pattern(keys).double().mean()),
                "known crystals, by the table that ships": UNKNOWN if own else _share(known(crystals).mean()),
                "sites hold the atoms, and the cell exists": _share(
                    min(summary["validity"][check] for check in ("cell", "lattice_system", "wyckoff"))
                ),
                "charge-neutral, one oxidation state an element": _share(summary["validity"]["neutral_per_element"]),
                "charge-neutral, mixed valence allowed": _share(summary["validity"]["neutral_per_atom"]),
                "distinct crystals": _share(sites["distinct_site_keys"]["value"]),
                "patterns of sites": f"{sites['n_patterns']['value']:,}",
                "most frequent pattern": _share(sites["most_frequent_pattern"]["value"]),
                "space groups": str(summary["diversity"]["n_space_groups"]),
                "elements": str(summary["diversity"]["n_elements"]),
                "at most two free coordinates": _share((free(crystals) <= 2).mean()),
                "atoms in the primitive cell, median": f"{np.median(atoms(crystals)):g}",
                **{kind: _share(share) for kind, share in class_shares(elements_of(crystals)).items()},
            }
        )
    lines = [_line("", *tables), _line("---", *["---:"] * len(tables))]
    return "\n".join(lines + [_line(label, *(column[label] for column in columns)) for label in columns[0]])


def table_table(prior: Model, real: Real, *, n: int, seed: int, nats: ExactNats) -> str:
    """Markdown: the prior with its table of patterns, and its network alone.

    Args:
        prior: the prior.
        real: its crystals.
        n, seed: samples to draw of each.
        nats: of the prior, over the crystals held out.
    """
    alone = copy.deepcopy(prior.policy)
    with torch.no_grad():
        for name, parameter in alone.stages[SitePatternSpace.name].named_parameters():
            if name == "table.weight":
                parameter.fill_(-1e4)
    patterns = KnownCrystals.of(real.learned)
    columns = {}
    for name, policy, found in (
        ("with the table", prior.policy, nats),
        ("network alone", alone, exact_nats(alone, prior.space, real.held_out)),
    ):
        drawn = policy.sample(n, prior.space, generator=Generator().manual_seed(seed)).states
        assert isinstance(drawn, SiteStates)
        known = patterns.knows_pattern(pattern_keys(drawn.space_group, drawn.slots, drawn.letters))
        columns[name] = f"{found.parts[SitePatternSpace.name].mean():.2f}", _share(known.double().mean())
    lines = [_line("", *columns), _line("---", *["---:"] * len(columns))]
    for i, label in enumerate(("nats of the pattern, crystals held out", "samples whose pattern was learned from")):
        lines.append(_line(label, *(column[i] for column in columns.values())))
    return "\n".join(lines)


def _share(value: float) -> str:
    return f"{100 * float(value):.1f} %"


def _with_error(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prior", help="preset or run folder of a prior")
    parser.add_argument("--also", action="append", default=[], metavar="MODEL", help="a further model over its space")
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="real crystals that it learned from")
    parser.add_argument("-n", type=int, default=10_000, help="samples to draw of each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-nats", action="store_true", help="leave the likelihoods out, which take minutes")
    parser.add_argument("--page", type=Path, metavar="MD", help="page whose parts are replaced")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="figure to draw")
    options = parser.parse_args(arguments)
    models = {Path(where).name: load(where) for where in (options.prior, *options.also)}
    prior = next(iter(models.values()))
    real = read_real(prior, options.data)
    print(real.data)
    samples = {name: with_sites(model.sample(options.n, seed=options.seed)) for name, model in models.items()}
    columns = {f"samples of `{name}`": crystals for name, crystals in samples.items()}
    parts = {"shares": shares_table(columns | {HELD_OUT: real.held_out, LEARNED: real.learned}, real.learned)}
    if not options.no_nats:
        nats = {f"`{name}`": exact_nats(each.policy, each.space, real.held_out) for name, each in models.items()}
        parts["nats"] = nats_table(nats)
        own = next(iter(nats.values()))
        parts["table"] = table_table(prior, real, n=options.n, seed=options.seed, nats=own)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        for name, body in parts.items():
            page = fill(page, name, body)
        options.page.write_text(page, encoding="utf-8")
    else:
        print(*parts.values(), sep="\n\n")
    if options.figure:
        shown = {**samples, "real crystals": Crystals.concatenate([real.learned, real.held_out])}
        draw(shown, {name: (atoms(each), free(each)) for name, each in shown.items()}, options.figure)


if __name__ == "__main__":
    sys.exit(main())
