"""Patches of images of several sizes, and the networks that mix them."""

from __future__ import annotations

import pytest
import torch

from simulacra.generative import initialised
from simulacra.nets import PatchCritic, Patches, PatchMap, PatchNetwork, patch_shape

IMAGES = ((2, 6), (3, 4), (5, 1))
PATCHES = Patches(IMAGES, [patch_shape(image, 4) for image in IMAGES])


def test_patches_divide_images_evenly():
    assert [patch_shape(image, 12) for image in ((3, 96), (12, 12), (12, 6), (72, 1))] == [
        (3, 4), (3, 4), (4, 3), (12, 1)]  # fmt: skip
    for image in (*IMAGES, (7, 11), (1, 1)):
        high, wide = patch_shape(image, 6)
        assert image[0] % high == image[1] % wide == 0
        assert high * wide <= 6


def test_patches_by_hand():
    """Two by four cells, columns fastest, in patches of two by two."""
    cut = Patches([(2, 4)], [(2, 2)]).split(torch.arange(8.0)[None])
    assert cut.tolist() == [[[0, 1, 4, 5], [2, 3, 6, 7]]]


def test_join_undoes_split():
    x = torch.randn(3, 29, generator=torch.Generator().manual_seed(0))
    cut = PATCHES.split(x)
    assert cut.shape == (3, PATCHES.number, PATCHES.cells)
    assert torch.equal(PATCHES.join(cut), x)


@pytest.mark.parametrize("kind", ["field", "map", "critic"])
def test_every_output_sees_every_input(kind):
    size = {"channels": 8, "blocks": 2, "width": 12}
    build = {
        "field": lambda: PatchNetwork(PATCHES, 3, **size),
        "map": lambda: PatchMap(PATCHES, Patches([(1, 3)], [(1, 3)]), 3, outputs=2, **size),
        "critic": lambda: PatchCritic(PATCHES, 3, **size),
    }[kind]
    network, draw = initialised(build, seed=0), torch.Generator().manual_seed(0)
    for parameter in network.parameters():  # zero layers would hide everything
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=draw)
    x, condition = (torch.randn(4, n, generator=draw).requires_grad_() for n in (29, 3))
    given = (torch.rand(4, generator=draw), x, condition) if kind == "field" else (x, condition)
    out = network(*given)
    assert out.shape == {"field": (4, 29), "map": (4, 2, 3), "critic": (4,)}[kind]
    out[1].flatten()[-1].backward()
    assert (x.grad[1] != 0).all()
    assert (condition.grad[1] != 0).all()
    assert not x.grad[[0, 2, 3]].any()  # events do not see each other


def test_a_field_starts_at_zero():
    build = lambda: PatchNetwork(PATCHES, 3, channels=8, blocks=1, width=12)  # noqa: E731
    assert not initialised(build, seed=0)(torch.ones(2), torch.ones(2, 29), torch.ones(2, 3)).any()
