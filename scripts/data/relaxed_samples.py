"""Join relaxed samples into one table, from which a model of the energy above the hull learns.

    python scripts/data/relaxed_samples.py samples.parquet:candidates ... -o relaxed_samples.parquet

Each argument names a table of samples and the folder that ``crystalgfn structures`` made of it. A crystal that occurs
twice (same group and sites) is kept once, with its lower energy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.relaxed_samples import ABOVE_HULL, relaxed_samples
from crystalgfn.spaces.site_encoding import crystal_keys
from crystalgfn.structures.candidates.table import TABLE, CandidateTable


def main() -> None:
    """Read, join and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pairs", nargs="+", help="SAMPLES:FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    parts = []
    for pair in options.pairs:
        samples, _, folder = pair.partition(":")
        candidates = CandidateTable.read(Path(folder) / TABLE)
        parts.append(relaxed_samples(Crystals.from_file(samples), candidates, source=Path(samples).stem))
    joined = Crystals.concatenate(parts)
    keys = crystal_keys(joined)
    energy = np.nan_to_num(np.asarray(joined.column(ABOVE_HULL), dtype=float), nan=np.inf)
    order = np.lexsort((energy, keys))
    first = order[np.concatenate([[True], keys[order][1:] != keys[order][:-1]])]
    kept = joined[np.sort(first).tolist()]
    kept.to_parquet(options.output)
    print(f"{options.output}: {len(kept):,} relaxed samples of {len(joined):,}, {len(set(kept.formulas)):,} formulas")


if __name__ == "__main__":
    main()
