"""Collisions by name: beams, hard process and cuts, as whole configurations for Pythia."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ..config import Config
from ..errors import UnknownNameError
from ..units import GeV, TeV

__all__ = ["PROCESSES", "Collisions", "ScaleVariation", "collisions", "scale_band"]

Positive = Annotated[float, Field(gt=0)]


class ScaleVariation(Config):
    r"""Event weights for another renormalisation scale of the parton shower.

    Args:
        name: the weight's column is ``weight_<name>``.
        final: factor on the scale :math:`\mu_R` of final-state radiation, dimensionless.
        initial: the same of initial-state radiation.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    final: Positive = 1.0
    initial: Positive = 1.0


class Collisions(Config):
    """What collides, how, and what of the event is simulated.

    Args:
        process: a name for provenance.
        settings: Pythia settings that switch the hard process on, ``key = value`` each.
        beams: particle numbers of the two beams.
        beam_energies: of the two beams in MeV.
        pt_hat_min: smallest transverse momentum of the hard process in MeV; 0 for none.
        pt_bias_power: if positive, events are drawn with probability times (pT hat)^power and
            weighted back, so that rare hard events are not rare in the file.
        multiparton_interactions: simulate the further interactions of the same two protons.
        hadronise: else the particles of the file are partons.
        hard: store the particles of the hard process, with their ancestry, as table ``hard``.
        vertices: store where each particle was made, in mm and mm/c.
        variations: event weights for other shower scales.
        vary_soft: let the weights of a variation follow soft branchings too (below twice the
            shower's cutoff, and changes of the coupling above 0.2). Then every observable closes
            with a run at the other scale, but weights spread: of e+e- events at the Z, a
            factor of 1.25 leaves an effective 60 and 24 %, a factor of 2 next to nothing. Without
            it (67 and 46 % at a factor of 2) only hard observables close.
        compensate: let the weights of a variation carry the next-order term that undoes part of
            a change of scale (S. Mrenna and P. Skands, "Automated parton-shower variations in
            Pythia 8", 2016, arXiv:1605.08352, section 2.2). Without it, which is the default,
            the weighted sample is that of a run at the other scale.
        extra: further Pythia settings, read last.
    """

    process: str
    settings: tuple[str, ...]
    beams: tuple[int, int] = (2212, 2212)
    beam_energies: tuple[Positive, Positive] = (6.5 * TeV, 6.5 * TeV)
    pt_hat_min: Annotated[float, Field(ge=0)] = 0.0
    pt_bias_power: Annotated[float, Field(ge=0)] = 0.0
    multiparton_interactions: bool = True
    hadronise: bool = True
    hard: bool = True
    vertices: bool = False
    variations: tuple[ScaleVariation, ...] = ()
    vary_soft: bool = False
    compensate: bool = False
    extra: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [variation.name for variation in self.variations]
        if len(set(names)) != len(names):
            raise ValueError("expected variations with different names")
        return self


def scale_band(factor: float = 2.0) -> tuple[ScaleVariation, ...]:
    """Return the usual band: both shower scales up and down by one factor.

    Args:
        factor: above 1, dimensionless.
    """
    return (
        ScaleVariation(name="scale_up", final=factor, initial=factor),
        ScaleVariation(name="scale_down", final=1 / factor, initial=1 / factor),
    )


_Z_TO_TAUS = ("WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 15")
_UNCORRELATED_TAUS = ("TauDecays:mode = 0",)
_W_PRIME = (
    "NewGaugeBoson:ffbar2Wprime = on",
    "34:m0 = 3500.",
    "34:mWidth = 35.",
    "34:doForceWidth = on",
    "9000001:all = X0 void 1 0 0 500. 5. 450. 550. 0.",
    "9000001:isResonance = on",
    "9000001:oneChannel = 1 1.0 101 2 -2",
    "9000002:all = Y+ Y- 1 3 0 100. 1. 80. 120. 0.",
    "9000002:isResonance = on",
    "9000002:oneChannel = 1 1.0 101 2 -1",
    "34:oneChannel = 1 1.0 101 9000001 9000002",
    "34:onMode = on",
)

_ALL = (
    Collisions(
        process="ee-hadrons",
        settings=(
            "WeakSingleBoson:ffbar2gmZ = on",
            "23:onMode = off",
            "23:onIfAny = 1 2 3 4 5",
            "PDF:lepton = off",
        ),
        beams=(11, -11),
        beam_energies=(45.594 * GeV, 45.594 * GeV),
    ),
    Collisions(process="dijets", settings=("HardQCD:all = on",), pt_hat_min=100 * GeV),
    Collisions(
        process="zjets",
        settings=(
            "WeakBosonAndParton:qqbar2gmZg = on",
            "WeakBosonAndParton:qg2gmZq = on",
            "PhaseSpace:mHatMin = 50.",
            "23:onMode = off",
            "23:onIfAny = 13",
        ),
        pt_hat_min=50 * GeV,
    ),
    Collisions(
        process="znunujets",
        settings=(
            "WeakBosonAndParton:qqbar2gmZg = on",
            "WeakBosonAndParton:qg2gmZq = on",
            "WeakZ0:gmZmode = 2",
            "23:onMode = off",
            "23:onIfAny = 12 14 16",
        ),
        pt_hat_min=200 * GeV,
    ),
    Collisions(process="ttbar", settings=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")),
    Collisions(process="wprime", settings=_W_PRIME),
    Collisions(
        process="dis",
        settings=(
            "WeakBosonExchange:ff2ff(t:gmZ) = on",
            "PhaseSpace:Q2Min = 150.",
            "SpaceShower:dipoleRecoil = on",
            "SpaceShower:pTmaxMatch = 2",
            "PDF:lepton = off",
            "TimeShower:QEDshowerByL = off",
        ),
        beams=(2212, 11),
        beam_energies=(920 * GeV, 27.6 * GeV),
    ),
    Collisions(
        process="htautau",
        settings=(
            "HiggsSM:gg2H = on",
            "HiggsSM:ff2Hff(t:ZZ) = on",
            "HiggsSM:ff2Hff(t:WW) = on",
            "25:onMode = off",
            "25:onIfMatch = 15 -15",
            *_UNCORRELATED_TAUS,
        ),
    ),
    Collisions(
        process="ztautau",
        settings=(*_Z_TO_TAUS, "PhaseSpace:mHatMin = 60.", *_UNCORRELATED_TAUS),
    ),
    Collisions(process="minimum-bias", settings=("SoftQCD:inelastic = on",)),
)

PROCESSES = {one.process: one for one in _ALL}
"""Collisions by name.

``ee-hadrons``: e+ e- to quarks at the Z, 91.188 GeV. The others are proton-proton at 13 TeV unless
said: ``dijets``; ``zjets`` with Z to muons; ``znunujets`` with Z to neutrinos, the signal of
Z + jets unfolding; ``ttbar``; ``wprime``, a 3.5 TeV W' to X (500 GeV) and Y (100 GeV), each to
quarks, as in the LHC Olympics 2020 (arXiv:2101.08320); ``dis``, neutral-current e p at 27.6 and
920 GeV with Q^2 above 150 GeV^2; ``htautau`` and ``ztautau``, where tau decays have no spin
correlations (``TauDecays:mode = 0``, which is 40 times faster); ``minimum-bias``.
"""


def collisions(process: str, **changes: object) -> Collisions:
    """Return a named process as a whole configuration, with some fields changed.

    Raises:
        UnknownNameError: if there is no process of this name.
        UnknownFieldError: if a change is not of a field.
        ConfigError: if a value does not fit its field.
    """
    if process not in PROCESSES:
        raise UnknownNameError("process", process, PROCESSES)
    return PROCESSES[process].updated(**changes)
