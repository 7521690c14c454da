"""Crystals per second of site keys, pattern keys, numbers of writings and protostructure labels, for real crystals.

python benchmarks/site_keys.py crystals.parquet --batch 100,1000,10000
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import torch
from _common import batches, measure, parser, report

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.sites.keys import log_writings, pattern_keys, site_keys
from crystalgfn.crystallography.sites.protostructures import protostructure_label
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.spaces.site_encoding import assignments_of, with_sites


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("crystals", help="table of crystals with a column wyckoff")
    options_parser.add_argument("--batch", type=batches, default=[100, 1000, 10_000], metavar="N,N,...")
    options_parser.add_argument("--most", type=int, default=20, help="most atoms in the primitive cell")
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    crystals = Crystals.from_file(options.crystals)
    cells = torch.tensor(CENTERING_MULTIPLICITY)[crystals.space_group]
    crystals = crystals[crystals.n_atoms <= options.most * cells]
    generator = torch.Generator().manual_seed(options.seed)
    results = []
    for batch in options.batch:
        chosen = with_sites(crystals[torch.randperm(len(crystals), generator=generator)[:batch]])
        group, sites = chosen.space_group, chosen.sites
        assert sites is not None
        pairs = [(a.space_group, [(SYMBOLS[z], letter) for z, letter in a.sites]) for a in assignments_of(chosen)]
        work: dict[str, Callable[[], object]] = {
            "site keys": lambda g=group, s=sites: site_keys(g, s.elements, s.letters),
            "pattern keys": lambda g=group, s=sites: pattern_keys(g, s.slots, s.letters),
            "writings": lambda g=group, s=sites: log_writings(g, s.slots, s.letters),
            "labels": lambda p=pairs: [protostructure_label(*pair) for pair in p],
        }
        for what, call in work.items():
            rate = measure(call, len(chosen), seconds=options.seconds)
            results.append({"what": what, "batch": batch, **rate.as_dict()})
    report("site_keys", options, {"crystals": str(options.crystals), "most_atoms": options.most}, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
