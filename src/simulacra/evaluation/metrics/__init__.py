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
from .kernel_distance import KernelPhysicsDistance, KernelSettings, kernel_physics_distance
from .manifold import ManifoldScores, ManifoldSettings, manifold_scores
from .memorisation import Memorisation, MemorisationSettings, memorisation
from .neighbours import Nearest
from .physics_distance import FrechetPhysicsDistance, FrechetSettings, frechet_physics_distance
from .rows import FeatureRows
from .separation import separation, separation_power
from .shower_rows import (
    drawn_rows,
    manifold_inputs,
    manifold_rows,
    memorisation_inputs,
    memorisation_rows,
)

__all__ = [
    "BinnedEvents",
    "Comparison",
    "Distances",
    "FeatureRows",
    "FrechetPhysicsDistance",
    "FrechetSettings",
    "KernelPhysicsDistance",
    "KernelSettings",
    "ManifoldScores",
    "ManifoldSettings",
    "Memorisation",
    "MemorisationSettings",
    "Nearest",
    "distances",
    "drawn_rows",
    "frechet_physics_distance",
    "incident_energy_mismatch",
    "kernel_physics_distance",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_distance",
    "manifold_inputs",
    "manifold_rows",
    "manifold_scores",
    "memorisation",
    "memorisation_inputs",
    "memorisation_rows",
    "separation",
    "separation_power",
    "wasserstein",
    "wasserstein_distance",
]
