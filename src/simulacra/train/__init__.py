"""Step 6, training: loop, optimiser, average, log, checkpoint; knows batches and losses only."""

from .checkpoint import identity
from .loop import Progress, TrainingSet, train
from .record import History
from .settings import TrainingConfig

__all__ = ["History", "Progress", "TrainingConfig", "TrainingSet", "identity", "train"]
