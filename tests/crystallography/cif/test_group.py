"""Operations of a block: those that are listed, those that a name means, and no others."""

import numpy as np
import pytest

from cif_text import FM3M, cif
from crystalgfn.crystallography.cif.blocks import parse
from crystalgfn.crystallography.cif.group import read_group
from crystalgfn.errors import DataError

CUBIC = 5.64 * np.eye(3)
HEXAGONAL = np.array([[4.0, 0, 0], [-2.0, 2 * 3**0.5, 0], [0, 0, 10.0]])


def group(*lines, operations=(), cell=CUBIC):
    return read_group(parse(cif(5.64, ["A Na 0 0 0"], *lines, operations=operations))[0], cell)


def test_listed_operations():
    found = group(operations=["x,y,z", "-X, -Y, -Z", "x,y,z", "1/2+x, y+.5, z", ".5-x,-y+1/2,-z"])
    assert (len(found.candidates), found.listed, found.declared) == (1, True, None)
    with pytest.raises(DataError, match="no group"):
        group(operations=["x,y,z", "-x,-y,-z", "-x+1/2,y,z+.25", "y,x,z"])


def test_the_longer_of_two_lists_counts():
    text = cif(5.64, ["A Na 0 0 0"], "_symmetry_equiv_pos_as_xyz 'x,y,z'", operations=["x,y,z", "-x,-y,-z"])
    assert read_group(parse(text)[0], 5.64 * np.eye(3)).candidates[0].number == 2


def test_decimals_of_translations_are_fractions():
    found = group(operations=["x,y,z", "-y,x-y,z+0.333", "y-x,-x,z+0.667"], cell=HEXAGONAL)
    assert found.candidates[0].number == 144
    np.testing.assert_allclose(found.candidates[0].translations[:, 2], [0, 1 / 3, 2 / 3])


@pytest.mark.parametrize(
    "text", ["x,y", "x,y,q", "x,y,", "x,y,z,z", "x,x,z", "x y,y,z", "x,y,z+1/0", "2*x,y,z", "hello"]
)
def test_what_is_no_operation(text):
    with pytest.raises(DataError, match="symmetry operation"):
        group(operations=["x,y,z", text])


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ((), [1]),
        ((FM3M,), [225]),
        (("_symmetry_Int_Tables_number 225",), [225]),
        (("_space_group_name_Hall '-F 4 2 3'",), [225]),
        (("_symmetry_space_group_name_H-M 'F d -3 m'",), [227, 227]),
        (("_symmetry_space_group_name_H-M 'F d -3 m'", "_symmetry_space_group_name_Hall '-F 4vw 2vw 3'"), [227]),
        (("_symmetry_space_group_name_H-M 'P 21/c'",), [14]),
        (("_space_group.IT_number 227",), [227, 227]),
        (("_symmetry_space_group_name_H-M ?", "_symmetry_Int_Tables_number ."), [1]),
    ],
)
def test_groups_without_a_list(lines, numbers):
    found = group(*lines)
    assert [operations.number for operations in found.candidates] == numbers


@pytest.mark.parametrize(
    ("lines", "operations", "reason"),
    [
        ((FM3M, "_symmetry_Int_Tables_number 221"), (), "contradict each other: F m -3 m is 225, the number is 221"),
        ((FM3M, "_space_group_name_Hall '-P 4 2 3'"), (), "contradict each other"),
        (
            ("_space_group_name_H-M_alt 'P 1 21/n 1'", "_space_group_name_Hall '-P 2ybc'"),
            (),
            "settings that contradict each other: -P 2ybc and P 1 21/n 1",
        ),
        (("_space_group_IT_number 231",), (), "number 231, allowed: 1 to 230"),
        (("_space_group_name_H-M_alt 'Q m m'",), (), "unknown space group 'Q m m' and no list"),
        (
            ("_space_group_name_H-M_alt 'Q m m'",),
            ("x,y,z",),
            "unknown space group 'Q m m' with the operation x,y,z alone",
        ),
        (("_space_group_name_H-M_alt 'P 63 m c'",), (), "the cell does not have the symmetry of P 6_3 m c"),
        (("_space_group_name_H-M_alt 'R -3 m :H'",), (), "the cell does not have the symmetry of R -3 2/m :H"),
        ((), ("x,y,z", "-y,x-y,z", "y-x,-x,z"), "the cell does not have the symmetry of the 3 operations"),
        (("_space_group_symop_magn_operation.xyz 'x,y,z,+1'",), (), "a magnetic CIF"),
        (("_space_group_symop_ssg_operation_algebraic 'x1,x2,x3,x4'",), (), "a modulated structure"),
    ],
)
def test_groups_that_are_refused(lines, operations, reason):
    with pytest.raises(DataError, match=reason):
        group(*lines, operations=operations)


def test_axes_of_a_rhombohedral_group_follow_the_cell():
    text = parse(cif(5.64, ["A Na 0 0 0"], "_space_group_name_H-M_alt 'R -3 m'"))[0]
    assert [len(o.rotations) for o in read_group(text, HEXAGONAL).candidates] == [36]
    assert [len(o.rotations) for o in read_group(text, 5.0 * np.eye(3)).candidates] == [12]
