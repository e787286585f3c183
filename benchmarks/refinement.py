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
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from simulacra.classify import RatioConfig
from simulacra.data import open_showers
from simulacra.execute import atomic_text
from simulacra.tasks.calorimeter import Surrogate, find_model
from simulacra.tasks.refinement import Reweighter, ReweighterConfig, Samples, diagnose, shower_table


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
        "seconds": {
            "draw": drawing,
            "observe": observing,
            "weigh": weighing,
            "learn": learning,
        },
    }
    atomic_text(options.out, json.dumps(found, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="photons-fast", help="name or folder of a surrogate")
    parser.add_argument("--train", type=Path, required=True, help="showers to learn from")
    parser.add_argument("--test", type=Path, required=True, help="showers to judge with only")
    parser.add_argument("--events", type=int, default=60_000, help="showers to learn from")
    parser.add_argument("--largest", type=float, nargs="+", default=[2.0, 5.0, 20.0, 100.0])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("refinement.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
