"""CIF texts for tests, written line by line so that each says what its test is about."""

from __future__ import annotations

from collections.abc import Sequence

SITE = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
FM3M = "_space_group_name_H-M_alt 'F m -3 m'"
ROCK_SALT = ("Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5")
ALL_ATOMS = (
    *(f"Na{i} Na {at}" for i, at in enumerate(("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0"))),
    *(f"Cl{i} Cl {at}" for i, at in enumerate((".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5"))),
)


def cif(
    cell: float | Sequence[object] = 5.64,
    sites: Sequence[str] = ROCK_SALT,
    *lines: str,
    operations: Sequence[str] = (),
    columns: Sequence[str] = SITE,
    name: str = "x",
) -> str:
    """Return a CIF with a cell (one length if it is cubic), sites, further lines and listed operations."""
    lengths = (cell, cell, cell, 90, 90, 90) if isinstance(cell, int | float) else cell
    keys = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    text = [f"data_{name}", *(f"_cell_{key} {value}" for key, value in zip(keys, lengths, strict=True)), *lines]
    if operations:
        text += ["loop_", "_space_group_symop_operation_xyz", *(f"'{operation}'" for operation in operations)]
    text += ["loop_", *(f"_atom_site_{column}" for column in columns), *sites]
    return "\n".join(text) + "\n"
