"""The symmetry of atoms in a cell: ``search`` finds it with moyopy, ``standard`` makes it exact."""
