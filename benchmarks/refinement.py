"""What weights buy on generated showers: the judge's area, the effective size, the time.

    python benchmarks/refinement.py --model photons-fast --train photons-train.hdf5 \
        --test photons-test.hdf5 --events 60000 --out refinement.json

DCTRGAN on a shipped or trained surrogate: showers are drawn under the incident energies of the
training file, the ratio of simulated and generated ones is learned on the judge's high-level
observables, and other drawn showers get its weights. These are judged against the test file, which
nothing has learned from, by classifiers trained anew before and after. Printed are the areas under
the curve with their errors, the effective number of weighted showers, the share of simulated
showers that the model does not cover, and times per shower. With several ``--largest`` the factors
are cut at each of them: a smaller cut keeps more effective showers and corrects less.

With ``--latent N`` the weights of N generated showers are pulled back to the noise that they were
made of, and showers of weight 1 are drawn (R. Winterhalder, M. Bellagente, B. Nachman, "Latent
space refinement for deep generative models", 2021, https://arxiv.org/abs/2106.00792): *noise* by
Hamiltonian Monte Carlo in a network's weights of the noise, and *redrawn* by drawing the noise
of a shower again until a shower is accepted with the probability of its weight over the
largest, at its own incident energy.
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
from simulacra.data import open_showers
from simulacra.execute import atomic_text
from simulacra.random import Stream, generator, normal
from simulacra.tasks.calorimeter import Surrogate, find_model
from simulacra.tasks.refinement import (
    NoiseConfig,
    NoiseRefiner,
    Reweighter,
    ReweighterConfig,
    Samples,
    diagnose,
    redraw,
    shower_table,
)

Array = NDArray[np.float32]

TILE = 4096  # showers drawn at once
FEW = NoiseConfig(width=64, hidden=1, epochs=5, learning_rate=3e-3, decay=0.3)  # small


def main() -> None:
    """Draw, reweight, judge, print."""
    options = _options()
    torch.set_num_threads(1)
    train, test = open_showers(options.train), open_showers(options.test)
    model = Surrogate.load(find_model(options.model))
    judged = min(len(test), len(train) - options.events)
    start = time.process_time()
    energies = np.asarray(train.incident_energy()[: options.events + judged])
    drawn = [model.sample(energies, seed=options.seed)]
    drawing = (time.process_time() - start) / len(energies)
    start = time.process_time()
    generated, _ = shower_table(drawn)
    observing = (time.process_time() - start) / len(energies)
    simulated, _ = shower_table([train.read(0, options.events)])
    reference, _ = shower_table([test.read(0, judged)])
    source, fresh = generated[: options.events], generated[options.events :]
    start = time.process_time()
    ratio = RatioConfig(width=128, networks=options.networks, epochs=options.epochs, threads=1)
    method = Reweighter(ReweighterConfig(ratio=ratio))
    method.fit(source, simulated, seed=options.seed)
    learning = time.process_time() - start
    start = time.process_time()
    weights = method.predict_weights(fresh)
    weighing = (time.process_time() - start) / len(fresh)
    held_out = Samples.of(fresh, reference)
    rows = []
    for largest in options.largest:
        cut = np.minimum(weights, largest)
        diagnosis = diagnose(held_out, fresh, cut, seed=options.seed)
        rows.append({"largest": largest, **diagnosis.to_dict()})
        print(f"{options.model}, factors up to {largest:g}: {diagnosis.sentence}", flush=True)
    latent: dict[str, Any] = {}
    if options.latent:
        latent = latent_rows(options, model, method, energies[options.events :], held_out)
    print(
        f"per shower: {1e3 * drawing:.3f} ms to draw, {1e3 * observing:.3f} ms to observe, "
        f"{1e3 * weighing:.4f} ms to weigh; {learning:.0f} s of one core to learn from "
        f"{options.events} + {options.events} showers"
    )
    found = {
        "model": options.model,
        "events": options.events,
        "judged": judged,
        "rows": rows,
        "latent": latent,
        "seconds": {
            "draw": drawing,
            "observe": observing,
            "weigh": weighing,
            "learn": learning,
        },
    }
    atomic_text(options.out, json.dumps(found, indent=1) + "\n")


def latent_rows(
    options: argparse.Namespace,
    model: Surrogate,
    method: Reweighter,
    energies: Array,
    held_out: Samples,
) -> dict[str, Any]:
    """Draw showers of weight 1 from refined noise, judge them, print what a shower costs."""
    size = model.model.noise_size
    rng = generator(options.seed, Stream.INCIDENT_ENERGY)
    given = rng.choice(energies, options.latent)

    def made(noise: Array, which: NDArray[np.int64]) -> tuple[Array, Array]:
        rows = from_noise(model, noise, energies[which])
        return rows, method.predict_weights(rows)

    start = time.process_time()
    noise = normal(options.seed + 1, np.arange(options.latent), size)
    weights = np.minimum(method.predict_weights(from_noise(model, noise, given)), 5.0)
    pulled = NoiseRefiner(FEW).fit(noise, weights, np.log(given), seed=options.seed)
    seconds = {"learn": time.process_time() - start}
    unseen = normal(options.seed + 2, np.arange(len(energies)), size)
    true = np.log(np.minimum(method.predict_weights(from_noise(model, unseen, energies)), 5.0))
    known = float(np.corrcoef(pulled.log_weight(unseen, np.log(energies)), true)[0, 1])
    start = time.process_time()
    drawn, accepted = pulled.draw(len(energies), np.log(energies), seed=options.seed + 3)
    seconds["refine noise"] = (time.process_time() - start) / len(energies)
    samples = {"noise": from_noise(model, drawn, energies)}
    draws = {}
    for largest in options.largest:
        name = f"redrawn, factors up to {largest:g}"
        start = time.process_time()
        again = redraw(made, len(energies), size, largest=largest, seed=options.seed)
        seconds[name] = (time.process_time() - start) / len(energies)
        samples[name], draws[name] = again.events, float(again.draws.mean())
        print(f"{name}: {draws[name]:.2f} draws, {1e3 * seconds[name]:.2f} ms a shower in all")
    found: dict[str, Any] = {"seconds": seconds, "correlation": known, "draws": draws}
    for name, rows in samples.items():
        diagnosis = diagnose(held_out, rows, np.ones(len(rows)), seed=options.seed)
        found[name] = diagnosis.to_dict()
        print(f"{options.model}, {name}: {diagnosis.sentence}", flush=True)
    print(
        f"noise: {seconds['learn']:.0f} s to draw, weigh and learn {options.latent} showers; "
        f"correlation {known:.2f} with unseen showers' ln w; {100 * accepted.mean():.0f} % of "
        f"proposals taken; {1e3 * seconds['refine noise']:.2f} ms a shower before it is drawn"
    )
    return found


def from_noise(model: Surrogate, noise: Array, energies: Array) -> NDArray[np.float64]:
    """Return the observables of the showers that a model makes of noise, a tile at a time."""
    tables = []
    for start in range(0, len(noise), TILE):
        given = model.condition_table(energies[start : start + TILE], {})
        tile = torch.from_numpy(noise[start : start + TILE])
        with torch.no_grad():
            drawn = model.model.draw(torch.from_numpy(given), tile).numpy()
        showers = model.showers(drawn.astype(np.float32), given, seed=0)
        tables.append(shower_table([showers])[0])
    return np.concatenate(tables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="photons-fast", help="name or folder of a surrogate")
    parser.add_argument("--train", type=Path, required=True, help="showers to learn from")
    parser.add_argument("--test", type=Path, required=True, help="showers to judge with only")
    parser.add_argument("--events", type=int, default=60_000, help="showers to learn from")
    parser.add_argument("--largest", type=float, nargs="+", default=[2.0, 5.0, 20.0, 100.0])
    parser.add_argument("--latent", type=int, default=0, help="showers to learn noise from")
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("refinement.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
