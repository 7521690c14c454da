"""Files of tensors: safetensors with a JSON header, written whole or not at all; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from crystalgfn.errors import CheckpointError
from crystalgfn.files.atomic import write_atomically


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header into one file, atomically.

    Raises:
        DataError: the disk is full, or the folder is missing.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain, metadata={"header": json.dumps(dict(header))})
    with write_atomically(path) as stream:
        stream.write(content)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header that :func:`write_tensors` wrote.

    Raises:
        CheckpointError: the file is missing, incomplete or of another kind.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("header", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:150]
        raise CheckpointError(f"{path}: unreadable weights or checkpoint ({reason})") from None
