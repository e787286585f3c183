"""Hidden settings of Pythia found again by weights that know the settings (DCTR).

    python benchmarks/tuning.py --samples tuning.npz --out tuning.json

Hadrons of e+e- at the Z pole: the coupling of the shower, a of Lund's fragmentation and the share
of strange quarks vary over the ranges below. An ensemble learns on 27 observables of an event (see
:func:`summaries`) from the default tune and from ``points`` tunes of ``each`` events. Then it is
shown ``events`` events of tunes that it has not seen, without their settings, and fresh ones of
the default: first ``calibration`` tunes, which tell how large the networks' own error is; then the
three of ``HIDDEN`` and ``hidden`` random ones, which only judge. Printed: for the three the
settings found with both errors and the pull, and the mean multiplicity; for all hidden ones the
width of the pulls, which is 1 for honest errors, the largest pull and the largest error.
``--samples`` keeps the simulated events between runs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from simulacra.classify import RatioConfig
from simulacra.data.events import Ragged
from simulacra.data.weights import effective_events
from simulacra.execute import atomic_path, atomic_text
from simulacra.random import Stream, generator
from simulacra.simulate import collide, collisions
from simulacra.tasks.refinement import ParameterReweighter
from simulacra.units import GeV

SETTINGS = {
    "TimeShower:alphaSvalue": (0.10, 0.17, 0.1365),
    "StringZ:aLund": (0.4, 1.0, 0.68),
    "StringFlav:probStoUD": (0.12, 0.32, 0.217),
}
"""Low and high end of each range, and the default."""

HIDDEN = ((0.1365, 0.68, 0.217), (0.12, 0.60, 0.25), (0.16, 0.80, 0.18))
INNER = 0.8  # part of each range that random hidden tunes are from: at an edge a fit is cut off
MOMENTA_GEV = (0.0, 0.3, 0.6, 1.0, 1.7, 3.0, 5.5, 10.0, 100.0)
RAPIDITIES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 100.0)
MULTIPLICITY = (3, 4)  # columns of the charged and of the neutral particles' numbers

Array = NDArray[np.float64]


def simulated(theta: Array, events: int, seed: int) -> NDArray[np.float32]:
    """Return the observables of events of one tune, ``(events, 27)``."""
    lines = tuple(f"{name} = {value:.6g}" for name, value in zip(SETTINGS, theta, strict=True))
    process = collisions("ee-hadrons").updated(extra=lines, hard=False)
    return summaries(collide(process, range(events), seed=seed)["particles"])


def summaries(particles: Ragged) -> NDArray[np.float32]:
    """Return what a network sees of each event, ``(events, 27)``.

    Thrust along the axis of the linear momentum tensor and its two smaller eigenvalues; numbers of
    charged and neutral particles, kaons, nucleons and kaons above 3 GeV; charged particles in bins
    of momentum and of rapidity about the axis; the largest momentum of them, and their sums of ln p
    and of ln p across the axis, in GeV.
    """
    event, events = particles.event, len(particles)

    def summed(of: NDArray[np.generic]) -> Array:
        return np.bincount(event, np.asarray(of, np.float64), minlength=events)

    momenta = np.stack([particles[n] for n in ("px", "py", "pz")], axis=1) / GeV
    mass, charged = particles["mass"] / GeV, particles["charge"] != 0
    p = np.maximum(np.linalg.norm(momenta, axis=1), 1e-3)
    tensors = np.zeros((events, 3, 3))
    np.add.at(tensors, event, momenta[:, :, None] * momenta[:, None, :] / p[:, None, None])
    total = summed(p)
    shapes, axes = np.linalg.eigh(tensors / total[:, None, None])
    along = np.abs((momenta * axes[event][:, :, 2]).sum(axis=1))
    across = np.sqrt(np.maximum(p**2 - along**2, 1e-6))
    rapidity = np.log((np.hypot(p, mass) + along) / np.hypot(across, mass))
    kind = np.abs(particles["pdg"])
    kaon, nucleon = np.isin(kind, (130, 310, 321)), np.isin(kind, (2112, 2212))
    columns = [summed(along) / total, shapes[:, 0], shapes[:, 1]]
    columns += [summed(one) for one in (charged, ~charged, kaon, nucleon)]
    for values, edges in ((p, MOMENTA_GEV), (rapidity, RAPIDITIES)):
        place = np.digitize(values, edges) - 1
        columns += [summed(charged & (place == i)) for i in range(len(edges) - 1)]
    hardest = np.zeros(events)
    np.maximum.at(hardest, event, np.where(charged, p, 0.0))
    columns += [summed(kaon & (p > 3)), hardest]
    columns += [summed(np.where(charged, np.log(of), 0.0)) for of in (across, p)]
    return np.stack(columns, axis=1).astype(np.float32)


def samples(options: argparse.Namespace) -> dict[str, Array]:
    """Simulate all that is needed, or read what an earlier run has kept."""
    if options.samples and options.samples.exists():
        with np.load(options.samples) as kept:
            return dict(kept)
    start = time.process_time()
    low, high, default = (np.array(column) for column in zip(*SETTINGS.values(), strict=True))
    rng = generator(options.seed, Stream.SPLIT)

    def tunes(count: int, part: float) -> Array:
        unit = 0.5 + part * (rng.random((count, len(low))) - 0.5)
        return np.asarray(low + unit * (high - low))

    found = {
        "varied_tunes": tunes(options.points, 1.0),
        "calibration_tunes": tunes(options.calibration, INNER),
        "hidden_tunes": np.concatenate([np.array(HIDDEN), tunes(options.hidden, INNER)]),
    }
    number = 1000 * options.seed
    for name, events in (
        ("varied", options.each),
        ("calibration", options.events),
        ("hidden", options.events),
    ):
        rows = []
        for theta in found[f"{name}_tunes"]:
            number += 1
            rows.append(simulated(theta, events, number))
        found[name] = np.stack(rows)
        print(f"{name}: {time.process_time() - start:.0f} s of one core", flush=True)
    found["default"] = simulated(default, options.points * options.each, number + 1)
    found["fresh"] = simulated(default, options.fresh, number + 2)
    found["seconds"] = np.array(time.process_time() - start)
    if options.samples:
        with atomic_path(options.samples) as path, path.open("wb") as file:
            np.savez(file, **found)
    return found


def main() -> None:
    """Simulate, learn, calibrate, find, print."""
    options = _options()
    torch.set_num_threads(1)
    events = samples(options)
    start = time.process_time()
    method = ParameterReweighter(
        RatioConfig(
            width=options.width,
            hidden=2,
            epochs=options.epochs,
            batch=2000,
            learning_rate=options.rate,
            networks=options.networks,
            threads=1,
        )
    )
    varied, each = events["varied"], events["varied"].shape[1]
    method.fit(
        events["default"],
        varied.reshape(-1, varied.shape[-1]),
        np.repeat(events["varied_tunes"], each, axis=0),
        seed=options.seed,
    )
    learning = time.process_time() - start
    start = time.process_time()
    known = zip(events["calibration"], events["calibration_tunes"], strict=True)
    factor = method.calibrate([(method.estimate(x, events["fresh"]), t) for x, t in known])
    calibrating = time.process_time() - start
    print(
        f"{float(events['seconds']):.0f} s of one core to simulate, {learning:.0f} s to learn, "
        f"{calibrating:.0f} s to calibrate; networks' error {factor:.2f} of their spread",
        flush=True,
    )
    start = time.process_time()
    rows = []
    for data, truth in zip(events["hidden"], events["hidden_tunes"], strict=True):
        rows.append(found_again(method, data, truth, events["fresh"]))
        if len(rows) <= len(HIDDEN):
            show(rows[-1])
    pulls = np.array([row["pulls"] for row in rows])
    shares = np.array([row["error over range"] for row in rows])
    widths = np.sqrt((pulls**2).mean(axis=0))
    print(
        f"{len(rows)} hidden tunes: pulls of width "
        + ", ".join(f"{width:.2f}" for width in widths)
        + f" ({np.sqrt((pulls**2).mean()):.2f} of all, its own error "
        f"{1 / np.sqrt(2 * pulls.size):.2f}), largest {np.abs(pulls).max():.1f}; largest error "
        f"{100 * shares.max():.1f} % of the range; "
        f"{(time.process_time() - start) / len(rows):.0f} s to find each"
    )
    summary = {
        "simulate": float(events["seconds"]),
        "learn": learning,
        "calibrate": calibrating,
        "factor": factor,
        "pull widths": widths.tolist(),
        "largest pull": float(np.abs(pulls).max()),
        "largest error over range": float(shares.max()),
        "tunes": rows,
    }
    atomic_text(options.out, json.dumps(summary, indent=1) + "\n")


def found_again(
    method: ParameterReweighter, data: Array, truth: Array, fresh: Array
) -> dict[str, Any]:
    """Return what was found for one hidden tune beside the truth, as plain data."""
    low, high, _ = (np.array(column) for column in zip(*SETTINGS.values(), strict=True))
    found = method.estimate(data, fresh)
    weights = method.predict_weights(fresh, found.values)
    counts = [one[:, MULTIPLICITY].sum(axis=1) for one in (data, fresh)]
    means = counts[0].mean(), counts[1].mean(), np.average(counts[1], weights=weights)
    return {
        "hidden": truth.tolist(),
        "found": found.values.tolist(),
        "errors": found.errors.tolist(),
        "statistical errors": found.statistical_errors.tolist(),
        "network errors": found.network_errors.tolist(),
        "pulls": ((found.values - truth) / found.errors).tolist(),
        "error over range": (found.errors / (high - low)).tolist(),
        "multiplicity": [float(mean) for mean in means],
        "kept": effective_events(weights) / len(weights),
        "at edge": found.at_edge,
    }


def show(row: dict[str, Any]) -> None:
    """Print what was found for one tune."""
    for i, name in enumerate(SETTINGS):
        print(
            f"{name}: hidden {row['hidden'][i]:.4f}, found {row['found'][i]:.4f} ± "
            f"{row['statistical errors'][i]:.4f} (events) ± {row['network errors'][i]:.4f} "
            f"(networks), pull {row['pulls'][i]:+.1f}, error "
            f"{100 * row['error over range'][i]:.1f} % of the range"
        )
    data, default, weighted = row["multiplicity"]
    print(
        f"multiplicity: data {data:.2f}, default {default:.2f}, weighted {weighted:.2f} with "
        f"{100 * row['kept']:.0f} % effective",
        flush=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=1500, help="tunes to learn from")
    parser.add_argument("--each", type=int, default=240, help="events of each")
    parser.add_argument("--calibration", type=int, default=24, help="tunes to calibrate with")
    parser.add_argument("--hidden", type=int, default=20, help="random tunes to judge with")
    parser.add_argument("--events", type=int, default=12_000, help="events of each of these")
    parser.add_argument("--fresh", type=int, default=20_000, help="default events beside them")
    parser.add_argument("--networks", type=int, default=6, help="of the ensemble")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=4e-4, help="of learning, constant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=Path, default=None, help="keeps the simulated events")
    parser.add_argument("--out", type=Path, default=Path("tuning.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
