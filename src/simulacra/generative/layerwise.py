"""Autoregressive over layers: one generator of a layer, given the layers before it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Discriminator, Field, Tag
from torch import Tensor
from torch.nn.functional import one_hot, pad

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ShapeError
from .coupling_flow import CouplingFlow, CouplingFlowConfig
from .diffusion import Diffusion, DiffusionConfig
from .flow_matching import FlowMatching, FlowMatchingConfig
from .kit import NetworkKit, RingKit
from .mean_flow import MeanFlow, MeanFlowConfig
from .model import GenerativeModel

__all__ = ["Layerwise", "LayerwiseConfig"]


def _inner(given: Any) -> str:
    if isinstance(given, dict):
        return str(given.get("family", "flow_matching"))
    return str(getattr(given, "family", "flow_matching"))


class LayerwiseConfig(Config):
    """How a generator goes from layer to layer.

    Args:
        family: its name.
        context: how many of the last layers the next one sees voxel by voxel.
        layer: family that makes a layer.
    """

    family: Literal["layerwise"] = "layerwise"
    context: int = Field(default=2, ge=1)
    layer: Annotated[
        Annotated[FlowMatchingConfig, Tag("flow_matching")]
        | Annotated[DiffusionConfig, Tag("diffusion")]
        | Annotated[MeanFlowConfig, Tag("mean_flow")]
        | Annotated[CouplingFlowConfig, Tag("coupling_flow")],
        Discriminator(_inner),
    ] = FlowMatchingConfig(steps=4)


class Layerwise(GenerativeModel):
    r"""A generator of voxels that makes one layer after the other.

    .. math:: p(x | c) = \prod_{\ell} p(x_\ell \,|\, x_{\ell-1}, \ldots, x_{\ell-k}, c, \ell)

    One generator, of any family that learns a layer, serves all layers and is told the number of
    the layer; all layers of a training shower are learned at once from its true earlier layers
    (teacher forcing). After M. Buckley, C. Krause, I. Pang, D. Shih, "Inductive simulation of
    calorimeter showers with normalizing flows", 2023, arXiv:2305.11934, and S. Diefenbacher,
    E. Eren, F. Gaede, G. Kasieczka, C. Krause, I. Shekhzadeh, D. Shih, "L2LFlows: generating
    high-fidelity 3D calorimeter images", 2023, arXiv:2302.11594. Behind a copula ``by_layer`` the
    linear part of what all earlier layers say is exact.

    Args:
        kit: networks for layers of one shape.
        config: what makes a layer and what it sees.

    Shapes:
        x: ``(events, voxels)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``, dimensionless.

    Raises:
        ShapeError: if the vector has no layers, or layers differ.
    """

    def __init__(self, kit: NetworkKit, config: LayerwiseConfig) -> None:
        super().__init__()
        if not isinstance(kit, RingKit) or len(set(kit.rings)) != 1 or kit.rings[0][1] < 3:
            shapes = sorted(set(kit.rings)) if isinstance(kit, RingKit) else "no rings"
            raise ShapeError(
                "layerwise: expected layers of one shape with at least 3 sectors, such as "
                f"CaloChallenge data set 2, found {shapes}; choose another family."
            )
        self.layers, ring = len(kit.rings), kit.rings[0]
        self.voxels = ring[0] * ring[1]
        self.context = config.context
        one = RingKit(
            rings=(ring,),
            conditions=config.context * self.voxels + kit.conditions + self.layers,
            channels=kit.channels,
            blocks=kit.blocks,
            width=kit.width,
            equivariant=kit.equivariant,
            given=(ring,) * config.context,
        )
        self.layer: GenerativeModel = _BUILD[config.layer.family](one, config.layer)
        self.noise_size = self.layers * self.layer.noise_size

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: LayerwiseConfig) -> Layerwise:
        """Build for a kit's layers."""
        return cls(kit, config)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        events, layers = len(batch.x), self.layers
        before = pad(batch.x, (self.context * self.voxels, 0))
        # window l holds the layers l - context, ..., l - 1
        windows = before.unfold(1, self.context * self.voxels, self.voxels)[:, :layers]
        condition = batch.condition[:, None].expand(-1, layers, -1)
        number = torch.eye(layers, device=batch.x.device).expand(events, -1, -1)
        rows = Batch(
            batch.x.reshape(events * layers, self.voxels),
            torch.cat([windows, condition, number], dim=2).flatten(0, 1),
            batch.weight.repeat_interleave(layers),
        )
        first = draws.first * layers % 2**64  # validation counts from 2^63
        several = Draws(draws.seed, first, events * layers, draws.device)
        loss: Tensor = self.layer.loss(rows, several).unflatten(0, (events, layers))
        return loss.mean(dim=1)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        made = [torch.zeros_like(condition[:, :1]).expand(-1, self.voxels)] * self.context
        for number, part in enumerate(noise.split(self.layer.noise_size, dim=1)):
            place = one_hot(torch.tensor(number), self.layers).to(condition)
            given = [*made[-self.context :], condition, place.expand(condition.shape[0], -1)]
            made.append(self.layer.draw(torch.cat(given, dim=1), part))
        return torch.cat(made[self.context :], dim=1)


_BUILD: dict[str, Any] = {
    "flow_matching": FlowMatching.from_kit,
    "diffusion": Diffusion.from_kit,
    "mean_flow": MeanFlow.from_kit,
    "coupling_flow": CouplingFlow.from_kit,
}
