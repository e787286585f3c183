"""Step 5b, engine two: tell samples apart; samples and weights go in, scores come out."""

from .areas import Areas
from .auc import area_under_curve, auc_sample_error, roc_curve
from .calibration import Calibration, calibrate, jensen_shannon
from .classifier import Discriminator, train_discriminator
from .comparison import TwoSampleResult, tell_apart
from .multiclass import LogPosteriors, log_posteriors
from .ratio import Clouds, DensityRatio, RatioConfig, fit_ratio
from .rotation import Parts, rotated_parts
from .rows import Rows, store_rows
from .sample import LabelledSample
from .settings import FAST, ClassifierConfig

__all__ = [
    "FAST",
    "Areas",
    "Calibration",
    "ClassifierConfig",
    "Clouds",
    "DensityRatio",
    "Discriminator",
    "LabelledSample",
    "LogPosteriors",
    "Parts",
    "RatioConfig",
    "Rows",
    "TwoSampleResult",
    "area_under_curve",
    "auc_sample_error",
    "calibrate",
    "fit_ratio",
    "jensen_shannon",
    "log_posteriors",
    "roc_curve",
    "rotated_parts",
    "store_rows",
    "tell_apart",
    "train_discriminator",
]
