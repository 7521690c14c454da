"""Files of tensors come back as they were written, and anything else is one clear error."""

import pytest
import torch

from crystalgfn.errors import CheckpointError, DataError
from crystalgfn.files.tensors import read_tensors, write_tensors

TENSORS = {"a": torch.arange(6).reshape(2, 3).T, "b": torch.tensor(1.5, dtype=torch.float64)}


def test_tensors_and_header_come_back(tmp_path):
    path = tmp_path / "some.safetensors"
    write_tensors(path, TENSORS, {"iteration": 3, "names": ["x"]})
    tensors, header = read_tensors(path)
    assert header == {"iteration": 3, "names": ["x"]}
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert [file.name for file in tmp_path.iterdir()] == ["some.safetensors"]


@pytest.mark.parametrize("keep", [0, 3, 20, -4])
def test_a_file_that_was_cut_is_an_error(tmp_path, keep):
    path = tmp_path / "some.safetensors"
    write_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="unreadable weights or checkpoint"):
        read_tensors(path)


def test_missing_files_and_folders_are_errors(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_tensors(tmp_path / "none.safetensors")
    with pytest.raises(DataError, match="no folder"):
        write_tensors(tmp_path / "none" / "some.safetensors", TENSORS, {})
