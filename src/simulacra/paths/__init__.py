"""Step 4a, paths: how noise becomes data, as interpolants with their derivatives."""

from .linear import LinearPath, PathPoint

__all__ = ["LinearPath", "PathPoint"]
