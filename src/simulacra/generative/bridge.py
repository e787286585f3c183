"""Bridge: from one vector to another of the same size along noisy or straight lines."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ConfigError
from ..random import Stream
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["Bridge", "BridgeConfig"]

_LEAST = 1e-6  # variance; a condition that says everything leaves no width


class BridgeConfig(Config):
    """How a bridge is built and walked.

    Args:
        family: its name.
        noise: width of the noise of the whole way, in widths of the data; it is largest half way
            and vanishes at both ends. 0 walks without noise.
        sees_start: whether the network sees, besides where it stands, where the way began. With
            noise the end is then drawn from p(end | start); without it only the law of all ends
            is right. A bridge without noise must not see its start: it would go to the mean.
        steps: of the walk; they are shorter towards the data.
    """

    family: Literal["bridge"] = "bridge"
    noise: float = Field(default=1.0, ge=0)
    sees_start: bool = True
    steps: int = Field(default=40, ge=1)


class Bridge(GenerativeModel):
    r"""A generator that walks from a given vector to data.

    Between data :math:`x_0` and start :math:`x_1`, which are given in pairs, stands

    .. math:: x_t = (1 - t)\,x_0 + t\,x_1 + g \sqrt{t (1 - t)}\, n

    and a step from t to s goes, with :math:`\hat x_0 = m_t + \sqrt{v_t}\, f`, to

    .. math:: x_s = \hat x_0 + \tfrac st (x_t - \hat x_0) +
        \sqrt{g^2 (t - s) \tfrac st + \left(1 - \tfrac st\right)^2 v_t}\; n, \qquad
        \min_f\ \mathbb E\,\bigl\| f(t, x_t) - (x_0 - m_t) / \sqrt{v_t} \bigr\|^2

    where :math:`m_t` and :math:`v_t` are mean and variance of :math:`x_0` as they would be if data
    and start were normal. So a network of zeros is exact for normal laws, in any number of steps,
    and what is left to learn has unit variance at every time.

    This is the Schroedinger bridge between pairs of G.-H. Liu, A. Vahdat, D.-A. Huang,
    E. Theodorou, W. Nie, A. Anandkumar, "I2SB: Image-to-image Schroedinger bridge", 2023,
    arXiv:2302.05872, equations 11 to 13, with a constant diffusion :math:`\beta = g^2`;
    S. Diefenbacher, G.-H. Liu, V. Mikuni, B. Nachman, W. Nie, "Improving generative model-based
    unfolding with Schroedinger bridges", 2023, arXiv:2308.12351, unfold with it. For
    :math:`g = 0` it is the deterministic limit of both, a flow from start to data, exact for short
    steps. Theirs has no :math:`v_t` in a step, as if nothing were unknown in :math:`\hat x_0`,
    and learns :math:`(x_t - x_0) / \sqrt t` without a known part; what is drawn is then too
    narrow, by up to 5 % of the width in 40 steps.

    Args:
        network: ``f(t, x, condition)`` with x of shape ``(events, features)``.
        features: size of x.
        conditions: size of the condition.
        config: how it is walked.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``; its first ``features`` numbers are the start.

    Raises:
        ConfigError: if the condition is too short for a start, or there is neither noise nor
            ignorance of the start.
    """

    def __init__(
        self, network: nn.Module, features: int, conditions: int, config: BridgeConfig
    ) -> None:
        super().__init__()
        if config.noise == 0 and config.sees_start:
            raise ConfigError(
                "bridge: without noise, expected sees_start=false, found true; a walk without "
                "noise that knows its start ends at the mean of the data and has no width."
            )
        _check_start(features, conditions)
        self.network = network
        self.features = features
        self.config = config
        self.noise_size = features * (config.steps if config.noise else 1)
        self.known: _SeenLaw | _BlindLaw = (
            _SeenLaw(features, conditions, config.noise)
            if config.sees_start
            else _BlindLaw(features, config.noise)
        )

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: BridgeConfig) -> Bridge:
        """Build with a kit's field."""
        _check_start(kit.features, kit.conditions)
        return cls(kit.field(), kit.features, kit.conditions, config)

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        """Learn the moments of the normal law; negative weights count as none."""
        share = weight.clamp(min=0).double()[:, None]
        self.known.fit(x.double(), condition.double(), share / share.sum())
        return self

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.features, Stream.NOISE)
        last = 1 / self.config.steps
        t = (last + (1 - last) * draws.uniform(1, Stream.PATH_TIME)) ** 2  # as dense as the steps
        start = batch.condition[:, : self.features]
        spread = self.config.noise * (t * (1 - t)).sqrt()
        x = (1 - t) * batch.x + t * start + spread * noise
        mean, variance = self.known(t, x, batch.condition)
        wanted: Tensor = (batch.x - mean) * variance.rsqrt()
        found = self._correction(t[:, 0], x, batch.condition)
        return (found.float() - wanted).square().mean(dim=1)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        steps, width = self.config.steps, self.config.noise
        fresh = noise.split(self.features, dim=1)
        x: Tensor = condition[:, : self.features]
        for step in range(steps):
            t, s = ((1 - k / steps) ** 2 for k in (step, step + 1))
            time = torch.full_like(x[:, :1], t)
            mean, variance = self.known(time, x, condition)
            end = mean + variance.sqrt() * self._correction(time[:, 0], x, condition)
            x = end + s / t * (x - end)
            if width:
                left = width**2 * (t - s) * s / t + (1 - s / t) ** 2 * variance
                x = x + left.sqrt() * fresh[step]
        return x

    def _correction(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        shown = condition if self.config.sees_start else torch.zeros_like(condition)
        out: Tensor = self.network(t, x, shown)
        return out


def _check_start(features: int, conditions: int) -> None:
    if conditions < features:
        raise ConfigError(
            f"bridge: expected a start of {features} numbers at the beginning of the condition, "
            f"found {conditions} conditions."
        )


class _SeenLaw(nn.Module):
    r"""Normal law of the data for who knows the start, and so the whole condition c.

    .. math:: \frac1{v_t} = \frac1{v_1} + \frac{1 - t}{g^2 t}, \qquad
        \frac{m_t}{v_t} = \frac{a + B c}{v_1} + \frac{x_t - t x_1}{g^2 t}

    with the linear regression :math:`a + B c` of the data and the variance :math:`v_1` around it.
    """

    slope: Tensor
    unknown: Tensor

    def __init__(self, features: int, conditions: int, noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("slope", torch.zeros(1 + conditions, features))
        self.register_buffer("unknown", torch.ones(features))

    def fit(self, x: Tensor, condition: Tensor, share: Tensor) -> None:
        """Regress; ``share`` are weights that sum to 1, ``(events, 1)``."""
        root, seen = share.sqrt(), _with_one(condition)
        slope = torch.linalg.lstsq(seen * root, x * root, driver="gelsd").solution
        self.slope.copy_(slope)
        left = (share * (x - seen @ slope).square()).sum(dim=0)
        self.unknown.copy_(left.clamp(min=_LEAST))

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        walked = self.noise**2 * t
        variance = 1 / (1 / self.unknown + (1 - t) / walked)
        start = condition[:, : x.shape[1]]
        prior = _with_one(condition) @ self.slope / self.unknown
        return variance * (prior + (x - t * start) / walked), variance


class _BlindLaw(nn.Module):
    r"""Normal law of the data for who sees :math:`x_t` alone, each feature for itself.

    .. math:: m_t = \mu_0 + \frac{c_t}{w_t} (x_t - (1 - t) \mu_0 - t \mu_1), \qquad
        v_t = \frac{t^2 (c_{00} c_{11} - c_{01}^2) + g^2 t (1 - t) c_{00}}{w_t}

    with :math:`c_t = (1 - t) c_{00} + t c_{01}` and
    :math:`w_t = (1 - t)^2 c_{00} + 2 t (1 - t) c_{01} + t^2 c_{11} + g^2 t (1 - t)` from means and
    covariance of data and start.
    """

    mean: Tensor
    covariance: Tensor

    def __init__(self, features: int, noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("mean", torch.zeros(2, features))
        self.register_buffer("covariance", torch.eye(2)[:, :, None].repeat(1, 1, features))

    def fit(self, x: Tensor, condition: Tensor, share: Tensor) -> None:
        """Take moments; ``share`` are weights that sum to 1, ``(events, 1)``."""
        both = torch.stack([x, condition[:, : x.shape[1]]])
        mean = (share * both).sum(dim=1)
        rest = both - mean[:, None]
        self.mean.copy_(mean)
        self.covariance.copy_(torch.einsum("en,aef,bef->abf", share, rest, rest))

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        data, cross, start = self.covariance[0, 0], self.covariance[0, 1], self.covariance[1, 1]
        along = (1 - t) * data + t * cross
        total = (1 - t) * (along + t * cross) + t**2 * start + self.noise**2 * t * (1 - t)
        gain = along / total
        mean = self.mean[0] + gain * (x - (1 - t) * self.mean[0] - t * self.mean[1])
        apart = (data * start - cross**2).clamp(min=_LEAST)
        return mean, (t**2 * apart + self.noise**2 * t * (1 - t) * data) / total


def _with_one(condition: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(condition[:, :1]), condition], dim=1)
