"""Six observables of the hardest jet, on both sides of the detector, from simulated collisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.event_files import EventFile, open_events
from ...data.events import Events, Ragged
from ...data.kinematics import azimuth_difference
from ...data.pair_files import read_pairs, read_sample
from ...data.pairs import Pairs, Sample
from ...errors import FileFormatError
from ...units import GeV

__all__ = ["JET_OBSERVABLES", "jet_pairs", "open_measured", "open_pairs"]

FloatArray = NDArray[np.float64]

JET_OBSERVABLES = ("mass", "width", "multiplicity", "ln_rho", "tau21", "z_g")
"""Those of OmniFold's example, arXiv:1911.09107, table I; mass in MeV, the rest dimensionless."""

_LOWEST_LN_RHO = -14.0
_NEEDED = ("jets_truth", "jets_reco")


def jet_pairs(events: Events, *, pt_min: float = 100 * GeV, matching: float = 0.4) -> Pairs:
    r"""Return the hardest jet of each event before and after the detector.

    ``mass``; ``width``, the N-subjettiness of one axis; ``multiplicity`` of constituents;
    ``ln_rho``, :math:`\ln m_g^2 / p_T^2` of the groomed jet, not below -14; ``tau21``, 0 for a jet
    of one particle; ``z_g``, the momentum sharing after grooming, 0 where nothing is left to
    share. An event whose hardest jets on both sides are not one jet becomes two rows, one missed
    and one fake.

    Args:
        events: with the tables ``jets_truth`` and ``jets_reco``, as from
            ``simulacra simulate znunujets --set respond=true --set cluster=true``.
        pt_min: smallest transverse momentum of a jet in MeV, on each side.
        matching: largest distance in pseudorapidity and azimuth of one jet on both sides.

    Raises:
        FileFormatError: if there are no such tables.
    """
    missing = [name for name in _NEEDED if name not in events.tables]
    if missing:
        raise FileFormatError(
            f"jets: expected the tables {' and '.join(_NEEDED)}, found "
            f"{', '.join(events.tables) or 'none'}; simulate with --set respond=true --set "
            "cluster=true."
        )
    (truth, has_truth), (reco, has_reco) = (_hardest(events[name], pt_min) for name in _NEEDED)
    apart = np.hypot(truth["eta"] - reco["eta"], azimuth_difference(truth["phi"], reco["phi"]))
    one_jet = has_truth & has_reco & (apart < matching)
    torn = has_truth & has_reco & ~one_jet
    values, seen = _observables(truth), _observables(reco)
    return Pairs(
        np.concatenate([values, values[torn]]),
        np.concatenate([seen, seen[torn]]),
        JET_OBSERVABLES,
        weight=np.concatenate([events.weights, events.weights[torn]]),
        pass_truth=np.concatenate([has_truth, np.zeros(torn.sum(), bool)]),
        pass_reco=np.concatenate([has_reco & ~torn, np.ones(torn.sum(), bool)]),
    )


def open_pairs(path: Path | str) -> Pairs:
    """Read pairs from a file of columns, or the hardest jets of a file of simulated collisions.

    Of collisions, a thousand events are in memory at a time.

    Raises:
        FileFormatError: if the file is neither, or has no jets on both sides of the detector.
    """
    file = _collisions(Path(path))
    if file is None:
        return read_pairs(path)
    return Pairs.concatenate([jet_pairs(part) for part in file.chunks()])


def open_measured(path: Path | str) -> Sample:
    """Read measured events likewise; the truth of pseudo-data is left aside."""
    if _collisions(Path(path)) is None:
        return read_sample(path)
    return open_pairs(path).reco_sample()


def _collisions(path: Path) -> EventFile | None:
    """Open a file of simulated collisions; None if it is something else."""
    if path.suffix != ".parquet":
        return None
    try:
        return open_events(path)
    except FileFormatError:
        return None


def _hardest(jets: Ragged, pt_min: float) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return the first jet of each event, zeros where there is none, and which events have one."""
    there = jets.counts > 0
    rows = np.minimum(jets.offsets[:-1], max(int(jets.offsets[-1]) - 1, 0))
    columns = {
        name: np.where(there, column[rows] if len(column) else 0.0, 0.0).astype(np.float64)
        for name, column in jets.columns.items()
    }
    return columns, there & (columns["pt"] > pt_min)


def _observables(jet: dict[str, NDArray[Any]]) -> FloatArray:
    filled = np.where(jet["pt"] > 0, jet["pt"], 1.0)
    rho = np.maximum((jet["mass_groomed"] / filled) ** 2, np.exp(_LOWEST_LN_RHO))
    tau_1 = np.where(jet["tau_1"] > 0, jet["tau_1"], 1.0)
    columns = (
        jet["mass"],
        jet["tau_1"],
        jet["constituents"],
        np.log(rho),
        jet["tau_2"] / tau_1,
        jet["z_groomed"],
    )
    return np.stack(columns, axis=1)
