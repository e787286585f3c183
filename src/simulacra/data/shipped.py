"""The showers that come with the package: the default of demo, documentation and tests."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnknownNameError

__all__ = ["embedded"]

_FOLDER = Path(__file__).parent / "embedded"
_NAMES = ("photons-test", "photons-train")


def embedded(name: str) -> Path:
    """Return the path of a file of showers that ships with the package.

    ``photons-train`` (12,800 showers) and ``photons-test`` (3,200) are photons of 1 to 64 GeV
    from a full simulation, in the voxels of ``calochallenge-1-photons``; they share no shower.
    CC BY 4.0; see ``data/embedded/README.md``.

    Raises:
        UnknownNameError: if there is none of that name.

    Example:
        >>> embedded("photons-test").name
        'photons-test.hdf5'
    """
    if name not in _NAMES:
        raise UnknownNameError("embedded file", name, _NAMES)
    return _FOLDER / f"{name}.hdf5"
