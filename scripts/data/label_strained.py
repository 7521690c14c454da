"""Make a table of strained crystals labelled by CHGNet: training data of the volume-aware proxy.

    python scripts/data/label_strained.py DATA.parquet STRUCTURES.parquet -o STRAINED.parquet \
        -n 12000 --far 9000 --seed 0

DATA.parquet is a crystals table, STRUCTURES.parquet holds the same material_id with numbers, cell (9 numbers, A, rows
are vectors) and fractional coordinates. ``-n`` is the number of crystals, drawn at random, with two strained copies
each; ``--far`` is the number of other crystals, with small primitive cells, that give one isotropic and two strongly
stretched copies each. Needs chgnet. Chunks are written beside the output, and a second call continues where the first
one stopped. About 10 crystals a second on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from crystalgfn.proxies.data.strain import FAR, MAX_ATOMS, NEAR, label

MAX_ATOMS_FAR = 12


def main() -> None:
    """Parse the command line, label chunk by chunk, join the chunks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("-n", "--number", type=int, default=10_000, help="crystals to strain, two copies each")
    parser.add_argument("--far", type=int, default=0, help="further crystals, three copies each, strongly stretched")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    import torch
    from chgnet.model import CHGNet

    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.threads)
    model = CHGNet.load(use_device="cpu", verbose=False)
    table = pd.read_parquet(arguments.data).merge(pd.read_parquet(arguments.structures), on="material_id")
    table = table[table["n_atoms_primitive"] <= MAX_ATOMS].reset_index(drop=True)
    order = np.random.default_rng(arguments.seed).permutation(len(table))
    others = order[arguments.number :]
    small = others[table["n_atoms_primitive"].to_numpy()[others] <= MAX_ATOMS_FAR]
    passes = (("", NEAR, order[: arguments.number]), ("far-", FAR, small[: arguments.far]))
    parts = arguments.output.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    paths = []
    for prefix, kinds, crystals in passes:
        for start in range(0, len(crystals), arguments.chunk):
            path = parts / f"{arguments.seed}-{prefix}{start:07d}.parquet"
            paths.append(path)
            if path.exists():
                continue
            chosen = table.iloc[np.sort(crystals[start : start + arguments.chunk])]
            records = [{str(k): v for k, v in row.items()} for row in chosen.to_dict("records")]
            rows = label(records, model, seed=arguments.seed, kinds=kinds)
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            pd.DataFrame(rows).to_parquet(temporary)
            os.replace(temporary, path)
            done = f"{prefix}{start + len(chosen)}/{len(crystals)}"
            sys.stderr.write(f"{done} crystals, {time.monotonic() - started:.0f} s\n")
    frames = [pd.read_parquet(path) for path in paths]
    temporary = arguments.output.with_suffix(f".{os.getpid()}.tmp")
    pd.concat(frames, ignore_index=True).to_parquet(temporary)
    os.replace(temporary, arguments.output)


if __name__ == "__main__":
    main()
