"""Generative surrogates in collider physics: train, sample, judge and ship shower generators."""

__version__ = "0.1.0"
__all__ = ["__version__"]
