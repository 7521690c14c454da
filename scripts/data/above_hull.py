"""Fill in the energies above the hull that a table of crystals lacks, from the hull of all its phases.

    python scripts/data/above_hull.py crystals.parquet --hull hull_entries.parquet -o prior_rows.parquet
    python scripts/data/above_hull.py crystals.parquet --hull hull_entries.parquet --one-scale -o above.parquet

Rows of other sources than the Materials Project have a formation energy, but no energy above the hull. The hull is that
of the phases of both tables and of the elements at 0; `formation energy - e_above_hull` of a row is a vertex too.

Energies of the Materials Project carry its corrections of 2020; those of WBM carry earlier ones, which have none for
selenium, bromine, antimony, tellurium and iodine: there its formation energies are up to 0.5 eV too high for each such
atom. With ``--one-scale`` rows of WBM that hold one of them are left out.
"""

from __future__ import annotations

import argparse
import json
import math

import pandas as pd

from crystalgfn.stability.hull import Hull

OTHER_SCALE = {"Se", "Br", "Sb", "Te", "I"}
"""Elements whose anions the Materials Project corrects since 2020, and WBM's formation energies do not."""


def on_one_scale(crystals: pd.DataFrame) -> pd.DataFrame:
    """Return the crystals without rows of WBM whose energies are on another scale than the Materials Project's."""
    other = crystals["elements"].map(lambda text: bool(OTHER_SCALE & json.loads(text).keys()))
    return crystals[~(other & crystals["source"].str.startswith("wbm"))].reset_index(drop=True)


def phases(frame: pd.DataFrame) -> list[tuple[dict[str, float], float]]:
    """Compositions and energies (eV/atom) on or above the hull, moved to the hull where their height is known."""
    listed = []
    rows = zip(frame["elements"], frame["formation_energy_per_atom"], frame["e_above_hull"], strict=True)
    for text, energy, above in rows:
        if math.isfinite(energy):
            height = max(above, 0.0) if above is not None and math.isfinite(above) else 0.0
            listed.append(({symbol: float(n) for symbol, n in json.loads(text).items()}, energy - height))
    return listed


def main() -> None:
    """Read, fill in and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crystals")
    parser.add_argument("--hull", required=True)
    parser.add_argument("--one-scale", action="store_true", help="leave out rows with earlier corrections")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    crystals, entries = pd.read_parquet(options.crystals), pd.read_parquet(options.hull)
    if options.one_scale:
        crystals = on_one_scale(crystals)
    listed = phases(entries) + phases(crystals)
    symbols = sorted({symbol for composition, _ in listed for symbol in composition})
    hull = Hull(listed + [({symbol: 1.0}, 0.0) for symbol in symbols], name=options.hull)
    above = []
    columns = ("elements", "formation_energy_per_atom", "e_above_hull")
    for text, energy, known in zip(*(crystals[name] for name in columns), strict=True):
        if known is not None and math.isfinite(known):
            above.append(float(known))
        else:
            above.append(hull.energy_above_hull(json.loads(text), float(energy)).value)
    crystals["e_above_hull"] = above
    crystals.to_parquet(options.output)


if __name__ == "__main__":
    main()
