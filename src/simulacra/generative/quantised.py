"""A vector-quantised autoencoder: events as words of a learned alphabet, and their grammar."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..nets import TokenTransformer
from ..random import Stream
from .autoencoder import negative_log_normal, noisy
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["VectorQuantised", "VectorQuantisedConfig"]


class VectorQuantisedConfig(Config):
    """How a vector-quantised autoencoder and the sequence model of its tokens are built.

    Args:
        family: its name.
        local: tokens at every place (sector) of an event.
        whole: tokens for the whole event.
        codes: different tokens, the entries of the codebook.
        depth: numbers of a codebook entry.
        commitment: weight of the pull of codes to their entry, relative to that of entries to
            their codes.
        restart: steps after which entries that nothing uses are placed anew.
        settled: training events after which none is placed anew any more, so that the sequence
            model learns an alphabet that stays; 0: never.
        width: hidden size of the sequence model, a multiple of ``heads``.
        blocks: its blocks.
        heads: its attention heads.
    """

    family: Literal["vector_quantised"] = "vector_quantised"
    local: int = Field(default=2, ge=1)
    whole: int = Field(default=4, ge=0)
    codes: int = Field(default=512, ge=2)
    depth: int = Field(default=8, ge=1)
    commitment: float = Field(default=0.25, ge=0)
    restart: int = Field(default=50, ge=1)
    settled: int = Field(default=0, ge=0)
    width: int = Field(default=64, ge=2)
    blocks: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)


class VectorQuantised(GenerativeModel):
    r"""A generator of standardised vectors through sequences of tokens.

    An encoder gives codes :math:`z`, each of which is replaced by the nearest entry :math:`q` of
    a codebook; the decoder gives mean and width of every feature from the entries,

    .. math:: \min\ \sum_i \Bigl[\frac{(x_i - \mu_i(q, c))^2}{2 \sigma_i(q, c)^2}
        + \ln \sigma_i(q, c)\Bigr] + \|\bar z - q\|^2 + \beta\,\|z - \bar q\|^2
        - \sum_k \ln p(n_k \mid n_1 \ldots n_{k-1}, c)

    where a bar keeps a quantity fixed, the encoder gets the gradient of :math:`q` (A. van den
    Oord, O. Vinyals, K. Kavukcuoglu, "Neural discrete representation learning", 2017,
    arXiv:1711.00937, eq. 3), and :math:`n_k` are the numbers of the entries, whose law is that of
    a causal transformer (Q. Liu et al., "Calo-VQ: vector-quantized two-stage generative model in
    calorimeter simulation", 2024, arXiv:2405.06605, there in a second training). Entries that
    nothing uses are placed on codes of the current batch. Drawing turns a uniform number per token
    into the token (inverse transform) and adds the decoder's noise.

    Args:
        encoder: ``f(x, condition)`` with values ``(events, 1, tokens * depth)``.
        decoder: ``f(z, condition)`` with values ``(events, 2, features)``: mean, logarithm of
            width.
        tokens: the law of tokens.
        features: size of x.
        config: how it is built.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
        noise: ``(events, tokens + features)``, for the tokens, then for the decoder.
    """

    usage: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        tokens: TokenTransformer,
        features: int,
        config: VectorQuantisedConfig,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.tokens = encoder, decoder, tokens
        self.codebook = nn.Parameter(torch.randn(config.codes, config.depth))
        self.register_buffer("usage", torch.full((config.codes,), 1 / config.codes))
        self.features = features
        self.noise_size = tokens.tokens + features
        self.config = config

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: VectorQuantisedConfig) -> VectorQuantised:
        """Build with a kit's maps to its codes and back."""
        codes = kit.latent(config.local * config.depth, config.whole * config.depth)
        tokens = TokenTransformer(
            codes.features // config.depth,
            config.codes,
            kit.conditions,
            width=config.width,
            blocks=config.blocks,
            heads=config.heads,
        )
        encoder, decoder = kit.map(codes, zero=False), codes.map(kit, outputs=2)
        return cls(encoder, decoder, tokens, kit.features, config)

    def nearest(self, code: Tensor) -> Tensor:
        """Return the numbers of the nearest entries, ``(events, tokens)``.

        Args:
            code: ``(events, tokens, depth)``.
        """
        with torch.no_grad():
            squares = self.codebook.square().sum(dim=1)
            return (squares - 2 * code @ self.codebook.T).argmin(dim=2)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        code = self.encoder(batch.x, batch.condition).float()
        code = code.reshape(len(code), self.tokens.tokens, self.config.depth)
        number = self._numbers(code.detach(), draws)
        entry = self.codebook[number]
        passed = code + (entry - code).detach()
        law = self.decoder(passed.flatten(1), batch.condition)
        misfit = negative_log_normal(batch.x, law).sum(dim=1)
        pull = (entry - code.detach()).square() + (
            self.config.commitment * (code - entry.detach()).square()
        )
        surprise = nn.functional.cross_entropy(
            self.tokens(number, batch.condition).float().transpose(1, 2), number, reduction="none"
        )
        loss: Tensor = (misfit + pull.sum(dim=(1, 2))) / self.features + surprise.mean(dim=1)
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        first, second = noise.split([self.tokens.tokens, self.features], dim=1)
        entry = self.codebook[self._sequence(condition, torch.special.ndtr(first))]
        return noisy(self.decoder(entry.flatten(1), condition), second)

    def _sequence(self, condition: Tensor, uniform: Tensor) -> Tensor:
        """Turn uniform numbers into tokens, one after the other; shape of ``uniform``."""
        found: list[Tensor] = []
        memory: list[tuple[Tensor, Tensor]] = []
        for place in range(self.tokens.tokens):
            last = found[-1] if found else None
            scores, memory = self.tokens.advance(last, condition, memory)
            sums = scores.float().softmax(dim=1).cumsum(dim=1)
            below = sums < uniform[:, place, None] * sums[:, -1:]
            found.append(below.sum(dim=1).clamp(max=self.config.codes - 1))
        return torch.stack(found, dim=1)

    @torch.no_grad()
    def _numbers(self, code: Tensor, draws: Draws) -> Tensor:
        """Return the numbers of the nearest entries; in training, look after the codebook."""
        if not self.training:
            return self.nearest(code)
        settled = 0 < self.config.settled <= draws.first
        if not settled and (draws.first // draws.events + 1) % self.config.restart == 0:
            self._place_anew(code.flatten(0, 1), draws)
        number = self.nearest(code)
        counts = torch.bincount(number.flatten(), minlength=self.config.codes)
        self.usage.lerp_(counts / counts.sum(), _FORGETTING)
        return number

    def _place_anew(self, codes: Tensor, draws: Draws) -> None:
        """Move the entries that nothing uses to codes, ``(events * tokens, depth)``."""
        dead = (self.usage < _DEAD / self.config.codes).nonzero()[:, 0]
        chance = draws.uniform(-(-len(dead) // draws.events), Stream.LATENT).flatten()[: len(dead)]
        self.codebook[dead] = codes[(chance * len(codes)).long()]
        self.usage[dead] = 1 / self.config.codes


_FORGETTING = 0.02  # per step
_DEAD = 0.1  # of an entry's fair share
