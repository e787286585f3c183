"""Calorimeters by name: functions that return a whole setup."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnknownNameError
from .beam import Beam
from .calorimeter import BuiltIn, Calorimeter, Cells, Grid, Slab, Stack
from .setup import Physics, Setup

__all__ = [
    "MEASURED",
    "PRESETS",
    "ams02_ecal",
    "calogan",
    "fe_hadron",
    "par04_scipb",
    "par04_siw",
    "pb_hadron",
    "pbwo4_lar",
    "pbwo4_lar_cylinder",
    "preset",
]


def pbwo4_lar() -> Setup:
    """45 layers of 4 mm PbWO4 and 4 mm liquid argon, photons, the challenge's 368 voxels.

    The stack of the embedded showers, with the fraction by which these are divided: active deposits
    over incident energy. Over all deposits, as ``measured`` means it, it is 0.1348.
    """
    return Setup(
        calorimeter=Calorimeter(
            name="pbwo4-lar",
            width=2000.0,
            stacks=(_period("G4_PbWO4", 4.0, "G4_lAr", 4.0, repeat=45),),
            readout=BuiltIn(
                geometry="calochallenge-1-photons",
                depths=(24.0, 72.0, 200.0, 40.0, 24.0),
                sampling_fraction=0.13303,
            ),
        )
    )


def pbwo4_lar_cylinder() -> Setup:
    """The same stack read in every material, electrons, 45 x 16 x 9 voxels of layers of 8 mm."""
    return Setup(
        calorimeter=Calorimeter(
            name="pbwo4-lar-cylinder",
            width=2000.0,
            stacks=(_period("G4_PbWO4", 4.0, "G4_lAr", 4.0, repeat=45),),
            readout=BuiltIn(geometry="calochallenge-2", depths=(8.0,), deposits="all"),
        ),
        beam=Beam(particles=("e-",), energy=(1000.0, 16000.0)),
    )


def par04_siw() -> Setup:
    """Geant4's example Par04: 90 layers of 1.4 mm tungsten and 0.3 mm silicon, electrons.

    Flat plates in the place of its barrel; the voxels of data sets 2 of the CaloChallenge lie
    around the particle's line of flight.
    """
    return Setup(
        calorimeter=Calorimeter(
            name="par04-siw",
            width=1000.0,
            stacks=(_period("G4_W", 1.4, "G4_Si", 0.3, repeat=90),),
            readout=BuiltIn(
                geometry="calochallenge-2",
                depths=(3.4,),
                sampling_fraction=MEASURED["par04-siw"],
                axis="particle",
            ),
        ),
        beam=Beam(particles=("e-",), energy=(1000.0, 1_000_000.0)),
    )


def par04_scipb() -> Setup:
    """Par04's other calorimeter: 45 layers of 4.4 mm lead and 1.2 mm scintillator, electrons."""
    return Setup(
        calorimeter=Calorimeter(
            name="par04-scipb",
            width=1000.0,
            stacks=(_period("G4_Pb", 4.4, "G4_POLYSTYRENE", 1.2, repeat=45),),
            readout=BuiltIn(
                geometry="calochallenge-2",
                depths=(5.6,),
                sampling_fraction=MEASURED["par04-scipb"],
                axis="particle",
            ),
        ),
        beam=Beam(particles=("e-",), energy=(1000.0, 1_000_000.0)),
    )


def calogan() -> Setup:
    """Three layers of lead and liquid argon, as in CaloGAN: photons, electrons, positrons.

    2 mm lead and 4 mm liquid argon, 480 mm wide and deep; layers of 15, 58 and 7 periods with cells
    of 160 x 5, 40 x 40 and 40 x 80 mm in (x, y). Source: M. Paganini, L. de Oliveira, B. Nachman,
    "CaloGAN", 2017, arXiv:1712.10321.
    """
    return Setup(
        calorimeter=Calorimeter(
            name="calogan",
            width=480.0,
            stacks=(_period("G4_Pb", 2.0, "G4_lAr", 4.0, repeat=80),),
            readout=Grid(
                layers=(
                    Cells(depth=90.0, n_x=3, n_y=96),
                    Cells(depth=348.0, n_x=12, n_y=12),
                    Cells(depth=42.0, n_x=12, n_y=6),
                ),
                width=480.0,
                sampling_fraction=MEASURED["calogan"],
                threshold=0.01,
            ),
        ),
        beam=Beam(
            particles=("gamma", "e-", "e+"),
            energy=(1000.0, 100_000.0),
            spectrum="uniform",
            x=(-20.0, 20.0),
            y=(-20.0, 20.0),
            theta=(0.0, 0.349),
        ),
    )


def fe_hadron() -> Setup:
    """70 layers of 20 mm iron and 5 mm scintillator, pions, the challenge's 533 voxels."""
    return _hadronic("fe-hadron", "G4_Fe", 20.0)


def pb_hadron() -> Setup:
    """70 layers of 20 mm lead and 5 mm scintillator, pions, the challenge's 533 voxels."""
    return _hadronic("pb-hadron", "G4_Pb", 20.0)


def ams02_ecal() -> Setup:
    """Lead and scintillator as in the electromagnetic calorimeter of AMS-02: 18 layers of 72 cells.

    Nine superlayers of 18.5 mm, of 11 periods each; lead foils, scintillating fibres and glue by
    their volumes 1 : 0.57 : 0.15 as flat slabs. Two layers of 9.25 mm read a superlayer; the cells
    are 9 mm wide and see x, y, x, y, ... by turns. Source: C. Adloff et al., "The AMS-02
    lead-scintillating fibres Electromagnetic Calorimeter", 2013, doi:10.1016/j.nima.2013.02.020.
    """
    period = 18.5 / 11
    share = {"G4_Pb": 1 / 1.72, "G4_POLYSTYRENE": 0.57 / 1.72, "G4_POLYETHYLENE": 0.15 / 1.72}
    slabs = tuple(
        Slab(material=name, thickness=period * part, active=name == "G4_POLYSTYRENE")
        for name, part in share.items()
    )
    along_x, along_y = Cells(depth=9.25, n_x=72), Cells(depth=9.25, n_y=72)
    return Setup(
        calorimeter=Calorimeter(
            name="ams02-ecal",
            width=648.0,
            stacks=(Stack(slabs=slabs, repeat=99),),
            readout=Grid(
                layers=(*(along_x, along_x, along_y, along_y) * 4, along_x, along_x),
                width=648.0,
                sampling_fraction=MEASURED["ams02-ecal"],
                threshold=1.0,
            ),
        ),
        beam=Beam(
            particles=("e-",),
            energy=(1000.0, 100_000.0),
            x=(-100.0, 100.0),
            y=(-100.0, 100.0),
            theta=(0.0, 0.349),
        ),
    )


MEASURED = {
    "par04-siw": 0.03178,
    "par04-scipb": 0.03327,
    "calogan": 0.18923,
    "fe-hadron": 0.03731,
    "pb-hadron": 0.02392,
    "ams02-ecal": 0.0711,
}
"""Sampling fractions as ``measured`` finds them with rendered tables; error about 0.3 %."""

PRESETS: dict[str, Callable[[], Setup]] = {
    "ams02-ecal": ams02_ecal,
    "calogan": calogan,
    "fe-hadron": fe_hadron,
    "par04-scipb": par04_scipb,
    "par04-siw": par04_siw,
    "pb-hadron": pb_hadron,
    "pbwo4-lar": pbwo4_lar,
    "pbwo4-lar-cylinder": pbwo4_lar_cylinder,
}
"""Every preset by its name on the command line."""


def preset(name: str) -> Setup:
    """Return a preset by name.

    Raises:
        UnknownNameError: if there is none of that name.

    Example:
        >>> preset("pbwo4-lar").calorimeter.depth
        360.0
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]()


def _period(absorber: str, thick: float, active: str, thin: float, *, repeat: int) -> Stack:
    return Stack(
        slabs=(
            Slab(material=absorber, thickness=thick),
            Slab(material=active, thickness=thin, active=True),
        ),
        repeat=repeat,
    )


def _hadronic(name: str, absorber: str, thickness: float) -> Setup:
    """Return a hadronic stack: its layers have 1, 4, 13, 2, 12, 25 and 13 periods."""
    period = thickness + 5.0
    return Setup(
        calorimeter=Calorimeter(
            name=name,
            width=4000.0,
            stacks=(_period(absorber, thickness, "G4_POLYSTYRENE", 5.0, repeat=70),),
            readout=BuiltIn(
                geometry="calochallenge-1-pions",
                depths=tuple(period * n for n in (1, 4, 13, 2, 12, 25, 13)),
                sampling_fraction=MEASURED[name],
            ),
        ),
        physics=Physics(hadronic="FTFP_BERT"),
        beam=Beam(particles=("pi+",), energy=(1000.0, 64000.0)),
    )
