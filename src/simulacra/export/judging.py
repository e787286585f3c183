"""The judge's word on a client's showers, with the trained model's own as the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Geometry, VoxelShowers
from ..deploy import DeployedModel
from ..errors import FileFormatError, RangeError, UnitError
from ..evaluation import QUICK, evaluate
from ..random import Stream, normal
from .questions import Check, Client
from .verify import table_between

__all__ = ["judged"]

Array = NDArray[Any]
_NAME = "judged against the model"
_EVENTS = 1000
_CONDITIONS_SEED, _NOISE_SEED, _MODELS_SEED = 61, 62, 63
_SIGMAS = 7.0
"""Floor errors. The farthest of 366 scores of two such samples of one model lay 4.5 from its floor:
the distances of a thousand showers have a long tail."""


def judged(model: DeployedModel, client: Client, reference: Callable[[Array, int], Array]) -> Check:
    """Compare 1000 showers of a client with 1000 others of the model, by the quick suite.

    Classifiers are left out: with a thousand showers they see less than the histograms do.

    Args:
        model: the bundle.
        client: that draws from it.
        reference: the model's own showers, of conditions and a seed.
    """
    table = table_between(model, _EVENTS, _CONDITIONS_SEED)
    noise = normal(_NOISE_SEED, range(_EVENTS), model.noise_size, stream=Stream.NOISE)
    where = Geometry.from_dict(dict(model.manifest.raw["geometry"]))
    suite = QUICK.updated(classifiers=(), memorisation_limit=0, images=False, examples=0)
    generated, truth = (
        VoxelShowers(energies, table[:, 0], where)
        for energies in (client.run(noise, table), reference(table, _MODELS_SEED))
    )
    try:
        every = evaluate(generated, truth, suite=suite).scores
    except (UnitError, RangeError, FileFormatError) as error:
        of_the_model = str(error).startswith("reference")  # an untrained one, for instance
        return Check(_NAME, of_the_model, f"the judge takes no such showers: {error}")
    scores = [score for score in every if score.floor is not None and score.floor_error]
    pulls = {score.label: _pull(score.value, score.floor, score.floor_error) for score in scores}
    worst = max(pulls, key=lambda label: pulls[label])
    found = (
        f"{_EVENTS} showers, {len(pulls)} scores of the quick suite: farthest from its floor is "
        f"{worst} with {pulls[worst]:.1f} errors"
    )
    return Check(_NAME, bool(pulls[worst] < _SIGMAS), found)


def _pull(value: float, floor: float | None, error: float | None) -> float:
    assert floor is not None
    assert error
    return float(np.nan_to_num((value - floor) / error, nan=np.inf))
