"""Everything that a simulation depends on besides its seed: calorimeter, physics, beam."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field

from ..config import Config
from ..errors import ConfigError
from .beam import HADRONS, Beam
from .calorimeter import Calorimeter

__all__ = ["Physics", "Setup"]


class Physics(Config):
    """Geant4's physics.

    Args:
        electromagnetic: Geant4's list; all but ``standard``, ``option1`` and ``option2`` need
            official tables.
        hadronic: Geant4's list, or ``none``; the lists that end in ``_HP`` need official tables.
        production_cut: range below which no secondary electrons and photons are made, in mm.
    """

    electromagnetic: Literal[
        "standard", "option1", "option2", "option3", "option4", "livermore", "penelope"
    ] = "standard"
    hadronic: Literal[
        "none",
        "FTFP_BERT",
        "FTFP_BERT_HP",
        "QGSP_BERT",
        "QGSP_BERT_HP",
        "QGSP_BIC",
        "QGSP_BIC_HP",
    ] = "none"
    production_cut: Annotated[float, Field(gt=0)] = 0.7


class Setup(Config):
    """A simulation without its size and seed.

    Args:
        calorimeter: material and voxels.
        physics: Geant4's physics lists and cuts.
        beam: what is shot at it.
    """

    calorimeter: Calorimeter
    physics: Physics = Physics()
    beam: Beam = Beam()

    @property
    def digest(self) -> str:
        """SHA-256 of all settings."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def refuse_nonsense(self) -> None:
        """Refuse what cannot be simulated, before anything is started.

        Raises:
            RangeError: if voxels miss the calorimeter, nothing is read, or a range is empty.
            UnknownNameError: if a geometry or a particle is not known.
            ConfigError: if hadrons meet no hadronic physics.
        """
        self.calorimeter.refuse_nonsense()
        self.beam.refuse_nonsense()
        hadrons = [name for name in self.beam.particles if name in HADRONS]
        if hadrons and self.physics.hadronic == "none":
            raise ConfigError(
                f"physics.hadronic: {hadrons[0]} needs hadronic physics, found 'none'; set for "
                "example physics.hadronic=FTFP_BERT."
            )
