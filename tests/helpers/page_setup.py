"""Small inputs for tests of pages."""

import base64
import gzip
import json
import re

import numpy as np
from pymatgen.core import Lattice, Structure

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.inputs import Data, energy_methods
from crystalgfn.structures.export.cif import write_cif
from structure_setup import LATTICES

SYSTEM_OF = {1: 1, 12: 2, 62: 3, 139: 4, 166: 5, 164: 6, 194: 7, 225: 8}
FACTOR = {1: 1, 12: 2, 62: 1, 139: 2, 166: 3, 164: 1, 194: 1, 225: 4}


def samples(n=80, *, seed=0):
    """Crystals of Li, O and Mg with the columns of samples."""
    rng = np.random.default_rng(seed)
    groups = rng.choice(list(SYSTEM_OF), n)
    factors = np.array([FACTOR[g] for g in groups])
    counts = rng.integers(0, 4, (n, 3)) * factors[:, None]
    counts[:, 1] = np.maximum(counts[:, 1], factors)
    energy = rng.normal(-2.0, 0.5, n)
    columns = {
        "formation_energy [eV/atom]": energy,
        "log_reward": -8 * energy,
        "log_pf": rng.normal(-10, 1, n),
        "log_pb": rng.normal(-1, 0.1, n),
        "domain_distance": rng.uniform(0, 1.5, n),
    }
    return Crystals((3, 8, 12), groups, counts, [LATTICES[SYSTEM_OF[g]] for g in groups], columns)


def write_structures(folder):
    """A folder of three CIF files, one of which is broken."""
    folder.mkdir()
    for metal, a in (("Mg", 4.21), ("Ca", 4.81)):
        cell = Structure.from_spacegroup(225, Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        write_cif(folder / f"{metal}O.cif", cell)
    (folder / "broken.cif").write_text("<script>alert(1)</script>")
    return folder


def data(name="samples", **more):
    """What a report is given: samples with their provenance."""
    crystals = samples(**more)
    return Data(name, crystals, provenance={"table": "t.parquet"}, methods=energy_methods(crystals))


def content(text):
    """The packed data of a page."""
    packed = re.search(r'id="packed-data">([^<]*)<', text).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))
