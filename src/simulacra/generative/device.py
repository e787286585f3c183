"""Where a network runs: the name of a device, checked before any work."""

from __future__ import annotations

import torch

from ..errors import ConfigError

__all__ = ["require_device"]


def require_device(name: str) -> str:
    """Return the name of a device that this machine has; all processors are ``cpu``.

    Args:
        name: such as ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        ConfigError: if there is no such device here.

    Example:
        >>> require_device("cpu")
        'cpu'
    """
    here = _devices()
    try:
        wanted: torch.device | None = torch.device(name)
    except RuntimeError:  # no kind of device that torch knows
        wanted = None
    if wanted is not None and wanted.type == "cpu":
        return "cpu"
    if str(wanted) not in here:
        raise ConfigError(
            f"device: {name!r} is not on this machine, or torch was built without it; expected "
            f"one of {', '.join(here)}."
        )
    return str(wanted)


def _devices() -> list[str]:
    """Return the names of what can compute here, the processor first."""
    found = ["cpu"]
    for kind, module in (("cuda", torch.cuda), ("xpu", torch.xpu), ("mps", torch.mps)):
        count = module.device_count()
        found += [kind, *(f"{kind}:{i}" for i in range(count))] if count else []
    return found
