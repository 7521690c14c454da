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
    if "known" in crystals.columns:  # a model with sites
        shown = crystals[crystals.column("known") == 0]
        print(f"{len(shown)} of {len(crystals)} are not among the known crystals, such as")
        remarks = shown.column("protostructure")
    else:  # a model that was trained for low formation energy
        shown = crystals[crystals.column("formation_energy").argsort()]
        remarks = [f"{energy:6.2f} eV/atom (predicted)" for energy in shown.column("formation_energy")]
    for row, remark in enumerate(remarks[:5]):
        group, volume = int(shown.space_group[row]), float(shown.volume_per_atom[row])
        print(f"{shown.formulas[row]:12} space group {group:3}  {volume:5.1f} A^3/atom  {remark}")
    print("lattice of the first, from pymatgen:", shown.lattices[0].parameters)

    # weights correct averages for the remaining error of the sampler
    log_w = crystals.column("log_weight")
    w = np.exp(log_w - log_w.max())
    atoms = crystals.n_atoms.numpy()
    print(f"mean atoms in the cell: {atoms.mean():.1f} of the samples, {(w * atoms).sum() / w.sum():.1f} of the target")
    print(f"effective sample size: {w.sum() ** 2 / (w**2).sum():.0f} of {len(crystals)}")

    # narrower constraints hold as strictly as the constraints of training
    oxides = model.restricted(required=["O"], crystal_system=["cubic"]).sample(5, seed=0)
    print("cubic oxides:", ", ".join(oxides.formulas))

    crystals.to_parquet("crystals.parquet")
    again = crystalgfn.Crystals.from_file("crystals.parquet")
    print("read back unchanged:", again.equals(crystals))


if __name__ == "__main__":
    main(*sys.argv[1:])
