"""Coupling flow: half of the numbers bend the other half, both ways equally fast."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Config
from ..errors import ConfigError
from ..nets import bend, bend_parameters
from .flow import Flow
from .halves import Half
from .kit import NetworkKit

__all__ = ["CouplingFlow", "CouplingFlowConfig"]


class CouplingFlowConfig(Config):
    """How a coupling flow is built.

    Args:
        family: its name.
        couplings: number of couplings; every second one moves what the one before saw.
        depth: residual blocks of each coupling's network.
        bins: bins of each spline.
        bound: where splines end and lines begin, in widths of the data.
        mixing: ``halves`` splits the features as they are (rings by rings and sectors);
            ``rotation`` turns a plain vector by a fixed random rotation before each pair of
            couplings, and back behind it; vectors in rings or cells take no notice.
    """

    family: Literal["coupling_flow"] = "coupling_flow"
    couplings: int = Field(default=8, ge=2)
    depth: int = Field(default=2, ge=0)
    bins: int = Field(default=8, ge=2)
    bound: float = Field(default=5.0, gt=0)
    mixing: Literal["halves", "rotation"] = "halves"


class CouplingFlow(Flow):
    r"""A flow of couplings: numbers are bent by splines whose parameters the others give.

    .. math:: z_A = x_A,\qquad z_B = \mathrm{RQS}\bigl((x_B - m)\,e^{-s}\bigr),\qquad
        m, s, \mathrm{knots} = f(x_A, c)

    for halves A and B that change from coupling to coupling. Drawing and density cost one pass
    each. After F. Ernst, L. Favaro, C. Krause, T. Plehn, D. Shih, "Normalizing flows for
    high-dimensional detector simulations", 2023, arXiv:2312.09290 (CaloINN), and C. Durkan,
    A. Bekasov, I. Murray, G. Papamakarios, "Neural spline flows", 2019, arXiv:1906.04032. For
    showers in rings the halves are rings or every second sector, and f is a network that commutes
    with rotations; theirs was a perceptron. Networks start at zero: noise is handed through.

    Args:
        kit: networks for the vectors.
        config: how it is built.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``, dimensionless.

    Raises:
        ConfigError: if the vector has a single number.
    """

    rotations: Tensor | None

    def __init__(self, kit: NetworkKit, config: CouplingFlowConfig) -> None:
        if kit.features < 2:
            raise ConfigError(
                "coupling flow: expected vectors of at least two numbers, found one, which cannot "
                "be split; use autoregressive_flow."
            )
        super().__init__(kit)
        halves = kit.halves(config.couplings)
        self.couplings = nn.ModuleList(_Coupling(kit, half, config) for half in halves)
        plain = not (halves[0].given_rings or halves[0].given_images)
        rotate = config.mixing == "rotation" and plain
        pairs = (len(halves) + 1) // 2 if rotate else 0
        square = torch.randn(pairs, kit.features, kit.features, dtype=torch.float64)
        rotations = torch.linalg.qr(square)[0]
        self.register_buffer("rotations", rotations if rotate else None)

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: CouplingFlowConfig) -> CouplingFlow:
        """Build with a kit's networks."""
        return cls(kit, config)

    def to_noise(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[0])
        for number, coupling in enumerate(self.couplings):
            x, log_slope = coupling(self._turn(x, number), condition)
            x, total = self._turn(x, number, back=True), total + log_slope
        return x, total

    def from_noise(self, z: Tensor, condition: Tensor) -> Tensor:
        for number in reversed(range(len(self.couplings))):
            coupling = self.couplings[number]
            z, _ = coupling(self._turn(z, number), condition, inverse=True)
            z = self._turn(z, number, back=True)
        return z

    def _turn(self, x: Tensor, number: int, *, back: bool = False) -> Tensor:
        if self.rotations is None:
            return x
        rotation = self.rotations[number // 2].to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return x @ (rotation.T if back else rotation)


class _Coupling(nn.Module):
    given: Tensor
    moved: Tensor
    back: Tensor

    def __init__(self, kit: NetworkKit, half: Half, config: CouplingFlowConfig) -> None:
        super().__init__()
        self.bound = config.bound
        self.network = kit.conditioner(
            half, outputs=bend_parameters(config.bins), blocks=config.depth
        )
        order = torch.tensor(half.given + half.moved)
        self.register_buffer("given", torch.tensor(half.given))
        self.register_buffer("moved", torch.tensor(half.moved))
        self.register_buffer("back", order.argsort())

    def forward(
        self, x: Tensor, condition: Tensor, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        given, moved = x[:, self.given], x[:, self.moved]
        parameters = self.network(given, condition).to(x.dtype)
        y, log_slope = bend(moved, parameters, bound=self.bound, inverse=inverse)
        return torch.cat([given, y], dim=1)[:, self.back], log_slope.sum(dim=1)
