"""Outcomes of samples: the tables of one or more folders that ``crystalgfn structures`` wrote, side by side.

    python benchmarks/candidates.py trained untrained

Shares are of all crystals that were handed in. RMSD is between the atoms as placed and as relaxed, by pymatgen's
StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3), in A, over the candidates whose two structures match.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher

from crystalgfn.structures.candidates.folder import MANIFEST, RunFolder
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import tally

SHARES = {
    "relaxed": "relaxed without failure",
    "converged": "converged",
    "cdvae_valid": "valid by CDVAE's rule",
    "lemat_valid": "valid by LeMat-GenBench's rule",
    "symmetric": "symmetric (not P1)",
    "group_kept": "space group asked for kept",
    "unique": "unique",
    "novel": "novel",
    "stable_0": "energy above hull ≤ 0",
    "stable_0.08": "≤ 0.08 eV/atom",
    "stable_0.1": "≤ 0.1 eV/atom",
    "sun_0": "S.U.N. at 0",
    "sun_0.08": "S.U.N. at 0.08",
    "sun_0.1": "S.U.N. at 0.1",
}
NUMBERS = {
    "e_above_hull": "energy above hull, median (eV/atom)",
    "volume_change": "volume change, median",
    "rmsd": "RMSD before and after, median (Å)",
    "matched": "structures before and after match",
    "seconds": "seconds a crystal, median",
}


def displacements(folder: Path) -> list[float]:
    """Return the RMSD (A) between placed and relaxed atoms of each candidate; NaN where the structures do not match."""
    matcher, out = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3), []
    manifest = json.loads((folder / MANIFEST).read_text())
    for candidate in RunFolder(folder, manifest, resume=True).candidates():
        if candidate.structure is not None and "placed" in candidate.intermediates:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                distances = matcher.get_rms_dist(candidate.intermediates["placed"], candidate.structure)
            length = (candidate.structure.volume / len(candidate.structure)) ** (1 / 3)
            out.append(float(distances[0]) * length if distances else float("nan"))
    return out


def main() -> None:
    """Parse the command line, count, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    folders = parser.parse_args().folders
    tallies = []
    for folder in folders:
        rmsd = np.array(displacements(folder))
        moved = {"rmsd": float(np.nanmedian(rmsd)), "matched": float(np.isfinite(rmsd).mean())}
        tallies.append({**tally(CandidateTable.read(folder / "structures.parquet")), **moved})
    print(
        "| | "
        + " | ".join(f"{folder.name} ({c['crystals']:.0f})" for folder, c in zip(folders, tallies, strict=True))
        + " |"
    )
    print("| --- |" + " ---: |" * len(folders))
    for name, title in SHARES.items():
        print(f"| {title} | " + " | ".join(f"{c[name]:.1%}" for c in tallies) + " |")
    for name, title in NUMBERS.items():
        print(f"| {title} | " + " | ".join(f"{c[name]:.3g}" for c in tallies) + " |")


if __name__ == "__main__":
    main()
