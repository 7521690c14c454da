"""Sample crystals, look at them, write them, read them back.

    python examples/sample_and_read.py [MODEL [N]]

MODEL is a preset with shipped weights or a run folder. Writes crystals.parquet into the working directory.
"""

import sys

import numpy as np

import crystalgfn


def main(name="default", n="1000"):
    model = crystalgfn.load(name)
    crystals = model.sample(int(n), seed=0)

    # columns are numpy arrays and the crystals themselves tensors; either can index crystals
    energy = crystals.column("formation_energy")
    best = crystals[energy.argsort()[:5]]
    for row, formula in enumerate(best.formulas):
        group, volume = int(best.space_group[row]), float(best.volume_per_atom[row])
        predicted = best.column("formation_energy")[row]
        print(f"{formula:12} space group {group:3}  {volume:5.1f} A^3/atom  {predicted:6.2f} eV/atom (predicted)")
    print("lattice of the first, from pymatgen:", best.lattices[0].parameters)

    # weights correct averages for the remaining error of the sampler
    log_w = crystals.columns["log_reward"] + crystals.columns["log_pb"] - crystals.columns["log_pf"]
    w = np.exp(log_w - log_w.max())
    print(f"mean energy: {energy.mean():.2f} of the samples, {(w * energy).sum() / w.sum():.2f} of the target")
    print(f"effective sample size: {w.sum() ** 2 / (w**2).sum():.0f} of {len(crystals)}")

    # narrower constraints hold as strictly as the constraints of training
    oxides = model.restricted(required=["O"], crystal_system=["cubic"]).sample(5, seed=0)
    print("cubic oxides:", ", ".join(oxides.formulas))

    crystals.to_parquet("crystals.parquet")
    again = crystalgfn.Crystals.from_file("crystals.parquet")
    print("read back unchanged:", again.equals(crystals))


if __name__ == "__main__":
    main(*sys.argv[1:])
