"""What a discriminator is shown of a layer: against sums by hand, and finite where it is empty."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.generative.summaries import SUMMARIES, layer_summaries

SHAPES = [(1, 4), (3, 2)]


def test_numbers_are_those_of_sums_by_hand():
    energies = torch.tensor([[0.0, 3.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]])
    found = layer_summaries(energies.log1p(), SHAPES)[0].tolist()
    v = [math.log1p(3.0), math.log1p(1.0), math.log1p(2.0)]
    first = [
        sum(v[:2]) / 4,
        sum(w / (w + 0.2) for w in v[:2]) / 4,
        0.75**2 + 0.25**2,
        0.0,
        0.75 * -1 + 0.25 * 1,
        math.log(0.1 + 1.0),
    ]
    second = [v[2] / 6, v[2] / (v[2] + 0.2) / 6, 1.0, 1.0, 0.0, math.log(0.1 + 1.0)]
    assert found == pytest.approx(first + second, abs=1e-5)


def test_empty_layers_have_finite_numbers_and_slopes():
    image = torch.zeros(2, 10, requires_grad=True)
    found = layer_summaries(image, SHAPES)
    assert found.shape == (2, 2 * SUMMARIES)
    found.sum().backward()
    assert found.isfinite().all()
    assert image.grad.isfinite().all()


def test_shapes_that_do_not_add_up_are_refused():
    with pytest.raises(RuntimeError, match="split"):
        layer_summaries(torch.zeros(2, 9), SHAPES)
