"""Build the table of pseudopotentials that ships, structures/export/data/sssp.json: SSSP 1.3.0 PBE Efficiency.

    pip download --no-deps quacc && unzip quacc-*.whl
    python scripts/data/build_sssp.py quacc/calculators/espresso/presets/sssp_1.3.0_pbe_efficiency.yaml

quacc (BSD 3-Clause licence) ships the table of the Standard Solid-State Pseudopotentials (Prandini et al., npj Comput.
Mater. 4, 72, 2018). Kept are the name and the MD5 sum of each file, and the cutoffs; no pseudopotential is copied.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.files.atomic import write_text
from crystalgfn.structures.export.espresso import TABLE

ABOUT = {
    "name": "SSSP 1.3.0 PBE Efficiency",
    "source": "quacc 1.8.2, calculators/espresso/presets/sssp_1.3.0_pbe_efficiency.yaml",
    "licence": "BSD 3-Clause (quacc)",
    "citation": "G. Prandini et al., npj Comput. Mater. 4, 72 (2018), doi:10.1038/s41524-018-0127-2",
    "unit": "Ry",
}
KEPT = ("filename", "cutoff_wfc", "cutoff_rho", "md5")


def main() -> int:
    """Read, reduce, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="The table in quacc's wheel.")
    text = parser.parse_args().table.read_text()
    given = yaml.load(text, yaml.BaseLoader)["pseudopotentials"]  # all is text: nobelium is no truth value
    lines = []
    for symbol in sorted(given, key=atomic_number):
        kept = {key: float(given[symbol][key]) if key.startswith("cutoff") else given[symbol][key] for key in KEPT}
        lines.append(f"  {json.dumps(symbol)}: {json.dumps(kept)}")
    head = json.dumps(ABOUT, indent=1).removesuffix("\n}")
    write_text(TABLE, head + ',\n "pseudopotentials": {\n' + ",\n".join(lines) + "\n }\n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
