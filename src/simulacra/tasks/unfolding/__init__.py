"""Unfolding: a measurement and a simulation of its detector in, what was there before it out.

Comes in: simulated events on both sides of the detector, measured events, with weights. Goes out:
true events or spectra with errors. Assumed: the simulation of the detector is right, and true
events that look alike in the unfolded observables are measured alike.
"""

from .bayes import Bayes, BayesConfig
from .method import Unfolder
from .omnifold import OmniFold, OmniFoldConfig
from .otus import Otus, OtusConfig
from .posterior import Posterior, PosteriorConfig
from .problem import Unfolding
from .result import Unfolded, UnfoldedEvents, UnfoldedSpectra, load_unfolded
from .spectrum import Spectrum
from .toy import GaussianToy

__all__ = [
    "Bayes",
    "BayesConfig",
    "GaussianToy",
    "OmniFold",
    "OmniFoldConfig",
    "Otus",
    "OtusConfig",
    "Posterior",
    "PosteriorConfig",
    "Spectrum",
    "Unfolded",
    "UnfoldedEvents",
    "UnfoldedSpectra",
    "Unfolder",
    "Unfolding",
    "load_unfolded",
]
