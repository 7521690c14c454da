"""MatBench's formation energies (``matbench_mp_e_form``, 132,752 crystals), through matminer.

Source: Dunn, Wang, Ganose, Dopp, Jain, npj Comput. Mater. 6, 138 (2020).
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from crystalgfn.datasets.schema import Entry
from crystalgfn.errors import DataError

DATASET = "matbench_mp_e_form"


class MatBench:
    """The data set, loaded by matminer: downloaded once (some 50 MB), then read from its folder.

    Args:
        folder: where the download is stored; by default ``MATMINER_DATA`` or else matminer's own folder.
        limit: number of crystals to read, from the first.

    Raises:
        DataError: matminer is not installed, or the data cannot be downloaded.
    """

    extra_labels: tuple[str, ...] = ()

    def __init__(self, *, folder: Path | None = None, limit: int | None = None) -> None:
        frame = _load(folder)
        missing = {"structure", "e_form"} - set(frame.columns)
        if missing:
            raise DataError(f"{DATASET} has no column {sorted(missing)}, found: {', '.join(map(str, frame.columns))}")
        self._structures = frame["structure"].tolist()[:limit]
        self._energies = frame["e_form"].astype(float).tolist()[:limit]

    def __len__(self) -> int:
        return len(self._structures)

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield crystals under MatBench's names (``mb-mp-e-form-000001``, ...), with labels in eV/atom."""
        for row in range(start, len(self)):
            yield Entry(
                material_id=f"mb-mp-e-form-{row + 1:06d}",
                source=DATASET,
                load=partial(self._structures.__getitem__, row),
                labels={"formation_energy_per_atom": self._energies[row]},
            )

    def identity(self) -> dict[str, Any]:
        """Return the name of the data set, which has one published version."""
        return {"source": DATASET}


def _load(folder: Path | None) -> Any:
    try:
        import matminer.datasets as matminer
    except ImportError:
        raise DataError("matminer is not installed: pip install 'crystalgfn[data]'") from None
    # matminer's own choice of folder, repeated here because matminer does not check a file that is already there
    folder = folder or Path(os.environ.get("MATMINER_DATA") or Path(matminer.__file__).parent)
    archive = folder / f"{DATASET}.json.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if archive.exists() and _sha256(archive) != matminer.get_dataset_attribute(DATASET, "hash"):
            raise DataError(f"{archive} is not the published file (SHA-256 differs): delete it to download it again")
        return matminer.load_dataset(DATASET, data_home=str(folder), pbar=sys.stderr.isatty())
    except DataError:
        raise
    except Exception as error:  # requests, zlib, json and matminer each have their own
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"{DATASET} could not be loaded ({type(error).__name__}: {reason})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
