"""How two samples are compared: one number, its error, and the floor it stands on."""

from .binned import BinnedEvents
from .incident import incident_energy_mismatch
from .separation import Separation, separation, separation_power

__all__ = [
    "BinnedEvents",
    "Separation",
    "incident_energy_mismatch",
    "separation",
    "separation_power",
]
