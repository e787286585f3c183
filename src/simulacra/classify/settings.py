"""Settings of a classifier: network, training, retrainings; the defaults are the challenge's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from ..config import Config

__all__ = ["FAST", "ClassifierConfig"]


class ClassifierConfig(Config):
    """Settings of a classifier; the defaults are those of the CaloChallenge.

    Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611. The challenge trains in double
    precision and retrains ten times on splits drawn anew; see :attr:`precision` and
    :attr:`retrainings` for what is done here.
    """

    network: Literal["mlp", "resnet", "set"] = "mlp"
    """Perceptron, 3-D residual network for inputs that are an image, or network of sums over points
    for inputs that are sets."""
    select: Literal["accuracy", "loss"] = "accuracy"
    """What the epoch that is kept is best at on the selection events. Where samples are alike,
    accuracies are all one half and only the loss says how good the probabilities are."""
    width: int = Field(2048, ge=1)
    """Size of each hidden layer of the perceptron, and of those of the network for sets."""
    hidden: int = Field(3, ge=0)
    """Number of hidden layers of the perceptron, and of both in the network for sets."""
    slope: float = 0.01
    """Slope of the perceptron's rectifier below 0."""
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (32, 64, 64, 128)
    """Channels of the four stages of the residual network."""
    learning_rate: float = Field(2e-4, gt=0)
    """Adam's, constant."""
    batch: int = Field(1000, ge=1)
    """Events per step."""
    epochs: int = Field(50, ge=1)
    """Passes over the training events."""
    patience: int = Field(0, ge=0)
    """Epochs without a better one (:attr:`select`) on the selection events after which a training
    ends; 0 is never. A better epoch that would have come later is missed."""
    retrainings: int = Field(5, ge=1)
    """How many networks are trained, each on another rotation of the split; published numbers
    are means of 10. The first ones do not depend on how many follow."""
    split: tuple[PositiveInt, PositiveInt, PositiveInt] = (60, 20, 20)
    """Proportions of training, selection and unseen events; the challenge's numbers for its own
    files are (80000, 20000, 21000) for photons, (80000, 20000, 20800) for pions and (60000,
    20000, 20000) for data sets 2 and 3."""
    standardise: bool = False
    """Whether to bring each feature to mean 0 and width 1 first; the challenge does not."""
    precision: Literal["automatic", "float32", "bfloat16"] = "automatic"
    """Products of the hidden layers: ``bfloat16`` rounds their factors to 8 bits and sums in
    float32 (inputs, first and last layer stay in float32); ``automatic`` is ``bfloat16`` for the
    perceptron on a processor that multiplies it natively, else ``float32``."""
    threads: int = Field(0, ge=0)
    """Threads of torch while training, restored afterwards; 0 leaves them as they are."""
    device: str = "cpu"
    """Where to train; the bits of a result belong to a device and a number of threads."""


FAST = ClassifierConfig(
    width=256,
    hidden=2,
    learning_rate=1e-3,
    batch=200,
    epochs=12,
    retrainings=3,
    standardise=True,
    precision="float32",
)
"""Minutes instead of hours, for development: not comparable with published numbers."""
