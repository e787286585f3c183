"""Hidden settings of Pythia found again by a reweighter of particle clouds (DCTR).

    python benchmarks/tuning.py --points 150 --each 200 --events 5000 --epochs 10 --out tuning.json

Hadrons of e+e- at the Z pole: the coupling of the shower, a of Lund's fragmentation and the share
of strange quarks vary over the ranges below. The reweighter learns on sets of particles from the
default tune and from ``points`` tunes of ``each`` events; then it is shown ``events`` events of a
tune that it has not seen, without the settings, and as many of the default. Printed for each
hidden tune: the settings found with their errors, the pull, and the error over the range; and for
the mean multiplicity, which is not an input, the default's before and after weights.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from simulacra.classify import Clouds, RatioConfig
from simulacra.data.events import Ragged
from simulacra.data.weights import effective_events
from simulacra.execute import atomic_text
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

HIDDEN = ((0.12, 0.60, 0.25), (0.16, 0.80, 0.18), (0.1365, 0.68, 0.217))
PLACES = 56  # of the hardest particles of an event

Array = NDArray[np.float64]


def simulated(theta: Array, events: int, seed: int) -> Clouds:
    """Return events of one tune as sets of particles."""
    lines = tuple(f"{name} = {value:.6g}" for name, value in zip(SETTINGS, theta, strict=True))
    process = collisions("ee-hadrons").updated(extra=lines, hard=False)
    return clouds(collide(process, range(events), seed=seed)["particles"])


def clouds(particles: Ragged) -> Clouds:
    """Return what a network sees of each particle, about the axis of the event's sphericity."""
    momenta = np.stack([particles[n] for n in ("px", "py", "pz")], axis=1)
    event, events = particles.event, len(particles)
    tensors = np.zeros((events, 3, 3))
    np.add.at(tensors, event, momenta[:, :, None] * momenta[:, None, :])
    axis = np.linalg.eigh(tensors)[1][:, :, -1]
    p = np.linalg.norm(momenta, axis=1)
    along = np.abs((momenta * axis[event]).sum(axis=1))
    energy = np.hypot(p, particles["mass"])
    across = np.sqrt(np.maximum(p**2 - along**2, 1.0))
    kind = np.abs(particles["pdg"])
    columns = np.stack(
        [
            np.log(np.maximum(p, 1.0) / GeV),
            np.log((energy + along) / np.hypot(across, particles["mass"])),
            np.log(across / GeV),
            particles["charge"] != 0,
            np.isin(kind, (130, 310, 321)),
            np.isin(kind, (2112, 2212)),
        ],
        axis=1,
    ).astype(np.float32)
    order = np.lexsort((-p, event))
    place = np.arange(len(order)) - particles.offsets[event[order]]
    kept = place < PLACES
    points = np.zeros((events, PLACES, columns.shape[1]), np.float32)
    mask = np.zeros((events, PLACES), bool)
    points[event[order][kept], place[kept]] = columns[order][kept]
    mask[event[order][kept], place[kept]] = True
    return Clouds(points, mask)


def joined(parts: list[Clouds]) -> Clouds:
    """Put sets one after another."""
    return Clouds(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("points", "mask")))


def main() -> None:
    """Simulate, learn, hide, find, print."""
    options = _options()
    torch.set_num_threads(1)
    low, high, default = (np.array(column) for column in zip(*SETTINGS.values(), strict=True))
    start = time.process_time()
    rng = generator(options.seed, Stream.SPLIT)
    tunes = low + rng.random((options.points, len(low))) * (high - low)
    varied = joined(
        [simulated(t, options.each, seed=options.seed + 100 + i) for i, t in enumerate(tunes)]
    )
    base = simulated(default, options.points * options.each, seed=options.seed)
    simulating = time.process_time() - start
    start = time.process_time()
    config = RatioConfig(
        width=options.width, hidden=2, epochs=options.epochs, patience=5, threads=1
    )
    method = ParameterReweighter(config)
    method.fit(base, varied, np.repeat(tunes, options.each, axis=0), seed=options.seed)
    learning = time.process_time() - start
    print(f"{simulating:.0f} s of one core to simulate, {learning:.0f} s to learn", flush=True)
    fresh = simulated(default, options.events, seed=options.seed + 1)
    rows = []
    for number, truth in enumerate(HIDDEN):
        data = simulated(np.array(truth), options.events, seed=options.seed + 10 + number)
        start = time.process_time()
        found = method.estimate(data, fresh)
        seconds = time.process_time() - start
        weights = method.predict_weights(fresh, found.values)
        counts = [one.mask.sum(axis=1) for one in (data, fresh)]
        means = counts[0].mean(), counts[1].mean(), np.average(counts[1], weights=weights)
        pulls = (found.values - truth) / found.errors
        shares = found.errors / (high - low)
        rows.append(
            {
                "hidden": truth,
                "found": found.values.tolist(),
                "errors": found.errors.tolist(),
                "pulls": pulls.tolist(),
                "error over range": shares.tolist(),
                "multiplicity": [float(m) for m in means],
                "kept": effective_events(weights) / len(weights),
                "seconds": seconds,
            }
        )
        for i, name in enumerate(SETTINGS):
            print(
                f"{name}: hidden {truth[i]:.4f}, found {found.values[i]:.4f} ± "
                f"{found.errors[i]:.4f}, pull {pulls[i]:+.1f}, error {100 * shares[i]:.1f} % of "
                "the range"
            )
        print(
            f"multiplicity: data {means[0]:.2f}, default {means[1]:.2f}, weighted {means[2]:.2f} "
            f"with {100 * rows[-1]['kept']:.0f} % effective; {seconds:.0f} s to find",
            flush=True,
        )
    found_all = {"simulate": simulating, "learn": learning, "tunes": rows}
    atomic_text(options.out, json.dumps(found_all, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=200, help="tunes to learn from")
    parser.add_argument("--each", type=int, default=200, help="events of each")
    parser.add_argument("--events", type=int, default=20_000, help="events of a hidden tune")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("tuning.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
