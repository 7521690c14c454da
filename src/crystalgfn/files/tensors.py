"""Files of tensors: safetensors with a JSON header, written whole or not at all; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from crystalgfn.errors import CheckpointError, DataError
from crystalgfn.files.atomic import write_atomically
from crystalgfn.files.reading import check_file, parse_json

MOST_BYTES = 4 << 30
"""Largest size of a file of tensors."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header into one file, atomically.

    Raises:
        DataError: the disk is full, or the folder is missing.
    """
    content = serialised(tensors, header)
    with write_atomically(path) as stream:
        stream.write(content)


def serialised(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> bytes:
    """Return the content of the file that :func:`write_tensors` writes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, metadata={"header": json.dumps(dict(header))})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header that :func:`write_tensors` wrote.

    Raises:
        CheckpointError: the file is missing, incomplete or of another kind.
        TrustError: the file lies outside of the folder that names it.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    try:
        check_file(path, most=MOST_BYTES)
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("header", "{}")
            header: dict[str, Any] = parse_json(text, dict[str, Any], f"{path.name}, header")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except DataError as error:
        raise CheckpointError(f"{error}") from None
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:150]
        raise CheckpointError(f"{path}: unreadable weights or checkpoint ({reason})") from None
