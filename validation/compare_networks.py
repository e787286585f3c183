"""Give both programs' networks the same weights and both programs' scores the same logits.

    python validation/compare_networks.py --homepage CHECKOUT

Trainings draw their own numbers and so agree in distribution only; what they are made of can be
compared exactly. Runs in an environment with this package, scikit-learn and matplotlib; CHECKOUT
is the user's own copy of https://github.com/CaloChallenge/homepage. Prints one line per comparison.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from run_official import Official
from torch import nn

from simulacra.classify.auc import area_under_curve
from simulacra.classify.calibration import calibrate, jensen_shannon
from simulacra.nets.mlp import MLP
from simulacra.nets.resnet3d import ResNet3d

EVENTS = 12
IMAGES = {"2": (45, 16, 9), "3": (45, 50, 18)}


def copied(ours: nn.Module, theirs: nn.Module) -> nn.Module:
    """Copy weights by order of use, which is that of creation in both, where shapes allow it."""
    unique = {t.data_ptr() or name: (name, t) for name, t in theirs.state_dict().items()}
    left = sorted(unique.values(), key=lambda item: item[0].startswith("fc."))  # used last
    state = {}
    for name, tensor in ours.state_dict().items():
        place = next(i for i, (_, other) in enumerate(left) if other.shape == tensor.shape)
        state[name] = left.pop(place)[1]
    assert not left
    ours.load_state_dict(state)
    return ours


def network_difference(ours: nn.Module, theirs: nn.Module, inputs: torch.Tensor) -> float:
    """Return the largest relative difference of output, loss gradient and scores after training.

    One step of training mode comes first, so that normalisation over the batch is compared, too.
    """
    with torch.no_grad():  # normalisations start as 1 and 0, which would hide a mistake
        for parameter in theirs.parameters():
            parameter += 0.1 * torch.randn_like(parameter) * (parameter.ndim == 1)
    copied(ours.double(), theirs)
    found = []
    for mode in (True, False):
        outputs = []
        for network in (ours, theirs):
            network.train(mode)
            network.zero_grad()
            with patch.object(torch.Tensor, "float", torch.Tensor.double):  # ours end in float32
                output = network(inputs)
            output.sum().backward()
            gradient = sum(p.grad.abs().sum() for p in network.parameters())
            outputs.append(torch.cat([output.detach().ravel(), gradient.reshape(1)]))
        found.append(float((outputs[0] / outputs[1] - 1).abs().max()))
    return max(found)


def score_differences(program: Any, seed: int, digits: int, events: int) -> dict[str, float]:
    """Return relative differences of AUC before and after calibration and of the divergence.

    Logits of few digits are equal for many showers. The program computes the logistic function
    once in batches and once for all, with another last bit, which breaks such ties.
    """
    rng = np.random.default_rng(seed)
    label = np.repeat([1.0, 0.0], events)
    tables = [
        np.column_stack([rng.normal(label - 0.5, 1.0).round(digits), label])
        for _ in range(2)  # selection, unseen
    ]
    loaders = [
        program.DataLoader(program.TensorDataset(torch.tensor(table)), batch_size=1000)
        for table in tables
    ]
    arg = argparse.Namespace(save_mem=False, device="cpu")
    areas: list[float] = []
    original = program.roc_auc_score

    def recorded(*arguments: Any) -> float:
        areas.append(float(original(*arguments)))
        return areas[-1]

    program.roc_auc_score = recorded
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        _, calibrated, divergence = program.evaluate_cls(
            nn.Identity(), loaders[1], arg, final_eval=True, calibration_data=loaders[0]
        )
    program.roc_auc_score = original
    selection, unseen = (1 / (1 + np.exp(-table[:, 0])) for table in tables)
    fitted = calibrate(selection, label)
    first, second = unseen[:events], unseen[events:]
    ours = {
        "AUC": area_under_curve(first, second),
        "AUC after calibration": area_under_curve(fitted(first), fitted(second)),
        "divergence": jensen_shannon(fitted(first), fitted(second))[0],
    }
    theirs = (areas[0], float(calibrated), float(divergence))
    return {name: abs(v / t - 1) for (name, v), t in zip(ours.items(), theirs, strict=True)}


def main() -> None:
    """Print the largest relative differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--homepage", type=Path, required=True)
    given = parser.parse_args()
    program = Official(given.homepage, None).evaluate
    torch.manual_seed(0)
    for features in (30, 369):
        inputs = torch.randn(EVENTS, features, dtype=torch.float64)
        difference = network_difference(MLP(features, 1), program.DNN(2, 2048, features), inputs)
        print(f"perceptron, {features} features: {difference:.1e}")
    for name, shape in IMAGES.items():
        theirs = program.generate_model(18, img_shape=shape)
        inputs = torch.rand(EVENTS, 1 + int(np.prod(shape)), dtype=torch.float64)
        difference = network_difference(ResNet3d(shape), theirs, inputs)
        print(f"residual network, data set {name}: {difference:.1e}")
    for digits in (12, 2):
        worst: dict[str, float] = {}
        for seed in range(5):
            for name, difference in score_differences(program, seed, digits, 20_000).items():
                worst[name] = max(difference, worst.get(name, 0.0))
        for name, difference in worst.items():
            print(f"{name}, equal logits of {digits} digits: {difference:.1e}")


if __name__ == "__main__":
    main()
