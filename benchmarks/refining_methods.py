"""All methods of refinement beside each other on toys with known truth: one table, one picture.

    python benchmarks/refining_methods.py --out methods.json --picture refinement.png

Three sources and targets: a normal law and one shifted by 0.8 widths; a normal law and a ring with
a hole; and a square of which the target covers a half and as much beside it. Each method learns
from one half of the events and is judged on the other by classifiers trained anew. Printed are the
areas under the curve with errors, the share of effective events, the share of the target that the
source does not cover, and processor seconds of learning and drawing; the picture shows the ring.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from simulacra.classify import RatioConfig
from simulacra.evaluation.plots.canvas import COLOURS, GREY, INK, new_figure, png, style
from simulacra.execute import atomic_path, atomic_text
from simulacra.random import Stream, generator
from simulacra.tasks.refinement import (
    LatentConfig,
    LatentRefiner,
    Resampler,
    ResamplerConfig,
    Reweighter,
    Samples,
    Transport,
    TransportConfig,
    diagnose,
    recipe,
)
from simulacra.tasks.refinement.closure import GaussianShift, Ring

Array = NDArray[np.float64]
Refined = tuple[Array, Array]
NETWORKS = RatioConfig(width=64, networks=2, epochs=30, threads=1)


def toys(events: int, seed: int) -> Iterator[tuple[str, Samples, float]]:
    """Give names, samples and how wide a normal law the source is (0: it is none)."""
    yield "shifted normal", Samples.of(*GaussianShift(0.8).draw(events, seed=seed)), 1.0
    ring = Ring()
    rng = generator(seed, Stream.LATENT)
    source = ring.spread * rng.normal(size=(events, 2))
    yield "ring", Samples.of(source, ring.draw(events, seed=seed)), ring.spread
    square, other = rng.random((2, events, 2))
    yield "half beside", Samples.of(square, other + np.array([0.5, 0.0])), 0.0


def weights(half: Samples, other: Samples, seed: int) -> Refined:
    """Weigh events by the ratio."""
    return _weigher(half, seed).refine(other.tables[0])


def resampled(half: Samples, other: Samples, seed: int) -> Refined:
    """Weigh, then thin to unit weights."""
    method = _weigher(half, seed)
    learned, fresh = half.tables[0], other.tables[0]
    thinner = Resampler(ResamplerConfig(ratio=NETWORKS, unit=True))
    found = thinner.fit(learned, method.predict_weights(learned), seed=seed).resample(
        fresh, seed=seed
    )
    return fresh[found.kept], found.weights


def transported(half: Samples, other: Samples, seed: int) -> Refined:
    """Move events."""
    config = TransportConfig(hidden=2, width=64, softness=0.3, steps=400, learning_rate=0.02)
    return Transport(config).fit(*half.tables, seed=seed).refine(other.tables[0])


def latent(half: Samples, other: Samples, seed: int, width: float) -> Refined:
    """Draw refined noise for the generator that multiplies noise by a number."""
    method = LatentRefiner(lambda z: width * z, 2, LatentConfig(ratio=NETWORKS))
    drawn = method.fit(half.tables[1], seed=seed).draw(len(other.tables[0]), seed=seed)
    return drawn.events, np.ones(len(drawn.events))


def methods(width: float) -> dict[str, Callable[[Samples, Samples, int], Refined]]:
    """Return what can be used, by name; refined noise needs a source made of noise."""
    found = {"weights": weights, "weights, unit": resampled, "transport": transported}
    if width:
        found["latent"] = lambda half, other, seed: latent(half, other, seed, width)
    return found


def main() -> None:
    """Refine, judge, print, draw."""
    options = _options()
    torch.set_num_threads(1)
    rows, panels = [], {}
    print("| toy | method | AUC before | AUC after | effective | uncovered | seconds |")
    print("|---|---|---|---|---|---|---|")
    for toy, samples, width in toys(options.events, options.seed):
        half, other = samples.halves(seed=options.seed)
        for name, way in methods(width).items():
            start = time.process_time()
            events, weight = way(half, other, options.seed)
            seconds = time.process_time() - start
            d = diagnose(other, events, weight, seed=options.seed)
            rows.append({"toy": toy, "method": name, "seconds": seconds, **d.to_dict()})
            print(
                f"| {toy} | {name} | {d.auc_before:.3f} | {d.auc_after:.3f} ± "
                f"{d.auc_after_error:.3f} | {100 * d.kept:.0f} % | {100 * d.uncovered:.1f} ± "
                f"{100 * d.uncovered_error:.1f} % | {seconds:.0f} |",
                flush=True,
            )
            if toy == "ring":
                title = f"{name}\nAUC {d.auc_after:.3f}, {100 * d.kept:.0f} % effective"
                panels[title] = (events, weight)
        if toy == "ring":
            start_title = f"source\nAUC {d.auc_before:.3f}"
            ones = np.ones(len(other.tables[0]))
            first = {"target": (other.tables[1], ones), start_title: (other.tables[0], ones)}
            panels = first | panels
    atomic_text(options.out, json.dumps(rows, indent=1) + "\n")
    if options.picture:
        draw(options.picture, panels)


def _weigher(half: Samples, seed: int) -> Reweighter:
    config = recipe("weights").updated(ratio=NETWORKS.to_dict())
    return Reweighter(config).fit(*half.tables, seed=seed)


def draw(path: Path, panels: dict[str, Refined]) -> None:
    """Draw the events of each panel as points whose area is their weight."""
    with style():
        figure = new_figure(8.4, 5.8, "constrained")
        axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
        inks = (INK, GREY, *COLOURS)
        for axis, colour, (title, (events, weight)) in zip(
            axes, inks, panels.items(), strict=False
        ):
            shown = slice(0, 4000)
            areas = 1.5 * weight[shown] / weight.mean()
            axis.scatter(*events[shown].T, s=areas, color=colour, linewidths=0, alpha=0.6)
            axis.set(title=title, xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    with atomic_path(path) as temporary:
        temporary.write_bytes(png(figure, palette=True))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=2000, help="of each sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("methods.json"))
    parser.add_argument("--picture", type=Path, help="where to draw the ring")
    return parser.parse_args()


if __name__ == "__main__":
    main()
