"""Generators of whole showers by their settings: a cascade of voxels or of points, or a GAN."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Discriminator, Tag

from ..errors import ConfigError
from .calogan import CaloGan, CaloGanConfig
from .cascade import CascadeConfig, ShowerCascade, ShowerLayout
from .families import told_family
from .likeness_gan import LikenessGan, LikenessGanConfig
from .model import GenerativeModel
from .point_cascade import PointCascade, PointCascadeConfig

__all__ = ["ShowerModelConfig", "shower_model"]


ShowerModelConfig = Annotated[
    Annotated[CascadeConfig, Tag("cascade")]
    | Annotated[CaloGanConfig, Tag("calogan")]
    | Annotated[LikenessGanConfig, Tag("likeness_gan")]
    | Annotated[PointCascadeConfig, Tag("points")],
    Discriminator(told_family("cascade")),
]
"""Settings of a generator of whole showers."""


def shower_model(
    config: CascadeConfig | CaloGanConfig | LikenessGanConfig | PointCascadeConfig,
    layout: ShowerLayout,
) -> GenerativeModel:
    """Build a generator of whole showers.

    Args:
        config: its settings.
        layout: the detector.

    Shapes:
        x: voxel energies, ``(events, voxels)``, MeV; points that are no voxels as
            :class:`~simulacra.preprocess.PointPlaces` says.
        condition: ``(events, conditions)``, in MeV, mm and rad; the incident energy first.

    Raises:
        ConfigError: if this kind of generator cannot have that detector.
    """
    if isinstance(config, CascadeConfig):
        return ShowerCascade(config, layout)
    if isinstance(config, CaloGanConfig):
        return CaloGan(config, layout)
    if isinstance(config, PointCascadeConfig):
        return PointCascade(config, layout)
    sizes = {a * b for a, b in layout.images}
    if len(sizes) > 1:
        raise ConfigError(
            "model: likeness_gan draws images, with the layers as rows; expected layers with the "
            f"same number of voxels, found {sorted(sizes)}."
        )
    cells, whole = min(sizes), math.prod(config.factors)
    if cells % whole:
        raise ConfigError(
            f"model: likeness_gan makes rows {whole} times longer; expected layers with a multiple "
            f"of {whole} voxels, found {cells}. Set model.factors to factors of {cells}."
        )
    return LikenessGan(config, layout)
