"""The published results of the CaloChallenge, and where a verdict would stand among them.

Facts in two tables beside this file (see its README); nothing here is measured.
"""

from __future__ import annotations

from .places import Place, Standing, standing
from .quantities import QUANTITIES, Quantity, follows_protocol, own_value
from .recognition import Recognition, recognise
from .submissions import DATASETS, FULL_SIMULATION, Submission, dataset_of, published
from .times import TimePerShower, times_per_shower

__all__ = [
    "DATASETS",
    "FULL_SIMULATION",
    "QUANTITIES",
    "Place",
    "Quantity",
    "Recognition",
    "Standing",
    "Submission",
    "TimePerShower",
    "dataset_of",
    "follows_protocol",
    "own_value",
    "published",
    "recognise",
    "standing",
    "times_per_shower",
]
