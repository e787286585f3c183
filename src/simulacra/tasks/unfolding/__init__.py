"""Unfolding: a measurement and a simulation of its detector in, what was there before it out.

Comes in: simulated events on both sides of the detector, measured events, with weights. Goes out:
true events or spectra with errors. Assumed: the simulation of the detector is right, and true
events that look alike in the unfolded observables are measured alike.
"""

from .bayes import Bayes, BayesConfig
from .closure import Closure, Coverage, Expected, coverage, self_coverage
from .method import Unfolder
from .omnifold import OmniFold, OmniFoldConfig
from .otus import Otus, OtusConfig
from .posterior import Posterior, PosteriorConfig
from .problem import Unfolding
from .recipes import METHODS, method_config, unfolder
from .report import Report, default_edges, unfold, write_report
from .result import Unfolded, UnfoldedEvents, UnfoldedSpectra, load_unfolded
from .spectrum import Spectrum
from .toy import GaussianToy
from .verdict import Finding, Verdict

__all__ = [
    "METHODS",
    "Bayes",
    "BayesConfig",
    "Closure",
    "Coverage",
    "Expected",
    "Finding",
    "GaussianToy",
    "OmniFold",
    "OmniFoldConfig",
    "Otus",
    "OtusConfig",
    "Posterior",
    "PosteriorConfig",
    "Report",
    "Spectrum",
    "Unfolded",
    "UnfoldedEvents",
    "UnfoldedSpectra",
    "Unfolder",
    "Unfolding",
    "Verdict",
    "coverage",
    "default_edges",
    "load_unfolded",
    "method_config",
    "self_coverage",
    "unfold",
    "unfolder",
    "write_report",
]
