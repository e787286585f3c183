"""Draw the pictures of the pages on simulation (``python docs/_build/simulation_pictures.py``).

Needs the extras ``geant4`` and ``pythia``, and some minutes of two cores.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulacra.data.events import Events
from simulacra.evaluation import plots
from simulacra.evaluation.plots.canvas import INK, style
from simulacra.simulate import (
    PRESETS,
    EventSimulation,
    JetDefinition,
    PartonShower,
    collide,
    collisions,
    find_jets,
    make,
    preset,
    scale_band,
    shower,
    simulate_to_file,
)
from simulacra.units import GeV

IMAGES = Path(__file__).parents[1] / "images"
ENERGY = 10 * GeV
SHOWERS = 100
EVENTS = 4000


def main() -> None:
    """Draw both."""
    for name, draw in (("simulated-showers", showers), ("simulated-collisions", events)):
        with style():
            figure = draw()
            (IMAGES / f"{name}.png").write_bytes(plots.png(figure, dpi=110, palette=True))
        sys.stdout.write(f"{IMAGES / name}.png\n")


# --- showers -----------------------------------------------------------------------------------


def showers() -> Figure:
    """Profiles in depth and responses of every preset, for particles of 10 GeV on the axis."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    profile, response = figure.subplots(1, 2)
    colours = iter((*plots.COLOURS, INK, "#8a929b"))
    with tempfile.TemporaryDirectory() as folder:
        for name in PRESETS:
            edges, layers = _layers(name, Path(folder) / f"{name}.hdf5")
            part = layers / ENERGY
            label = f"{name}, {preset(name).beam.particles[0]}"
            colour = next(colours)
            profile.stairs(
                part.mean(axis=0) / np.diff(edges) * 10, edges, color=colour, label=label
            )
            bins = np.linspace(0.4, 2.4, 41)
            response.hist(part.sum(axis=1), bins, histtype="step", color=colour, lw=1.4)
    profile.set(xlabel="depth (mm)", ylabel="mean energy / 10 GeV per 10 mm", xscale="symlog")
    profile.set(xlim=(0, 1800), yscale="log", ylim=(1e-4, 1))
    response.set(xlabel="energy in all voxels / 10 GeV", ylabel=f"of {SHOWERS} showers")
    figure.legend(*profile.get_legend_handles_labels(), loc="outside right upper")
    return figure


def _layers(name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the depths between the layers in mm, and energies (showers, layers) in MeV."""
    setup = preset(name)
    straight = {"energy": [ENERGY, ENERGY], "x": [0, 0], "y": [0, 0], "theta": [0, 0]}
    beam = {**setup.beam.to_dict(), **straight, "particles": [setup.beam.particles[0]]}
    simulate_to_file(setup.updated(beam=beam), path, SHOWERS, seed=1, workers=2)
    edges = np.array(setup.calorimeter.layer_edges)
    with h5py.File(path, "r") as file:
        if "layer_0" in file:
            several = [file[f"layer_{i}"][:].sum(axis=(1, 2)) for i in range(len(edges) - 1)]
            return edges, np.stack(several, axis=1)
        energies = file["showers"][:]
    if energies.ndim == 3:
        return edges, energies.sum(axis=2)
    geometry = setup.calorimeter.geometry()
    assert geometry is not None
    return edges, np.stack([energies[:, part].sum(axis=1) for part in geometry.slices], axis=1)


# --- events ------------------------------------------------------------------------------------


def events() -> Figure:
    """Event shapes, weights of a variation, jets and a detector's response."""
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    (shapes, band), (masses, response) = figure.subplots(2, 2)
    _shapes(shapes)
    _band(band)
    _masses(masses)
    _response(response)
    return figure


def c_parameter(found: Events) -> np.ndarray:
    """Return C of the linear momentum tensor: 0 for two jets, 1 for a sphere."""
    table = found["particles" if "particles" in found.tables else "partons"]
    p = np.stack([table[name].astype(float) for name in ("px", "py", "pz")])
    size = np.sqrt((p**2).sum(axis=0))
    total = np.bincount(table.event, size, minlength=len(found))
    tensor = np.zeros((len(found), 3, 3))
    for i in range(3):
        for j in range(3):
            tensor[:, i, j] = np.bincount(table.event, p[i] * p[j] / size, minlength=len(found))
    a, b, c = np.linalg.eigvalsh(tensor / total[:, None, None]).T
    return np.asarray(3 * (a * b + b * c + c * a))


def _shapes(axes: Axes) -> None:
    """Toy shower against Pythia's partons and hadrons."""
    bins = np.linspace(0, 1, 31)
    sources = {
        "toyshower (partons)": shower(PartonShower(), range(5 * EVENTS), seed=1),
        "Pythia, partons": collide(
            collisions("ee-hadrons", hadronise=False), range(5 * EVENTS), seed=1
        ),
        "Pythia, hadrons": collide(collisions("ee-hadrons"), range(5 * EVENTS), seed=1),
    }
    for (label, found), colour in zip(sources.items(), plots.COLOURS, strict=False):
        density, _ = np.histogram(c_parameter(found), bins, density=True)
        axes.stairs(density, bins, color=colour, label=label, lw=1.4)
    axes.set(xlabel="C-parameter", ylabel="density", title="e+ e- at the Z", yscale="log")
    axes.legend()


def _band(axes: Axes) -> None:
    """Weights of a scale variation against a run at that scale."""
    factor, bins = 1.25, np.arange(0.5, 60, 4)
    found = collide(
        collisions(
            "ee-hadrons", variations=[v.to_dict() for v in scale_band(factor)], vary_soft=True
        ),
        range(5 * EVENTS),
        seed=1,
    )
    there = collide(
        collisions("ee-hadrons", extra=[f"TimeShower:renormMultFac = {factor**2}"]),
        range(5 * EVENTS),
        seed=2,
    )
    plain, weighted, direct = (
        np.histogram(_charged(one), bins, weights=weight)[0] / weight.sum()
        for one, weight in (
            (found, np.ones(len(found))),
            (found, found.columns["weight_scale_up"]),
            (there, np.ones(len(there))),
        )
    )
    error = np.sqrt(direct / len(there))
    middle = (bins[1:] + bins[:-1]) / 2
    axes.stairs(plain, bins, color=plots.COLOURS[0], label="as drawn")
    axes.stairs(weighted, bins, color=plots.COLOURS[1], label="weighted to 1.25 times the scale")
    axes.errorbar(middle, direct, error, fmt=".", color=INK, label="drawn at that scale")
    axes.set(xlabel="charged particles", ylabel="part of the events", title="Variation weights")
    axes.legend()


def _charged(found: Events) -> np.ndarray:
    table = found["particles"]
    return np.bincount(table.event[table["charge"] != 0], minlength=len(found))


def _masses(axes: Axes) -> None:
    """Groomed masses of hard wide jets."""
    rule = JetDefinition(radius=1.0, pt_min=400 * GeV, eta_max=2.0)
    bins = np.linspace(0, 600, 61)
    hard = {"multiparton_interactions": False, "pt_hat_min": 450 * GeV}
    for (name, changes), colour in zip(
        {"dijets": hard, "ttbar": hard, "wprime": {"multiparton_interactions": False}}.items(),
        plots.COLOURS,
        strict=False,
    ):
        found = collide(collisions(name, **changes), range(EVENTS // 4), seed=1)
        mass = find_jets(found["particles"], rule)["mass_groomed"] / GeV
        density, _ = np.histogram(mass, bins, density=True)
        axes.stairs(density, bins, color=colour, label=name, lw=1.4)
    axes.set(xlabel="soft-drop mass (GeV)", ylabel="density per GeV", yscale="log", ylim=(1e-5, 1))
    axes.set(title="Jets, R = 1, above 400 GeV")
    axes.legend()


def _response(axes: Axes) -> None:
    """Reconstructed over true transverse momentum of matched jets."""
    whole = EventSimulation(
        source=collisions("dijets", multiparton_interactions=False), respond=True, cluster=True
    )
    found = make(whole, range(EVENTS // 4), seed=1)
    bins = np.linspace(0.4, 1.6, 49)
    for (low, high), colour in zip(((30, 60), (60, 120), (120, 400)), plots.COLOURS, strict=False):
        ratio = np.array(list(_matched(found, low * GeV, high * GeV)))
        density, _ = np.histogram(ratio, bins, density=True)
        axes.stairs(density, bins, color=colour, lw=1.4, label=f"{low} to {high} GeV")
    axes.set(xlabel="reconstructed / true transverse momentum", ylabel="density")
    axes.set(title="The detector's response to jets, R = 0.4")
    axes.legend()


def _matched(found: Events, low: float, high: float) -> Iterator[float]:
    """Give the response of true jets of this size whose nearest partner is within R / 2."""
    truth, reco = found["jets_truth"], found["jets_reco"]
    for event in range(len(found)):
        ours = slice(*truth.offsets[event : event + 2])
        theirs = slice(*reco.offsets[event : event + 2])
        if ours.start == ours.stop or theirs.start == theirs.stop:
            continue
        d_eta = truth["eta"][ours, None] - reco["eta"][None, theirs]
        d_phi = truth["phi"][ours, None] - reco["phi"][None, theirs]
        distance = np.hypot(d_eta, np.mod(d_phi + np.pi, 2 * np.pi) - np.pi)
        near = distance.argmin(axis=1)
        pt, eta = truth["pt"][ours], np.abs(truth["eta"][ours])
        kept = (distance.min(axis=1) < 0.2) & (pt >= low) & (pt < high) & (eta < 2.0)
        yield from (reco["pt"][theirs][near] / pt)[kept].tolist()


if __name__ == "__main__":
    main()
