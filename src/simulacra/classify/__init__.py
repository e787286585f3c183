"""Step 5b, engine two: tell two samples apart; samples and weights go in, scores come out."""

from .auc import area_under_curve, auc_sample_error, roc_curve
from .classifier import ClassifierConfig, Discriminator, train_discriminator
from .rotation import TwoSampleResult, rotated_fifths, tell_apart

__all__ = [
    "ClassifierConfig",
    "Discriminator",
    "TwoSampleResult",
    "area_under_curve",
    "auc_sample_error",
    "roc_curve",
    "rotated_fifths",
    "tell_apart",
    "train_discriminator",
]
