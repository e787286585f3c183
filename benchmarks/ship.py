"""Judge a trained model by the full protocol and put it into the package with its card.

    python benchmarks/ship.py runs/photons --reference photons-test.hdf5 --out src/simulacra/models

The shipped `photons` was judged with `--suite benchmarks/one-split.yaml`, `photons-fast` with
`--suite quick`, `electrons-copula` with `--suite ranking`.

Draws as many showers as the reference has, with its incident particles; runs the challenge's
classifiers on rotated splits, each in a process of one thread; times sampling; writes the folder
with scores in its manifest. The models themselves are made by `simulacra train`; the command is in
their cards.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from simulacra.data import open_showers
from simulacra.evaluation import Verdict, evaluate
from simulacra.evaluation.timing import time_sampling
from simulacra.tasks.calorimeter import Surrogate, sample_to_file
from simulacra.tasks.calorimeter.drawing import particles_like
from simulacra.tasks.calorimeter.speed import operations_per_shower, sampler


def main() -> None:
    """Run the steps; the whole verdict is kept beside the model that was judged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of the trained model")
    parser.add_argument("--reference", type=Path, required=True, help="showers never trained on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shipped models")
    parser.add_argument("--suite", default="calochallenge")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tile", type=int, help="showers computed together from now on")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 100, 1000, 10000])
    parser.add_argument("--verdict", type=Path, help="of `simulacra evaluate`, in place of judging")
    parser.add_argument("--failure", action="append", default=[], help="a known failure, in words")
    given = parser.parse_args()

    surrogate = Surrogate.load(given.model)
    if given.tile:
        surrogate.retile(given.tile)
    verdict = Verdict.load(given.verdict) if given.verdict else _judged(surrogate, given)
    scores = [
        vars(score) for score in verdict.scores if score.layer is None and "@" not in score.name
    ]
    times = given.batches and time_sampling(
        sampler(surrogate, seed=given.seed, workers=given.threads),
        batches=given.batches,
        operations=operations_per_shower(surrogate),
        threads=given.threads,
    )
    for entry in [*scores, *(time.to_dict() for time in times)]:
        print(json.dumps(entry))
    surrogate.scored(
        scores=[_short(score) for score in scores],
        suite_label=verdict.suite_label,
        comparable=verdict.comparable,
        judged_on={
            "file": given.reference.name,
            "sha256": verdict.reference.sha256,
            "events": verdict.reference.events,
            "seed": given.seed,
        },
        timing={
            f"normalised_ms_at_batch_{time.batch}": round(time.normalised_milliseconds, 4)
            for time in times
        },
        training={
            **surrogate.manifest["training"],
            "distribution": "the training file is not distributed with the package",
        },
        known_failures=given.failure or ["see the scores that exceed their floors"],
    )
    surrogate.save(given.out / surrogate.config.name)


def _judged(surrogate: Surrogate, given: argparse.Namespace) -> Verdict:
    """Draw as many showers as the reference has and judge them."""
    reference = open_showers(given.reference)
    showers = given.model / "judged.hdf5"
    particles = particles_like(reference, surrogate.config.conditions)
    sample_to_file(surrogate, showers, particles, seed=given.seed, workers=given.threads)
    kept = given.model / f"verdict-{Path(given.suite).stem}.json"
    verdict = Verdict.load(kept) if kept.exists() else None
    if verdict is None or verdict.generated.sha256 != open_showers(showers).digest():
        verdict = evaluate(
            showers,
            given.reference,
            suite=given.suite,
            seed=given.seed,
            threads=1,
            workers=given.threads,
            folder=given.model / "retrainings",
        )
        verdict.save(kept)
    return verdict


def _short(score: dict[str, object]) -> dict[str, object]:
    kept = ("name", "label", "value", "error", "floor", "floor_error", "unit", "protocol")
    return {key: score[key] for key in (*kept, "comparable", "cannot_see")}


if __name__ == "__main__":
    main()
