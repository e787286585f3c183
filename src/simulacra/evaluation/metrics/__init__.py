"""How two samples are compared: one number, its error, and the floor it stands on."""

from .binned import BinnedEvents
from .comparison import Comparison
from .distances import (
    Distances,
    distances,
    kolmogorov_smirnov,
    kolmogorov_smirnov_distance,
    wasserstein,
    wasserstein_distance,
)
from .incident import incident_energy_mismatch
from .separation import separation, separation_power

__all__ = [
    "BinnedEvents",
    "Comparison",
    "Distances",
    "distances",
    "incident_energy_mismatch",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_distance",
    "separation",
    "separation_power",
    "wasserstein",
    "wasserstein_distance",
]
