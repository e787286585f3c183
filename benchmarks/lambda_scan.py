"""What a likeness term does to a GAN: shower-to-shower widths and energy response against lambda.

    python benchmarks/lambda_scan.py --train ecal18x72-train.hdf5 --test ecal18x72-test.hdf5 \
        --lambdas 0 1 10 100 --steps 2000 --out lambda-scan.json

One :class:`~simulacra.generative.LikenessGan` per lambda, the same steps, order and noise for all,
and its showers under the conditions of the test file beside the simulation's. A readout layer's
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
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from simulacra.batch import Batch, Draws
from simulacra.execute import atomic_text
from simulacra.generative import LikenessGan, LikenessGanConfig, initialised
from simulacra.random import Stream, generator

CONDITIONS = ("incident_energy", "direction_x", "direction_y", "x", "y", "is_photon")
PHOTON = 22
RESAMPLED = 100
SEED = 5

Array = NDArray[np.float64]


def read(path: Path, events: int | None) -> tuple[Array, Array]:
    """Return cell energies in MeV, ``(events, rows, cells)``, and conditions, in MeV, mm or 1."""
    with h5py.File(path) as file:
        part = {name: file[name][:events] for name in file}
    theta, phi = part["theta"], part["phi"]
    columns = [
        part["incident_energies"][:, 0],
        np.sin(theta) * np.cos(phi),
        np.sin(theta) * np.sin(phi),
        part["x"],
        part["y"],
        part["pdg"] == PHOTON,
    ]
    return part["showers"], np.stack(columns, axis=1).astype(np.float32)


def trained(
    likeness: float, showers: Array, condition: Array, steps: int, batch: int
) -> LikenessGan:
    """Train a model for some steps and return it with averaged weights."""
    _, rows, cells = showers.shape
    model = initialised(
        lambda: LikenessGan(LikenessGanConfig(likeness=likeness), rows, cells, CONDITIONS), SEED
    )
    x, c = torch.from_numpy(showers).flatten(1), torch.from_numpy(condition)
    ones = torch.ones(len(x))
    model.fit_constants(x, c, ones, Draws(SEED, 0, len(x)))
    x = model.encode(x, c)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.5, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    )
    order = np.concatenate(
        [
            generator(SEED, Stream.ORDER, epoch).permutation(len(x))
            for epoch in range(steps * batch // len(x) + 1)
        ]
    )
    for step in range(steps):
        rows_of = torch.from_numpy(order[step * batch : (step + 1) * batch])
        chosen = Batch(x[rows_of], c[rows_of], ones[: len(rows_of)])
        loss = model.loss(chosen, Draws(SEED, step * batch, len(rows_of))).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
    module = average.module
    assert isinstance(module, LikenessGan)
    return module


def unexplained(values: Array, condition: Array) -> Array:
    """Return values minus their polynomial of second degree in the conditions, same shape."""
    c = np.concatenate([np.log(condition[:, :1]), condition[:, 1:]], axis=1).astype(float)
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
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0, 1, 10, 100])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--events", type=int, default=None, help="training events, default all")
    parser.add_argument("--out", type=Path, default=Path("lambda-scan.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    showers, condition = read(given.train, given.events)
    truth, asked = read(given.test, None)
    simulated, rows = numbers(truth, asked), []
    print("lambda   variance ratio   response ratio   resolution (simulated)   seconds")
    for likeness in given.lambdas:
        start = time.process_time()
        model = trained(likeness, showers, condition, given.steps, given.batch)
        seconds = time.process_time() - start
        noise = Draws(SEED, 0, len(asked)).normal(model.noise_size, Stream.NOISE)
        with torch.no_grad():
            drawn = model.draw(torch.from_numpy(asked), noise).reshape(truth.shape).numpy()
        row = {"lambda": likeness, **with_errors(numbers(drawn, asked), simulated)}
        row["processor_seconds"] = seconds
        rows.append(row)
        print(line(row), flush=True)
        atomic_text(given.out, json.dumps({"steps": given.steps, "rows": rows}, indent=1))


def line(row: dict[str, object]) -> str:
    """Return a row of the table."""

    def with_error(name: str) -> str:
        number = row[name]
        return f"{number['value']:.3f} +- {number['error']:.3f}"

    return (
        f"{row['lambda']:6g}   {with_error('variance_ratio')}   {with_error('response_ratio')}   "
        f"{with_error('resolution')} ({row['resolution_simulated']['value']:.3f})   "
        f"{row['processor_seconds']:.0f}"
    )


RATE = 1e-3

if __name__ == "__main__":
    main()
