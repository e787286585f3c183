"""A variational autoencoder: a code of each event, a learned law of codes, a noisy way back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..random import Stream
from .flow_matching import FlowMatching, FlowMatchingConfig
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["VariationalAutoencoder", "VariationalAutoencoderConfig", "negative_log_normal", "noisy"]


class VariationalAutoencoderConfig(Config):
    """How a variational autoencoder is built, trained and drawn from.

    Args:
        family: its name.
        local: numbers of the code at every place (sector) of an event.
        whole: numbers of the code for the whole event.
        beta: weight of the code's information in the loss, in nats per nat.
        warmup: events over which beta rises from 0, so that the code is used at all.
        prior: how the law of codes is solved.
    """

    family: Literal["variational"] = "variational"
    local: int = Field(default=6, ge=1)
    whole: int = Field(default=8, ge=0)
    beta: float = Field(default=1.0, ge=0)
    warmup: int = Field(default=100_000, ge=0)
    prior: FlowMatchingConfig = FlowMatchingConfig(steps=6)


class VariationalAutoencoder(GenerativeModel):
    r"""A generator of standardised vectors through codes of fewer numbers.

    An encoder gives normal codes :math:`z \sim N(m(x, c), s(x, c)^2)`, a decoder mean and width
    of every feature, and both learn

    .. math:: \min\ \mathbb E_z \sum_i \Bigl[\frac{(x_i - \mu_i(z, c))^2}{2 \sigma_i(z, c)^2}
        + \ln \sigma_i(z, c)\Bigr] + \beta\, D_\text{KL}\bigl(N(m, s^2)\,\|\,N(0, 1)\bigr)

    (D. Kingma, M. Welling, "Auto-encoding variational Bayes", 2013, arXiv:1312.6114, eq. 3;
    I. Higgins et al., "beta-VAE", ICLR 2017, eq. 4). Codes of data are not standard normal, least
    of all where beta is below 1: flow matching learns their law
    :math:`p(z \mid c)` at the same time, on codes that it does not change. Drawing takes a code
    from it and adds the decoder's noise, :math:`x = \mu + \sigma \epsilon`; without the noise
    the features would be too narrow. A decoder of zeros hands the noise through. A
    generator of calorimeter showers of this kind: S. Diefenbacher et al., "New angles on fast
    calorimeter shower simulation", 2023, arXiv:2303.18150.

    Args:
        encoder: ``f(x, condition)`` with values ``(events, 2, codes)``: mean, logarithm of width.
        decoder: ``f(z, condition)`` with values ``(events, 2, features)``: the same.
        prior: the law of codes.
        features: size of x.
        config: how it is trained.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
        noise: ``(events, codes + features)``, for the code, then for the decoder.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: GenerativeModel,
        features: int,
        config: VariationalAutoencoderConfig,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.features = features
        self.noise_size = prior.noise_size + features
        self.config = config

    @classmethod
    def from_kit(
        cls, kit: NetworkKit, config: VariationalAutoencoderConfig
    ) -> VariationalAutoencoder:
        """Build with a kit's maps to its codes and back, and a field of the codes."""
        codes = kit.latent(config.local, config.whole)
        return cls(
            kit.map(codes, outputs=2, zero=False),
            codes.map(kit, outputs=2),
            FlowMatching.from_kit(codes, config.prior),
            kit.features,
            config,
        )

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        mean, log_width = _bounded(self.encoder(batch.x, batch.condition))
        noise = draws.normal(mean.shape[1], Stream.LATENT)
        code = mean + log_width.exp() * noise
        misfit = negative_log_normal(batch.x, self.decoder(code, batch.condition))
        information = 0.5 * (mean.square() + (2 * log_width).exp() - 1) - log_width
        bound = misfit.sum(dim=1) + self._beta(draws) * information.sum(dim=1)
        found = Batch(code.detach(), batch.condition, batch.weight)
        return bound / self.features + self.prior.loss(found, draws)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        first, second = noise.split([self.prior.noise_size, self.features], dim=1)
        code = self.prior.draw(condition, first)
        return noisy(self.decoder(code, condition), second)

    def _beta(self, draws: Draws) -> float:
        return self.config.beta * min(1.0, (draws.first + 1) / (self.config.warmup + 1))


def negative_log_normal(x: Tensor, law: Tensor) -> Tensor:
    """Return minus the logarithm of each feature's normal density, without its constant.

    Args:
        x: ``(events, features)``.
        law: mean and logarithm of the width, ``(events, 2, features)``.

    Returns:
        Nats, ``(events, features)``.
    """
    mean, log_width = _bounded(law)
    return 0.5 * ((x - mean) * (-log_width).exp()).square() + log_width


def noisy(law: Tensor, noise: Tensor) -> Tensor:
    """Draw from a decoder's normal law, ``(events, features)``.

    Args:
        law: mean and logarithm of the width, ``(events, 2, features)``.
        noise: standard normal, ``(events, features)``.
    """
    mean, log_width = _bounded(law)
    return mean + log_width.exp() * noise


def _bounded(law: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and logarithm of the width, kept between 1e-2 and 1e2 of a standard normal."""
    mean, log_width = law.float().unbind(dim=1)
    return mean, _WIDEST * (log_width / _WIDEST).tanh()


_WIDEST = 4.6
