"""The hardest jet of each event, and its particles as a set that networks read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.clouds import Clouds
from ...data.events import Ragged
from ...data.kinematics import azimuth, azimuth_difference, pseudorapidity, transverse_momentum
from ...simulate.jets import JetDefinition, find_constituents
from ...units import GeV

__all__ = ["PARTICLE_FEATURES", "hardest", "hardest_with_particles", "jet_cloud"]

Array = NDArray[Any]

PARTICLE_FEATURES = (
    "ln_share",
    "share",
    "delta_eta",
    "delta_phi",
    "distance",
    "spread",
    "charge",
    "light",
    "ln_jet_pt",
)
"""Of a particle in a jet, see :func:`jet_cloud`."""

_LIGHT = (11, 22)  # what an electromagnetic calorimeter stops


def hardest(jets: Ragged, pt_min: float) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """Return the first jet of each event, and which events have one above a threshold.

    Args:
        jets: the hardest first, ``pt`` in MeV.
        pt_min: threshold in MeV.

    Returns:
        Its columns, shape ``(events,)`` each, zeros where there is none; and a mask.
    """
    there = jets.counts > 0
    rows = np.minimum(jets.offsets[:-1], max(int(jets.offsets[-1]) - 1, 0))
    columns = {
        name: np.where(there, column[rows] if len(column) else 0.0, 0.0).astype(np.float64)
        for name, column in jets.columns.items()
    }
    return columns, there & (columns["pt"] > pt_min)


def hardest_with_particles(
    particles: Ragged, definition: JetDefinition, eta: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[Ragged, Ragged]:
    """Cluster particles; return the hardest jet of each event, and its particles.

    Args:
        particles: rows with momenta in MeV.
        definition: how they are clustered.
        eta: jets outside of these pseudorapidities are left out.

    Returns:
        Two tables of the given events, with one row or none, and with the jet's particles.

    Raises:
        DependencyError: if fastjet is not installed.
    """
    jets, inside = find_constituents(particles, definition.updated(inside=False))
    kept = (jets["eta"] > eta[0]) & (jets["eta"] < eta[1])
    jets, inside = jets.where(kept), inside.select(kept)
    there = np.flatnonzero(jets.counts)
    rows = jets.offsets[there]
    inside = inside.select(rows)
    event = np.repeat(there, inside.counts)
    columns = {name: column[rows] for name, column in jets.columns.items()}
    return (
        Ragged.grouped(there, len(particles), columns),
        Ragged.grouped(event, len(particles), inside.columns),
    )


def jet_cloud(particles: Ragged, definition: JetDefinition, places: int) -> Clouds:
    r"""Return the particles of the hardest jet of each event, by falling transverse momentum.

    Features of each: :math:`z = p_T / p_T^\text{jet}` and its logarithm; distance to the jet's axis
    in pseudorapidity, in azimuth (rad) and in both, :math:`\Delta R`; :math:`z \Delta R`, whose sum
    is the jet's width, which a network of few training steps does not find by itself; charge in
    units of e; 1 for an electron or photon and 0 for others; :math:`\ln p_T^\text{jet}` in GeV.

    Args:
        particles: all of each event, with ``pdg``, ``charge`` in e/3 and momenta in MeV.
        definition: how jets are found.
        places: particles that are kept of a jet, at most.

    Raises:
        DependencyError: if fastjet is not installed.
        RangeError: if there is no place.
    """
    jets, inside = hardest_with_particles(particles, definition)
    jet, _ = hardest(jets, 0.0)
    event, pt = inside.event, transverse_momentum(inside.columns)
    jet_pt = jet["pt"][event]
    share = pt / jet_pt
    eta = pseudorapidity(inside.columns) - jet["eta"][event]
    phi = azimuth_difference(azimuth(inside.columns), jet["phi"][event])
    distance = np.hypot(eta, phi)
    columns = {
        "ln_share": np.log(share),
        "share": share,
        "delta_eta": eta,
        "delta_phi": phi,
        "distance": distance,
        "spread": share * distance,
        "charge": inside["charge"] / 3.0,
        "light": np.isin(np.abs(inside["pdg"]), _LIGHT).astype(np.float64),
        "ln_jet_pt": np.log(jet_pt / GeV),
    }
    order = np.lexsort((-pt, event))
    table = Ragged(inside.offsets, {name: column[order] for name, column in columns.items()})
    return Clouds.of(table, PARTICLE_FEATURES, places)
