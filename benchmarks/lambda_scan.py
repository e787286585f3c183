"""What a likeness term does to a GAN: shower-to-shower widths and energy response against lambda.

    python benchmarks/lambda_scan.py --train ecal18x72-train.hdf5 --test ecal18x72-test.hdf5 \
        --lambdas 0 0.01 0.1 1 10 100 --steps 600 --out lambda-scan.json

One :class:`~simulacra.generative.LikenessGan` per lambda, the same start, steps, order and noise
for all, and its showers under the conditions of the test file beside the simulation's; the first
row is the start, which is a regression and no GAN. ``docs/_build/lambda_picture.py`` draws what is
written. A readout layer's
*width* is that of what the conditions do not explain: its share of the incident energy minus a
polynomial of second degree in the conditions, fitted to each sample on its own. Printed is
the ratio of generated to simulated variance, as its mean over readout layers weighted with
the simulation's variance and for each layer in the file; and the response, the mean and the
relative width of total over incident energy, again after that fit. Errors are standard
deviations over resampled test showers: they know nothing of a second training.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simulacra.batch import Batch, Draws
from simulacra.data import GridLayer, open_showers
from simulacra.execute import atomic_text
from simulacra.generative import LikenessGan, LikenessGanConfig, ShowerLayout, initialised
from simulacra.preprocess import CellPlaces
from simulacra.random import Stream, generator

CONDITIONS = ("incident_energy", "theta", "phi", "x", "y", "pdg")
RESAMPLED = 100
SEED = 5

Array = NDArray[np.float64]


def read(path: Path, events: int | None) -> tuple[Array, Array]:
    """Return cell energies in MeV, ``(events, rows, cells)``, and conditions, in MeV, rad or mm."""
    with h5py.File(path) as file:
        columns = [file["incident_energies"][:events, 0]]
        columns += [file[name][:events] for name in CONDITIONS[1:]]
        return file["showers"][:events], np.stack(columns, axis=1).astype(np.float32)


def layout(path: Path, particles: Array) -> ShowerLayout:
    """Return the detector of a file, and the particles that come in."""
    geometry = open_showers(path).geometry
    assert geometry.rectangular
    return ShowerLayout(
        rings=(),
        threshold=geometry.threshold,
        conditions=CONDITIONS,
        cells=tuple(layer.shape for layer in geometry.layers),
        particles=tuple(int(pdg) for pdg in np.unique(particles)),
        places=tuple(
            CellPlaces(layer.x_edges, layer.y_edges, (layer.z_min, layer.z_max))
            for layer in geometry.layers
            if isinstance(layer, GridLayer)
        ),
    )


@dataclass(frozen=True)
class Start:
    """What all models of a scan begin with.

    Args:
        detector: its cells.
        x: encoded cell energies, ``(events, cells)``.
        condition: ``(events, conditions)``.
        constants: preprocessing, fitted once.
    """

    detector: ShowerLayout
    x: Tensor
    condition: Tensor
    constants: dict[str, Tensor]

    @classmethod
    def fitted(cls, showers: Array, condition: Array, detector: ShowerLayout) -> Start:
        """Fit the preprocessing and encode the training showers."""
        x, c = torch.from_numpy(showers).flatten(1), torch.from_numpy(condition)
        few = slice(0, CONSTANTS_FROM)
        model = cls(detector, x, c, {}).model(0.0)
        model.fit_constants(x[few], c[few], torch.ones(len(x[few])), Draws(SEED, 0, len(x[few])))
        encoded = torch.cat(
            [model.encode(a, b) for a, b in zip(x.split(2000), c.split(2000), strict=True)]
        )
        return cls(detector, encoded, c, model.start.state_dict())

    def model(self, likeness: float) -> LikenessGan:
        """Return an untrained model."""
        config = LikenessGanConfig(likeness=likeness)
        model = initialised(lambda: LikenessGan(config, self.detector), SEED)
        if self.constants:
            model.start.load_state_dict(self.constants)
        return model


def trained(start: Start, likeness: float, steps: int, batch: int) -> LikenessGan:
    """Train a model for some steps and return it with averaged weights."""
    x, c, model = start.x, start.condition, start.model(likeness)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.5, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
    )
    order = np.concatenate(
        [
            generator(SEED, Stream.ORDER, epoch).permutation(len(x))
            for epoch in range(steps * batch // len(x) + 1)
        ]
    )
    for step in range(steps):
        rows = torch.from_numpy(order[step * batch : (step + 1) * batch])
        chosen = Batch(x[rows], c[rows], torch.ones(len(rows)))
        loss = model.loss(chosen, Draws(SEED, step * batch, len(rows))).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
    module = average.module
    assert isinstance(module, LikenessGan)
    return module


def drawn(model: LikenessGan, asked: Array, shape: tuple[int, ...]) -> Array:
    """Return cell energies in MeV, ``(events, rows, cells)``, a piece at a time."""
    pieces = []
    with torch.no_grad():
        for first in range(0, len(asked), 1000):
            part = torch.from_numpy(asked[first : first + 1000])
            noise = Draws(SEED, first, len(part)).normal(model.noise_size, Stream.NOISE)
            pieces.append(model.draw(part, noise).numpy())
    return np.concatenate(pieces).reshape(shape)


def unexplained(values: Array, condition: Array) -> Array:
    """Return values minus their polynomial of second degree in the conditions, same shape."""
    energy, theta, phi, x, y, pdg = condition.T.astype(float)
    tilt = np.sin(theta)
    c = np.stack([np.log(energy), tilt * np.cos(phi), tilt * np.sin(phi), x, y, pdg == 22], axis=1)
    c = (c - c.mean(axis=0)) / c.std(axis=0)
    products = [c[:, i] * c[:, j] for i in range(c.shape[1]) for j in range(i, c.shape[1])]
    terms = np.stack([np.ones(len(c)), *c.T, *products], axis=1)
    found, *_ = np.linalg.lstsq(terms, values, rcond=None)
    rest: Array = values - terms @ found
    return rest


def numbers(showers: Array, condition: Array) -> dict[str, Array]:
    """Return residual shares of the layers and of the whole, and the whole itself, per event."""
    shares = showers.sum(axis=2, dtype=float) / condition[:, :1]
    total = shares.sum(axis=1)
    return {
        "layers": unexplained(shares, condition),
        "rest": unexplained(total, condition),
        "total": total,
    }


def compared(made: dict[str, Array], simulated: dict[str, Array], rows: Array) -> dict[str, Array]:
    """Return the numbers of the table for some events."""
    width, true = made["layers"][rows].var(axis=0), simulated["layers"][rows].var(axis=0)
    response, expected = made["total"][rows].mean(), simulated["total"][rows].mean()
    return {
        "variance_ratio": width.sum() / true.sum(),
        "variance_ratio_by_layer": width / np.maximum(true, 1e-12),
        "response": response,
        "response_ratio": response / expected,
        "resolution": made["rest"][rows].std() / response,
        "resolution_simulated": simulated["rest"][rows].std() / expected,
    }


def with_errors(made: dict[str, Array], simulated: dict[str, Array]) -> dict[str, object]:
    """Return each number with the standard deviation over resampled events."""
    events = len(made["total"])
    values = compared(made, simulated, np.arange(events))
    draws = [
        compared(
            made, simulated, generator(SEED, Stream.BOOTSTRAP, i).integers(events, size=events)
        )
        for i in range(RESAMPLED)
    ]
    return {
        name: {
            "value": np.asarray(value).tolist(),
            "error": np.std([draw[name] for draw in draws], axis=0).tolist(),
        }
        for name, value in values.items()
    }


def main() -> None:
    """Train, draw, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0, 0.01, 0.1, 1, 10, 100])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--events", type=int, default=None, help="training events, default all")
    parser.add_argument("--out", type=Path, default=Path("lambda-scan.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    showers, condition = read(given.train, given.events)
    truth, asked = read(given.test, None)
    start = Start.fitted(showers, condition, layout(given.train, condition[:, -1]))
    simulated, rows = numbers(truth, asked), []
    print("lambda   variance ratio   response ratio   resolution (simulated)   seconds")
    for likeness in (None, *given.lambdas):
        before = time.process_time()
        steps = 0 if likeness is None else given.steps
        model = trained(start, likeness or 0.0, steps, given.batch)
        seconds = time.process_time() - before
        made = numbers(drawn(model, asked, truth.shape), asked)
        row = {"lambda": likeness, **with_errors(made, simulated), "processor_seconds": seconds}
        rows.append(row)
        print(line(row), flush=True)
        atomic_text(given.out, json.dumps({"steps": given.steps, "rows": rows}, indent=1))


def line(row: dict[str, object]) -> str:
    """Return a row of the table."""

    def with_error(name: str) -> str:
        number = row[name]
        return f"{number['value']:.3f} +- {number['error']:.3f}"

    name = "start" if row["lambda"] is None else f"{row['lambda']:g}"
    return (
        f"{name:>6}   {with_error('variance_ratio')}   {with_error('response_ratio')}   "
        f"{with_error('resolution')} ({row['resolution_simulated']['value']:.3f})   "
        f"{row['processor_seconds']:.0f}"
    )


RATE = 1e-3
CONSTANTS_FROM = 8000  # showers

if __name__ == "__main__":
    main()
