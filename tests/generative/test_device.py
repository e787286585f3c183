from __future__ import annotations

import pytest
import torch

from simulacra.errors import ConfigError
from simulacra.generative import require_device


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_the_processor_has_one_name(name):
    assert require_device(name) == "cpu"


@pytest.mark.parametrize("name", ["nonsense", "", "meta", "cuda:77", "vulkan"])
def test_what_is_not_here_is_refused(name):
    with pytest.raises(ConfigError, match=r"not on this machine.* expected one of cpu"):
        require_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_is_refused_where_there_is_none():
    with pytest.raises(ConfigError, match="'cuda' is not on this machine"):
        require_device("cuda")
