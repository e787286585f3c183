r"""Jets by FastJet, and what is inside them: soft drop, N-subjettiness, energy correlators.

M. Cacciari, G. Salam, G. Soyez, "FastJet user manual", 2011, arXiv:1111.6097.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..config import Config
from ..data.events import Ragged
from ..data.kinematics import azimuth, energy, pseudorapidity, transverse_momentum
from ..errors import DependencyError
from ..units import GeV

__all__ = [
    "JetDefinition",
    "energy_correlators",
    "find_constituents",
    "find_jets",
    "n_subjettiness",
    "soft_drop",
    "substructure",
]

Array = NDArray[Any]
Positive = Annotated[float, Field(gt=0)]

_NEUTRINOS = (12, 14, 16)
_WHOLE = 100.0  # a radius in which every jet is one


class JetDefinition(Config):
    """How particles become jets, and what is measured inside.

    Args:
        algorithm: ``antikt``, ``kt`` or ``cambridge`` (Cambridge/Aachen).
        radius: R, dimensionless.
        pt_min: smallest transverse momentum of a jet in MeV.
        eta_max: largest absolute pseudorapidity of a jet.
        inside: measure substructure.
        soft_drop_beta: exponent of the soft-drop condition; 0 is the modified mass drop.
        soft_drop_z: its threshold on the momentum fraction.
        axes: how many axes N-subjettiness goes up to.
        beta: power of the angle in N-subjettiness and energy correlators.
    """

    algorithm: Literal["antikt", "kt", "cambridge"] = "antikt"
    radius: Positive = 0.4
    pt_min: Positive = 20 * GeV
    eta_max: Positive = 5.0
    inside: bool = True
    soft_drop_beta: float = 0.0
    soft_drop_z: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    axes: Annotated[int, Field(ge=1, le=6)] = 3
    beta: Positive = 1.0


def find_jets(particles: Ragged, definition: JetDefinition) -> Ragged:
    """Cluster the particles of each event into jets, the hardest first.

    Neutrinos (by ``pdg``, where there is such a column) are left out.

    Args:
        particles: rows with ``px``, ``py``, ``pz``, ``mass`` in MeV.
        definition: how.

    Returns:
        Jets with ``px``, ``py``, ``pz``, ``mass``, ``pt`` in MeV, ``eta``, ``phi`` in rad,
        ``constituents`` (a number) and, with ``inside``, the columns of :func:`substructure`.

    Raises:
        DependencyError: if fastjet is not installed.
    """
    return find_constituents(particles, definition)[0]


def find_constituents(particles: Ragged, definition: JetDefinition) -> tuple[Ragged, Ragged]:
    """Return the jets of :func:`find_jets`, and the particles of each jet.

    Returns:
        The jets; and a table with one "event" per jet, in the order of the jets' rows, whose
        rows are its particles with all their columns.

    Raises:
        DependencyError: if fastjet is not installed.
    """
    seen = particles
    if "pdg" in particles.columns:
        seen = particles.where(~np.isin(np.abs(particles["pdg"]), _NEUTRINOS))
    event, inside = _clustered(seen, definition)
    jets = _sums(inside)
    kept = np.abs(jets["eta"]) < definition.eta_max
    order = np.lexsort((-jets["pt"], event))
    order = order[kept[order]]
    inside = inside.select(order)
    columns = {name: column[order] for name, column in jets.items()}
    columns["constituents"] = inside.counts.astype(np.int32)
    if definition.inside:
        columns |= substructure(inside, definition)
    columns = {
        name: column if column.dtype == np.int32 else column.astype(np.float32)
        for name, column in columns.items()
    }
    return Ragged.grouped(event[order], len(particles), columns), inside


def _clustered(particles: Ragged, definition: JetDefinition) -> tuple[Array, Ragged]:
    """Return the event of each jet, and the particles of each jet."""
    import awkward as ak

    fastjet = _module()
    algorithm = getattr(fastjet, f"{definition.algorithm}_algorithm")
    rule = fastjet.JetDefinition(algorithm, definition.radius)
    sequence = fastjet.ClusterSequence(_four_momenta(particles), rule)
    index = sequence.constituent_index(definition.pt_min)
    event = np.repeat(np.arange(len(particles)), ak.to_numpy(ak.num(index, axis=1)))
    members = ak.flatten(index, axis=1)
    counts = ak.to_numpy(ak.num(members, axis=1))
    rows = ak.to_numpy(ak.flatten(members)) + np.repeat(particles.offsets[event], counts)
    owner = np.repeat(np.arange(len(event)), counts)
    rows = rows[np.lexsort((rows, owner))]  # FastJet's own order is that of its tree
    columns = {name: column[rows] for name, column in particles.columns.items()}
    return event, Ragged.grouped(owner, len(event), columns)


def _sums(inside: Ragged) -> dict[str, Array]:
    """Add up the four-momenta of each jet."""
    owner, jets = inside.event, len(inside)
    total = {
        name: np.bincount(owner, weights=inside[name], minlength=jets)
        for name in ("px", "py", "pz")
    }
    e = np.bincount(owner, weights=energy(inside.columns), minlength=jets)
    squared = e**2 - sum(component**2 for component in total.values())
    momenta = {**total, "mass": np.sqrt(np.maximum(squared, 0.0))}
    along = {
        "pt": transverse_momentum(momenta),
        "eta": pseudorapidity(momenta),
        "phi": azimuth(momenta),
    }
    return {**momenta, **along}


def substructure(inside: Ragged, definition: JetDefinition) -> dict[str, Array]:
    r"""Measure jets from their particles.

    Args:
        inside: one "event" per jet, as from :func:`find_constituents`.
        definition: angular powers and thresholds.

    Returns:
        By name, shape ``(jets,)`` each: the columns of :func:`soft_drop`; ``tau_1`` and so on by
        :func:`n_subjettiness`; ``e_2`` and ``e_3`` by :func:`energy_correlators` with
        :math:`D_2 = e_3 / e_2^3` and :math:`C_2 = e_3 / e_2^2`, 0 where :math:`e_2` is 0.
        A. Larkoski, I. Moult, D. Neill, "Power counting to better jet observables", 2014,
        arXiv:1409.6298, equation 1.2.
    """
    found = soft_drop(inside, definition)
    for axes, tau in enumerate(n_subjettiness(inside, definition).T, start=1):
        found[f"tau_{axes}"] = tau
    second, third = energy_correlators(inside, definition).T
    found |= {"e_2": second, "e_3": third}
    filled = np.where(second > 0, second, 1.0)
    return {**found, "d_2": third / filled**3, "c_2": third / filled**2}


def soft_drop(inside: Ragged, definition: JetDefinition) -> dict[str, Array]:
    r"""Remove soft wide-angle radiation until a branching is hard.

    The jet is reclustered with Cambridge/Aachen and undone from its last step until
    :math:`\min(p_{T1}, p_{T2}) / (p_{T1} + p_{T2}) > z_\mathrm{cut} (\Delta R_{12}/R)^\beta`.
    A. Larkoski et al., "Soft drop", 2014, arXiv:1402.2657, equation 1.1.

    Args:
        inside: one "event" per jet.
        definition: R, beta and the threshold.

    Returns:
        ``mass_groomed`` in MeV, ``z_groomed`` and ``r_groomed`` of the branching that stopped it;
        the latter two are 0 for a jet that fell to one particle. Shape ``(jets,)`` each.
    """
    names = {
        "mass_groomed": "msoftdrop",
        "z_groomed": "symmetrysoftdrop",
        "r_groomed": "deltaRsoftdrop",
    }
    if not len(inside):
        return {name: np.zeros(0) for name in names}
    groomed = _tree(inside).exclusive_jets_softdrop_grooming(
        njets=1,
        beta=definition.soft_drop_beta,
        symmetry_cut=definition.soft_drop_z,
        R0=definition.radius,
    )
    columns = {name: np.asarray(groomed[key], np.float64) for name, key in names.items()}
    return {name: np.maximum(column, 0.0) for name, column in columns.items()}  # -1: one particle


def n_subjettiness(inside: Ragged, definition: JetDefinition) -> Array:
    r"""Measure how well a jet is described by N axes.

    .. math:: \tau_N = \frac{\sum_i p_{Ti} \min_k \Delta R_{ik}^\beta}{\sum_i p_{Ti} R^\beta}

    with the axes of exclusive kT clustering with winner-take-all recombination. J. Thaler, K. Van
    Tilburg, "Identifying boosted objects with N-subjettiness", 2010, arXiv:1011.2268, equation 2.1.

    Args:
        inside: one "event" per jet.
        definition: R, beta and the largest number of axes.

    Returns:
        Dimensionless, shape ``(jets, axes)``; 0 where a jet has no more particles than axes.
    """
    if not len(inside):
        return np.zeros((0, definition.axes))
    taus = _tree(inside).njettiness(
        axes_definition="WTA_KT_Axes",
        njets=list(range(1, definition.axes + 1)),
        beta=definition.beta,
        R0=definition.radius,
    )
    return np.asarray(taus, np.float64).reshape(len(inside), definition.axes)


def energy_correlators(inside: Ragged, definition: JetDefinition) -> Array:
    r"""Measure the normalised energy correlators of two and three particles.

    .. math::

        e_2 = \sum_{i<j} z_i z_j \Delta R_{ij}^\beta, \qquad
        e_3 = \sum_{i<j<k} z_i z_j z_k (\Delta R_{ij} \Delta R_{jk} \Delta R_{ki})^\beta,

    where :math:`z_i` is the particle's part of the scalar sum of transverse momenta. A. Larkoski,
    G. Salam, J. Thaler, "Energy correlation functions for jet substructure", 2013,
    arXiv:1305.0007, equation 2.1.

    Args:
        inside: one "event" per jet.
        definition: beta.

    Returns:
        Dimensionless, shape ``(jets, 2)``.
    """
    if not len(inside):
        return np.zeros((0, 2))
    tree = _tree(inside)
    return np.stack(
        [
            np.asarray(
                tree.exclusive_jets_energy_correlator(
                    njets=1, beta=definition.beta, npoint=n, func="generalized"
                )
            )
            for n in (2, 3)
        ],
        axis=1,
    )


def _tree(inside: Ragged) -> Any:
    """Recluster each jet whole with Cambridge/Aachen."""
    fastjet = _module()
    whole = fastjet.JetDefinition(fastjet.cambridge_algorithm, _WHOLE)
    return fastjet.ClusterSequence(_four_momenta(inside), whole)


def _four_momenta(particles: Ragged) -> Any:
    import awkward as ak

    columns = {name: np.asarray(particles[name], np.float64) for name in ("px", "py", "pz")}
    columns["E"] = energy(particles.columns)
    records = ak.zip(columns, with_name="Momentum4D")
    return ak.unflatten(records, particles.counts)


def _module() -> Any:
    try:
        import awkward  # noqa: F401 (fastjet's arrays)
        import fastjet
    except ImportError:
        raise DependencyError(
            "jets need FastJet, which is not installed; pip install 'simulacra[pythia]'."
        ) from None
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    return fastjet
