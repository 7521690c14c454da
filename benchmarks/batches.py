"""Many crystals at once against one after the other: crystals a second, agreement of energies, peak memory.

    python benchmarks/batches.py CRYSTALS.parquet -n 200 --potential 7net-0 --device cuda --batch 128

The serial run takes one core. On ``--device cpu`` the ratio says what joining structures gains there, not what a GPU
would.
"""

import argparse
import json
import resource
import time

import numpy as np
import torch

from crystalgfn.structures.candidates.engines.batched import BatchedEngine
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
from crystalgfn.structures.candidates.sources import Choice, read_requests
from crystalgfn.structures.candidates.workers import Tools, work
from crystalgfn.structures.relaxing.potentials.batcher import SIZE


def main() -> None:
    """Run the crystals of a table both ways and print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals")
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=SIZE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = list(read_requests(options.crystals, Choice(options.n)))
    serial, serial_s = timed(rows, options.potential, LocalEngine(1))
    batched, batched_s = timed(rows, options.potential, BatchedEngine(options.device, options.batch))
    both = [row for row in serial if np.isfinite([serial[row], batched[row]]).all()]
    differences = np.array([abs(serial[row] - batched[row]) for row in both])
    result = {
        "crystals": len(rows),
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "serial_crystals_per_s": len(rows) / serial_s,
        "batched_crystals_per_s": len(rows) / batched_s,
        "ratio": serial_s / batched_s,
        "compared": len(both),
        "within_1_meV_per_atom": float((differences <= 1e-3).mean()),
        "largest_difference_eV_per_atom": float(differences.max()),
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9
        if options.device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(result, indent=2))


def timed(rows: list, potential: str, engine: LocalEngine | BatchedEngine) -> tuple[dict[int, float], float]:
    """Total energies (eV/atom) by row, and seconds, without loading."""
    tools, settings = Tools(potential, hull=""), SearchSettings()
    bench = tools.load(settings, engine.batcher if isinstance(engine, BatchedEngine) else None)
    start = time.monotonic()
    found = list(work(rows, tools, settings, engine=engine, bench=bench))
    seconds = time.monotonic() - start
    column = PotentialColumn(Quantity.TOTAL, potential)
    return {candidate.row.row: candidate.row.energies.get(column, np.nan) for candidate in found}, seconds


if __name__ == "__main__":
    main()
