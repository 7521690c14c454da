"""What energies of a table are relative to: the method, the energies of the elements, and the hull."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crystalgfn.crystals.energies import BY_METHOD, UNIT, kind_of
from crystalgfn.crystals.tables.schema import bare_name, unit_of

VASP, CORRECTED, UNCORRECTED = "VASP", "MP2020 corrections", "no corrections"

UNSAID = "as given"
"""In the cells ``source`` of labels: the method of energies whose table does not say it."""

_DFT = (VASP.lower(), "dft", "pbe", "gga")
_ELEMENTS, _HULL = "elements: ", "hull: "
_RELAXED = re.compile(r".*; ([^;]+), hull ([^;]*)", re.DOTALL)
"""How the cells ``source`` of relaxed samples end (:mod:`.relaxed_samples`)."""


@dataclass(frozen=True)
class EnergyScale:
    """What energies are relative to; every part is empty where a table does not say it.

    Attributes:
        method: what computed them: a potential, or ``"VASP, MP2020 corrections"``.
        elements: whose energies of the elements formation energies are measured from.
        hull: name of the hull that energies above hull are measured from.
    """

    method: str = ""
    elements: str = ""
    hull: str = ""

    @classmethod
    def vasp(cls, *, corrected: bool, elements: str = "", hull: str = "") -> EnergyScale:
        """Return the scale of energies by VASP."""
        return cls(f"{VASP}, {CORRECTED if corrected else UNCORRECTED}", elements, hull)

    def __str__(self) -> str:
        """The text that :meth:`parse` reads, for the metadata of a column."""
        parts = (self.method, self.elements and _ELEMENTS + self.elements, self.hull and _HULL + self.hull)
        return "; ".join(filter(None, parts))

    @classmethod
    def parse(cls, text: str) -> EnergyScale:
        """Return the scale that metadata state."""
        parts = text.split("; ")
        found = {start: next((p.removeprefix(start) for p in parts if p.startswith(start)), "") for start in _STARTS}
        method = "; ".join(part for part in parts if not part.startswith(_STARTS))
        return cls(method, found[_ELEMENTS], found[_HULL])

    @classmethod
    def of_column(cls, column: str) -> EnergyScale:
        """Return what the name of a column says: ``"e_above_hull_chgnet [eV/atom]"`` is by CHGNet."""
        kind, name = kind_of(column), bare_name(column)
        if kind is None or unit_of(column) != UNIT:
            return cls()
        starts = [start for start in BY_METHOD[kind] if name.startswith(start) and not name.endswith("_per_atom")]
        return cls(name.removeprefix(starts[0])) if starts else cls()

    @classmethod
    def of_source(cls, source: str) -> EnergyScale:
        """Return what a cell ``source`` of VASP runs or of labels says; nothing where it is of another form."""
        for corrected, end in ((True, CORRECTED), (False, UNCORRECTED)):
            if source.startswith(f"{VASP} ") and source.endswith(f", {end}"):
                return cls.vasp(corrected=corrected)
        form = _RELAXED.fullmatch(source)
        return cls("" if form[1] == UNSAID else form[1], hull=form[2]) if form else cls()

    @property
    def is_uncorrected(self) -> bool:
        """Whether the energies are VASP's own, on no common scale."""
        return self.method == str(EnergyScale.vasp(corrected=False))

    @property
    def is_dft(self) -> bool:
        """Whether the energies are by density functional theory."""
        return self.method.lower().startswith(_DFT)


_STARTS = (_ELEMENTS, _HULL)
