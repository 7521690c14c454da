"""Candidates as an atomate2 workflow (Ganose et al., Digital Discovery 4, 1944 (2025)), for jobflow to run.

from jobflow import run_locally

run_locally(relax_flow(structures.best(10)), create_folders=True)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from crystalgfn.errors import ConfigError, DataError

if TYPE_CHECKING:
    from jobflow import Flow, Maker

    from crystalgfn.structures.candidates.candidate import Candidate


def relax_flow(candidates: Iterable[Candidate], *, maker: Maker | None = None) -> Flow:
    """Return a flow of the candidates, each of which is relaxed with VASP, independent of the others.

    Args:
        candidates: candidates with structures; others are left out.
        maker: an atomate2 maker of a flow or job from a structure; by default the Materials Project's GGA
            workflow, which relaxes twice and ends with a static calculation.

    Returns:
        the flow; the metadata of its jobs have ``row`` and ``formula`` of their candidate.

    Raises:
        ConfigError: atomate2 is not installed.
        DataError: no candidate has a structure.
    """
    try:
        from atomate2.vasp.flows.mp import MPGGADoubleRelaxStaticMaker
        from jobflow import Flow
    except ImportError:
        raise ConfigError("atomate2 is not installed: pip install 'crystalgfn[atomate2]'") from None
    chosen: Any = maker or MPGGADoubleRelaxStaticMaker()
    parts = []
    for candidate in candidates:
        if candidate.structure is None:
            continue
        part = chosen.make(candidate.structure)
        part.append_name(f"{candidate.row.row:08d} {candidate.row.formula} ", prepend=True)
        part.update_metadata({"row": candidate.row.row, "formula": candidate.row.formula})
        parts.append(part)
    if not parts:
        raise DataError("no candidate has a structure, allowed: 1 or more")
    return Flow(parts, name="crystalgfn candidates")
