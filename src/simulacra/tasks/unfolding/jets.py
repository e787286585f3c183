"""Simulated collisions as pairs: six observables of the hardest jet, or lepton and jet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.clouds import Clouds
from ...data.event_files import EventFile, open_events
from ...data.events import Events
from ...data.kinematics import azimuth_difference
from ...data.pair_files import read_pairs, read_sample
from ...data.pairs import Pairs, Sample
from ...errors import FileFormatError
from ...simulate.jets import JetDefinition
from ...units import GeV
from .hardest import hardest, jet_cloud
from .lepton_jet import lepton_jet_pairs

__all__ = ["JET_OBSERVABLES", "jet_pairs", "open_measured", "open_pairs"]

FloatArray = NDArray[np.float64]

JET_OBSERVABLES = ("mass", "width", "multiplicity", "ln_rho", "tau21", "z_g")
"""Those of OmniFold's example, arXiv:1911.09107, table I; mass in MeV, the rest dimensionless."""

_LOWEST_LN_RHO = -14.0
_NEEDED = ("jets_truth", "jets_reco")
_LEPTON_AND_PROTON = {11, 2212}


def jet_pairs(
    events: Events, *, pt_min: float = 100 * GeV, matching: float = 0.4, particles: int = 0
) -> Pairs:
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
        particles: how many particles of the jet are kept on each side, the hardest first, see
            :func:`~simulacra.tasks.unfolding.hardest.jet_cloud`; 0 is none.

    Raises:
        FileFormatError: if there are no such tables.
        DependencyError: if particles are wanted and fastjet is not installed.
    """
    missing = [name for name in _NEEDED if name not in events.tables]
    if missing:
        raise FileFormatError(
            f"jets: expected the tables {' and '.join(_NEEDED)}, found "
            f"{', '.join(events.tables) or 'none'}; simulate with --set respond=true --set "
            "cluster=true."
        )
    (truth, has_truth), (reco, has_reco) = (hardest(events[name], pt_min) for name in _NEEDED)
    apart = np.hypot(truth["eta"] - reco["eta"], azimuth_difference(truth["phi"], reco["phi"]))
    one_jet = has_truth & has_reco & (apart < matching)
    torn = has_truth & has_reco & ~one_jet
    rows = np.concatenate([np.arange(len(events)), np.flatnonzero(torn)])
    before, after = _clouds(events, particles)
    return Pairs(
        _observables(truth)[rows],
        _observables(reco)[rows],
        JET_OBSERVABLES,
        weight=events.weights[rows],
        pass_truth=np.concatenate([has_truth, np.zeros(torn.sum(), bool)]),
        pass_reco=np.concatenate([has_reco & ~torn, np.ones(torn.sum(), bool)]),
        truth_particles=None if before is None else before[rows],
        reco_particles=None if after is None else after[rows],
    )


def open_pairs(path: Path | str, *, particles: int = 0) -> Pairs:
    """Read pairs from a file of columns, or from a file of simulated collisions.

    Of collisions of a lepton and a proton it is lepton and jet, see
    :func:`~simulacra.tasks.unfolding.lepton_jet.lepton_jet_pairs`, else the hardest jets; a
    thousand events are in memory at a time.

    Args:
        path: the file.
        particles: how many particles of the hardest jet are kept; 0 is none.

    Raises:
        FileFormatError: if the file is neither, has no jets on both sides of the detector, or
            has columns where particles are wanted.
        DependencyError: if fastjet is needed and not installed.
    """
    file = _collisions(Path(path))
    if file is not None:
        pairs_of = lepton_jet_pairs if _has_lepton_beam(file) else jet_pairs
        return Pairs.concatenate([pairs_of(part, particles=particles) for part in file.chunks()])
    if particles:
        raise FileFormatError(
            f"{path}: expected simulated collisions, which have particles, found a file of "
            "columns; leave out --particles, or give the particles in Python (Pairs)."
        )
    return read_pairs(path)


def open_measured(path: Path | str, *, particles: int = 0) -> Sample:
    """Read measured events likewise; the truth of pseudo-data is left aside."""
    if particles or _collisions(Path(path)) is not None:
        return open_pairs(path, particles=particles).reco_sample()
    return read_sample(path)


def _has_lepton_beam(file: EventFile) -> bool:
    source = file.provenance.get("simulation", {}).get("source", {})
    beams = {abs(beam) for beam in source.get("beams", ())}
    return beams == _LEPTON_AND_PROTON


def _collisions(path: Path) -> EventFile | None:
    """Open a file of simulated collisions; None if it is something else."""
    if path.suffix != ".parquet":
        return None
    try:
        return open_events(path)
    except FileFormatError:
        return None


def _clouds(events: Events, places: int) -> tuple[Clouds | None, Clouds | None]:
    """Cluster again as the file says, to know which particles are in the hardest jets."""
    if not places:
        return None, None
    missing = [name for name in ("truth", "reco") if name not in events.tables]
    if missing:
        raise FileFormatError(
            f"jets: expected the particles in tables truth and reco, found no "
            f"{' and '.join(missing)}."
        )
    said = events.provenance.get("simulation", {}).get("jets", {})
    definition = JetDefinition.from_dict(said)
    truth, reco = (jet_cloud(events[name], definition, places) for name in ("truth", "reco"))
    return truth, reco


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
