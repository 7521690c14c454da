"""Any ASE calculator, named as ``"module:factory"``."""

from __future__ import annotations

from crystalgfn.errors import PropertyError, TrustError
from crystalgfn.files.trust import import_named
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.references import References


def ase_potential(name: str, references: References | None = None) -> CalculatorPotential:
    """Return the potential of the ASE calculator that a function of a module returns.

    Args:
        name: ``"module:factory"``.
        references: elemental references; without them there are no formation energies.

    Raises:
        PropertyError: module or factory do not exist, or the factory fails or returns something else.
        TrustError: a folder that is not trusted names the module.
    """
    try:
        with quiet():
            calculator = import_named(name)()
    except TrustError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise PropertyError(f"potential {name!r} cannot be loaded ({type(error).__name__}: {reason})") from error
    if not hasattr(calculator, "get_potential_energy"):
        raise PropertyError(
            f"potential {name!r} gave {type(calculator).__name__}, allowed: an ASE calculator (get_potential_energy)"
        )
    return CalculatorPotential(name, calculator, references)
