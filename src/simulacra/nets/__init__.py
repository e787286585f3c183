"""Step 3, networks: tensors in, tensors out; no loss, no sampling, no physics units."""

from .conditional_gaussian import ConditionalGaussian
from .convex import ConvexNetwork
from .cylindrical import RingNetwork
from .depth_mixer import DepthMixer
from .embed import FourierEmbedding
from .inherit import start_from
from .local import CarryOver, ImageStream, LocallyConnected, MinibatchFeatures
from .masked import MaskedNetwork, Unrolled
from .mlp import MLP
from .patch_mixer import PatchCritic, PatchMap, PatchNetwork
from .patches import Patches, patch_shape
from .pixel_shuffle import ShuffleCritic, ShuffleGenerator, shuffled, unshuffled
from .point_set import PointSet
from .residual import ResidualNetwork
from .resnet3d import ResNet3d
from .ring_gaussian import RingGaussian
from .ring_map import RingCritic, RingMap
from .ring_set import RingPoints, RingSetNetwork
from .splines import bend, bend_parameters, rational_quadratic
from .token_transformer import TokenTransformer
from .vector_map import VectorCritic, VectorMap

__all__ = [
    "MLP",
    "CarryOver",
    "ConditionalGaussian",
    "ConvexNetwork",
    "DepthMixer",
    "FourierEmbedding",
    "ImageStream",
    "LocallyConnected",
    "MaskedNetwork",
    "MinibatchFeatures",
    "PatchCritic",
    "PatchMap",
    "PatchNetwork",
    "Patches",
    "PointSet",
    "ResNet3d",
    "ResidualNetwork",
    "RingCritic",
    "RingGaussian",
    "RingMap",
    "RingNetwork",
    "RingPoints",
    "RingSetNetwork",
    "ShuffleCritic",
    "ShuffleGenerator",
    "TokenTransformer",
    "Unrolled",
    "VectorCritic",
    "VectorMap",
    "bend",
    "bend_parameters",
    "patch_shape",
    "rational_quadratic",
    "shuffled",
    "start_from",
    "unshuffled",
]
