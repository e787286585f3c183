"""Compare our numbers with those that the official programs gave for the same files.

    python validation/compare_official.py official.json GENERATED REFERENCE

``official.json`` is what ``run_official.py`` wrote; its settings (rows, precision, sizes of draws)
are used again. Prints one line per kind of number: how many there are, how many differ by more than
1e-6, and the largest relative difference.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from simulacra.data import VoxelShowers, read_showers
from simulacra.evaluation.metrics.binned import BinnedEvents
from simulacra.evaluation.metrics.kernel_distance import KernelSettings, kernel_physics_distance
from simulacra.evaluation.metrics.manifold import ManifoldSettings, manifold_scores
from simulacra.evaluation.metrics.physics_distance import (
    FrechetSettings,
    frechet_physics_distance,
)
from simulacra.evaluation.metrics.separation import separation_power
from simulacra.evaluation.metrics.shower_rows import manifold_rows
from simulacra.evaluation.observables import (
    ShowerObservables,
    count_voxels,
    high_level_inputs,
    low_level_inputs,
    observe,
    response_observables,
    shower_observables,
    spectrum_bins,
)
from simulacra.evaluation.observables.inputs import low_level_normed_inputs

TOLERANCE = 1e-6


def showers(path: Path, rows: str, settings: Mapping[str, Any]) -> VoxelShowers:
    """Read the rows that the official program was given, in the precision it was given them."""
    start, stop = (int(x) if x else None for x in rows.split(":"))
    whole = read_showers(path, geometry=f"calochallenge-{settings['dataset']}")
    part = whole.select(slice(start, stop))
    if settings["dtype"] == "file":
        return part
    energies = part.energies.astype(settings["dtype"])
    return VoxelShowers(energies, part.incident_energy.astype(settings["dtype"]), part.geometry)


def separations(
    generated: VoxelShowers, reference: VoxelShowers, threshold: float
) -> dict[str, float]:
    """Return every separation power of the protocol, by the names of a verdict's scores."""
    samples = [observe(sample, threshold=threshold) for sample in (reference, generated)]
    energies = [sample.incident_energy for sample in samples]
    found = {}
    every = shower_observables(reference.geometry)
    for observable in (*every, *response_observables(reference.geometry, *energies)):
        values = [observable.values(sample) for sample in samples]
        edges = observable.edges(samples[0], threshold)
        sums = [_inside(BinnedEvents.from_values(v, edges).sums) for v in values]
        found[observable.name] = float(separation_power(*sums))
    edges = spectrum_bins(samples[0].brightest_voxel.max(), threshold)
    counts = [
        _inside(count_voxels(sample, edges, threshold=threshold).sum(axis=0))
        for sample in (reference, generated)
    ]
    found["voxel_energy"] = float(separation_power(*counts))
    return {f"separation/{name}": value for name, value in found.items()}


def _inside(sums: Any) -> Any:
    return sums[1:-1]


def inputs(sample: VoxelShowers, seen: ShowerObservables, threshold: float) -> dict[str, Any]:
    """Return what the classifiers are shown, by the names of the official run.

    Its ``low_level_normed`` divides voxels below the threshold by layer energies without them,
    ours does not; ``low_level_normed_cut`` is the same function on voxels that are cut already.
    """
    return {
        "low_level": low_level_inputs(sample, threshold=threshold),
        "low_level_normed_cut": low_level_normed_inputs(sample, threshold=threshold),
        "high_level": high_level_inputs(seen),
    }


def distances(
    generated: VoxelShowers,
    reference: VoxelShowers,
    threshold: float,
    settings: Mapping[str, Any],
    wanted: Container[str],
) -> dict[str, float]:
    """Return the physics distances and the numbers of nearest neighbours that are wanted."""
    ours, truth = (
        high_level_inputs(observe(sample, threshold=threshold)) for sample in (generated, reference)
    )
    found = {}
    if "fpd" in wanted:
        sizes = FrechetSettings(smallest=settings["fpd_min"], largest=settings["fpd_max"])
        frechet = frechet_physics_distance(truth, ours, settings=sizes)
        found |= {"fpd": frechet.value, "fpd_error": frechet.error}
    if "kpd" in wanted:
        batches = KernelSettings(batch_size=settings["kpd_batch"])
        kernel = kernel_physics_distance(truth, ours, settings=batches)
        found |= {"kpd": kernel.value, "kpd_error": kernel.error}
    if "precision" in wanted:
        rows = [
            manifold_rows(
                [sample.select(slice(settings["prdc_events"] or None))], threshold=threshold
            )
            for sample in (reference, generated)
        ]
        scores = manifold_scores(
            *rows, settings=ManifoldSettings(neighbours=settings["neighbours"], levels=1)
        )
        names = ("precision", "recall", "density", "coverage")
        found |= {name: getattr(scores, name).value for name in names}
    return found


def relative(ours: float, official: float) -> float:
    """Return the relative difference; the absolute one where the official number is 0."""
    return abs(ours - official) / (abs(official) if official else 1.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("official", type=Path)
    parser.add_argument("generated", type=Path)
    parser.add_argument("reference", type=Path)
    given = parser.parse_args()
    official = json.loads(given.official.read_text())
    settings = official["provenance"]["settings"]
    cut = settings["threshold"]
    samples = [
        showers(getattr(given, role), settings[f"{role}_rows"], settings)
        for role in ("generated", "reference")
    ]
    ours = separations(*samples, cut)
    ours |= distances(*samples, cut, settings, official["scores"])
    kinds: dict[str, list[float]] = {}
    for name, value in official["scores"].items():
        if name in ours:
            kind = "/".join(name.split("/")[:2])
            kinds.setdefault(kind, []).append(relative(ours[name], value))
    missing = sorted({n.split("/")[1] if "/" in n else n for n in official["scores"].keys() - ours})
    print(f"| numbers | how many | beyond {TOLERANCE:g} | largest relative difference |")
    print("|---|---|---|---|")
    for kind, differences in kinds.items():
        beyond = sum(d > TOLERANCE for d in differences)
        print(f"| {kind} | {len(differences)} | {beyond} | {max(differences):.1e} |")
    if missing:
        print("not compared:", ", ".join(missing))


if __name__ == "__main__":
    main()
