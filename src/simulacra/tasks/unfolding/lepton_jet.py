r"""Lepton and jet in deep-inelastic scattering, on both sides of the detector.

The observables, phase space and kinematics of H1 collaboration, "Measurement of lepton-jet
correlation in deep-inelastic scattering with the H1 detector using machine learning for
unfolding", 2021, arXiv:2108.12376. The proton flies along +z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...data.clouds import Clouds
from ...data.events import Events, Ragged
from ...data.kinematics import (
    azimuth,
    azimuth_difference,
    energy,
    pseudorapidity,
    transverse_momentum,
)
from ...data.pairs import Pairs
from ...errors import FileFormatError
from ...simulate.jets import JetDefinition
from ...units import GeV
from .hardest import hardest, hardest_with_particles

__all__ = [
    "LEPTON_JET_FEATURES",
    "LEPTON_JET_OBSERVABLES",
    "LeptonJetSelection",
    "lepton_jet_observables",
    "lepton_jet_pairs",
    "sigma_kinematics",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Momenta = Mapping[str, Array]

LEPTON_JET_OBSERVABLES = ("jet_pt", "jet_eta", "qt_over_q", "delta_phi")
"""Transverse momentum (MeV) and pseudorapidity of the jet, q_T / Q, and delta phi (rad)."""

LEPTON_JET_FEATURES = ("ln_pt", "eta", "phi", "along", "across", "charge", "lepton")
"""Of a particle, see :func:`lepton_jet_pairs`."""

_ELECTRON = 11
_NEEDED = ("truth", "reco")


class LeptonJetSelection(Config):
    """Which events are measured; by default those of the measurement.

    Args:
        y: range of the inelasticity.
        q2_min: smallest squared momentum transfer in MeV^2.
        particle_eta: pseudorapidities of the particles that are clustered.
        radius: R of the kT jets, in the laboratory frame.
        jet_pt_min: smallest transverse momentum of the hardest jet in MeV.
        jet_eta: range of its pseudorapidity.
    """

    y: tuple[float, float] = (0.2, 0.7)
    q2_min: Annotated[float, Field(ge=0)] = 150 * GeV**2
    particle_eta: tuple[float, float] = (-1.5, 2.75)
    radius: Annotated[float, Field(gt=0)] = 1.0
    jet_pt_min: Annotated[float, Field(gt=0)] = 10 * GeV
    jet_eta: tuple[float, float] = (-1.0, 2.5)


def lepton_jet_pairs(
    events: Events, *, selection: LeptonJetSelection | None = None, particles: int = 0
) -> Pairs:
    r"""Return :data:`LEPTON_JET_OBSERVABLES` of each event before and after the detector.

    The scattered lepton is the electron or positron of the largest transverse momentum; all other
    particles in range are clustered, and the jet is the hardest one. An event is in the selection
    of a side if it has both there, and its kinematics are in range there. H1 asks more of the
    detector's side (trigger, vertex, :math:`\sum E - p_z`), which this does not.

    With ``particles``, both sides carry the lepton, then the jet's particles by falling
    transverse momentum, each as :math:`\ln p_T` in GeV, pseudorapidity, azimuth from the direction
    opposite to the lepton (rad), transverse momentum along that direction and across it in GeV,
    charge in e, and 1 for the lepton.

    Args:
        events: with the tables ``truth`` and ``reco``, as from ``simulacra simulate dis
            --set respond=true``.
        selection: phase space, the same on both sides.
        particles: how many particles are kept, the lepton among them; 0 is none.

    Raises:
        FileFormatError: if there are no such tables.
        DependencyError: if fastjet is not installed.
    """
    missing = [name for name in _NEEDED if name not in events.tables]
    if missing:
        raise FileFormatError(
            f"lepton and jet: expected the tables {' and '.join(_NEEDED)}, found "
            f"{', '.join(events.tables) or 'none'}; simulate with --set respond=true."
        )
    selection = selection or LeptonJetSelection()
    truth, reco = (_side(events[name], selection, particles) for name in _NEEDED)
    return Pairs(
        truth.values,
        reco.values,
        LEPTON_JET_OBSERVABLES,
        weight=events.weights,
        pass_truth=truth.passes,
        pass_reco=reco.passes,
        truth_particles=truth.cloud,
        reco_particles=reco.cloud,
    )


def lepton_jet_observables(lepton: Momenta, jet: Momenta, q: Array) -> FloatArray:
    r"""Return :data:`LEPTON_JET_OBSERVABLES`, shape ``(events, 4)``.

    .. math:: \frac{q_T}{Q} = \frac{|\vec p_T^{\,e} + \vec p_T^{\,jet}|}{Q}, \qquad
        \Delta\phi = |\pi - (\phi^e - \phi^{jet})|

    both 0 if lepton and jet balance each other; :math:`\Delta\phi` lies in :math:`[0, \pi]`.

    Args:
        lepton: ``px``, ``py``, ``pz`` in MeV, shape ``(events,)`` each.
        jet: the same of the jet.
        q: momentum transfer Q in MeV, shape ``(events,)``.
    """
    balance = np.hypot(*(np.asarray(lepton[k], np.float64) + jet[k] for k in ("px", "py")))
    acoplanarity = np.abs(azimuth_difference(azimuth(lepton), azimuth(jet) + np.pi))
    columns = (transverse_momentum(jet), pseudorapidity(jet), balance / q, acoplanarity)
    return np.stack(columns, axis=1)


def sigma_kinematics(lepton: Momenta, hadrons: Array) -> tuple[FloatArray, FloatArray]:
    r"""Return inelasticity y and :math:`Q^2` in MeV^2 by the Sigma method.

    .. math:: y = \frac{\Sigma}{\Sigma + E'(1 - \cos\theta)}, \qquad
        Q^2 = \frac{E'^2 \sin^2\theta}{1 - y}, \qquad \Sigma = \sum_\text{hadrons} E - p_z

    which does not need the energy of the beam, so radiation off the incoming lepton does not
    shift it. U. Bassler and G. Bernardi, "On the kinematic reconstruction of deep inelastic
    scattering at HERA", 1994, arXiv:hep-ex/9412004.

    Args:
        lepton: scattered lepton, ``px``, ``py``, ``pz``, ``mass`` in MeV, ``(events,)`` each.
        hadrons: Sigma in MeV, shape ``(events,)``.
    """
    forward = energy(lepton) - lepton["pz"]
    return hadrons / (hadrons + forward), transverse_momentum(lepton) ** 2 * (1 + hadrons / forward)


class _Side(NamedTuple):
    """One side of the detector."""

    values: FloatArray
    passes: NDArray[np.bool_]
    cloud: Clouds | None


def _side(particles: Ragged, selection: LeptonJetSelection, places: int) -> _Side:
    row = _lepton_rows(particles)
    scattered = row[row >= 0]
    rest = np.ones(len(particles.event), bool)
    rest[scattered] = False
    hadrons = particles.where(rest)
    eta = pseudorapidity(hadrons.columns)
    low, high = selection.particle_eta
    jets, inside = hardest_with_particles(
        hadrons.where((eta > low) & (eta < high)),
        JetDefinition(
            algorithm="kt",
            radius=selection.radius,
            pt_min=selection.jet_pt_min,
            eta_max=max(map(abs, selection.jet_eta)),
        ),
        selection.jet_eta,
    )
    jet, has_jet = hardest(jets, selection.jet_pt_min)
    whole = (row >= 0) & has_jet
    sigma = np.bincount(
        hadrons.event,
        weights=energy(hadrons.columns) - hadrons["pz"],
        minlength=len(particles),
    )
    values, passes = np.zeros((len(particles), 4)), np.zeros(len(particles), bool)
    electron = {name: column[row[whole]] for name, column in particles.columns.items()}
    y, q2 = sigma_kinematics(electron, sigma[whole])
    passes[whole] = (y > selection.y[0]) & (y < selection.y[1]) & (q2 > selection.q2_min)
    balanced = {name: column[whole] for name, column in jet.items()}
    values[whole] = lepton_jet_observables(electron, balanced, np.sqrt(q2))
    if not places:
        return _Side(values, passes, None)
    return _Side(values, passes, _cloud(particles.where(~rest), inside, places))


def _lepton_rows(particles: Ragged) -> NDArray[np.int64]:
    """Return the row of each event's scattered lepton, -1 where there is none."""
    rows = np.flatnonzero(np.abs(particles["pdg"]) == _ELECTRON)
    pt = transverse_momentum(particles.columns)[rows]
    order = rows[np.lexsort((-pt, particles.event[rows]))]
    event, first = np.unique(particles.event[order], return_index=True)
    found = np.full(len(particles), -1, np.int64)
    found[event] = order[first]
    return found


def _cloud(leptons: Ragged, inside: Ragged, places: int) -> Clouds:
    """Put the scattered lepton and the jet's particles into one set per event."""
    phi = np.zeros(len(leptons))
    phi[leptons.event] = azimuth(leptons.columns)
    event = np.concatenate([leptons.event, inside.event])
    both = {
        name: np.concatenate([leptons[name], inside[name]]) for name in ("px", "py", "pz", "charge")
    }
    is_lepton = np.arange(len(event)) < len(leptons.event)
    pt = transverse_momentum(both)
    turned = azimuth_difference(azimuth(both), phi[event] + np.pi)
    columns = {
        "ln_pt": np.log(pt / GeV),
        "eta": pseudorapidity(both),
        "phi": turned,
        "along": pt / GeV * np.cos(turned),
        "across": pt / GeV * np.sin(turned),
        "charge": both["charge"] / 3.0,
        "lepton": is_lepton.astype(np.float64),
    }
    order = np.lexsort((-pt, ~is_lepton, event))
    table = Ragged.grouped(
        event[order], len(leptons), {name: column[order] for name, column in columns.items()}
    )
    return Clouds.of(table, LEPTON_JET_FEATURES, places)
