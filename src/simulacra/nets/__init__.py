"""Step 3, networks: tensors in, tensors out; no loss, no sampling, no physics units."""

from .cylindrical import RingNetwork
from .embed import FourierEmbedding
from .mlp import MLP
from .residual import ResidualNetwork
from .resnet3d import ResNet3d

__all__ = ["MLP", "FourierEmbedding", "ResNet3d", "ResidualNetwork", "RingNetwork"]
