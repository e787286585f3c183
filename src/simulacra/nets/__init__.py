"""Step 3, networks: tensors in, tensors out; no loss, no sampling, no physics units."""

from .cylindrical import RingNetwork
from .embed import FourierEmbedding
from .inherit import start_from
from .local import CarryOver, ImageStream, LocallyConnected, MinibatchFeatures, rectified
from .masked import MaskedNetwork, Unrolled
from .mlp import MLP
from .pixel_shuffle import ShuffleCritic, ShuffleGenerator, shuffled, unshuffled
from .residual import ResidualNetwork
from .resnet3d import ResNet3d
from .ring_map import RingCritic, RingMap
from .splines import bend, bend_parameters, rational_quadratic
from .token_transformer import TokenTransformer
from .vector_map import VectorCritic, VectorMap

__all__ = [
    "MLP",
    "CarryOver",
    "FourierEmbedding",
    "ImageStream",
    "LocallyConnected",
    "MaskedNetwork",
    "MinibatchFeatures",
    "ResNet3d",
    "ResidualNetwork",
    "RingCritic",
    "RingMap",
    "RingNetwork",
    "ShuffleCritic",
    "ShuffleGenerator",
    "TokenTransformer",
    "Unrolled",
    "VectorCritic",
    "VectorMap",
    "bend",
    "bend_parameters",
    "rational_quadratic",
    "rectified",
    "shuffled",
    "start_from",
    "unshuffled",
]
