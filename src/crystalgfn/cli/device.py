"""The option ``--device``, the same for every verb."""

from __future__ import annotations

from crystalgfn.errors import ConfigError


def check_device(device: str) -> None:
    """Refuse a device that does not exist.

    Raises:
        ConfigError: the device is neither cpu nor cuda, or cuda without a usable GPU.
    """
    import torch

    if device not in ("cpu", "cuda"):
        raise ConfigError(f"--device: found {device!r}, allowed: cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device: found 'cuda', but this machine has no usable GPU; allowed here: cpu")
