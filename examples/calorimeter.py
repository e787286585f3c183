"""The calorimeter room in one page: learn showers, draw new ones, judge them.

    python examples/calorimeter.py                     # embedded photons, a few minutes
    python examples/calorimeter.py --train mine_1.hdf5 --test mine_2.hdf5 --recipe showers

Any two files in the CaloChallenge's format will do, as long as they share no shower.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import simulacra
from simulacra.config import apply_settings
from simulacra.evaluation.report import write_report
from simulacra.tasks.calorimeter import recipe


def main() -> None:
    """Train, draw, judge; everything made lies in one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, default=simulacra.embedded("photons-train"))
    parser.add_argument("--test", type=Path, default=simulacra.embedded("photons-test"))
    parser.add_argument("--recipe", default="photons-demo")
    parser.add_argument("--set", action="append", default=[], help="SECTION.KEY=VALUE")
    parser.add_argument("--suite", default="quick", help="quick is not comparable; challenge is")
    parser.add_argument("--out", type=Path, default=Path("example-output"))
    given = parser.parse_args()

    config = apply_settings(recipe(given.recipe), given.set)
    surrogate = simulacra.Surrogate(config).fit(given.train, seed=0)
    surrogate.save(given.out / "model")

    surrogate = simulacra.load(given.out / "model")  # all that is needed from here on
    test = simulacra.read_showers(given.test)
    conditions = {name: test.conditions[name] for name in surrogate.config.conditions}
    drawn = surrogate.sample(test.incident_energy, conditions, seed=1, workers=2)  # MeV

    verdict = simulacra.evaluate(drawn, test, suite=given.suite, training=given.train)
    print(f"{verdict.suite_label}; {verdict.reference.events} showers of each kind")
    for score in verdict.scores:
        if score.name.startswith("auc/"):
            print(f"{score.label}: {score.value:.3f} ± {score.error:.3f}")
    print(write_report([verdict], given.out / "report.html"))


if __name__ == "__main__":
    main()
