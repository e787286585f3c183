"""Step 3, networks: tensors in, tensors out; no loss, no sampling, no physics units."""

from .cylindrical import RingNetwork
from .embed import FourierEmbedding
from .residual import ResidualNetwork

__all__ = ["FourierEmbedding", "ResidualNetwork", "RingNetwork"]
