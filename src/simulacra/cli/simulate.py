"""``simulacra simulate``: showers from Geant4, or collision events, into a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Executor, Workers, worker_count
from .progress import ticker

if TYPE_CHECKING:
    from ..simulate.collisions import EventSimulation
    from ..simulate.setup import Setup

__all__ = ["EXAMPLE", "simulate"]

EXAMPLE = (
    "**Examples:** `simulacra simulate pbwo4-lar --particle gamma --energy 1GeV:64GeV -n 10000 "
    "--seed 1 --workers 2 --out photons.hdf5` · `simulacra simulate mine.yaml -n 100000 "
    "--out part-0.hdf5 --shard 0/10` · `simulacra simulate dijets --set respond=true "
    "--set cluster=true -n 10000 --out dijets.parquet`\n\n"
    "**Presets** (showers, HDF5): pbwo4-lar, pbwo4-lar-cylinder, par04-siw, par04-scipb, calogan, "
    "ams02-ecal, fe-hadron, pb-hadron.\n\n"
    "**Processes** (events, Parquet): ee-hadrons, dijets, zjets, znunujets, ttbar, wprime, dis, "
    "htautau, ztautau, minimum-bias, toyshower.\n\n"
    "Both are described in the how-to pages, and so is a YAML file of one's own."
)


def simulate(
    calorimeter: Annotated[
        str,
        typer.Argument(metavar="PRESET|PROCESS|FILE.yaml", help="What is simulated, see below."),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    events: Annotated[int, typer.Option("-n", help="Number of showers of the whole set.")],
    particle: Annotated[
        str | None,
        typer.Option("--particle", help="gamma, e-, pi+, ...; several with commas, by turns."),
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option("--energy", metavar="E|LOW:HIGH", help="2GeV, 1GeV:64GeV; bare: MeV."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Identity of the set.")] = 0,
    workers: Workers = 1,
    executor: Executor = "processes",
    shard: Annotated[
        str, typer.Option("--shard", metavar="i/N", help="Make only this part, from 0.")
    ] = "0/1",
    tables: Annotated[
        str | None,
        typer.Option(
            "--tables",
            metavar="FOLDER|rendered",
            help="Geant4's official data sets. Default: as Geant4's variables say, else rendered.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Simulate showers or collisions; the same command goes on after an interruption."""
    import warnings

    from ..config import apply_settings
    from ..errors import ConfigError
    from ..execute import Shard
    from ..simulate.event_run import simulate_events_to_file
    from ..simulate.run import simulate_to_file

    events_wanted = _event_simulation(calorimeter)
    if events_wanted is not None:
        if particle or energy or tables:
            raise ConfigError(
                "--particle, --energy and --tables belong to showers; collisions take --set, for "
                "example --set source.pt_hat_min=200000 (in MeV)."
            )
        chosen = apply_settings(events_wanted, settings or [])
        with ticker("simulating events") as tick:
            made = simulate_events_to_file(
                chosen,
                out,
                events,
                seed=seed,
                shard=Shard.parse(shard),
                workers=worker_count(workers),
                executor=executor,
                progress=tick.done,
            )
        found = {**asdict(made), "path": str(out), "seed": seed, "shard": shard}
        typer.echo(json.dumps(found) if as_json else f"{out}: {made.events} events")
        return
    setup = _setup(calorimeter, particle, energy, settings or [])
    with ticker("simulating showers") as tick:
        result = simulate_to_file(
            setup,
            out,
            events,
            seed=seed,
            shard=Shard.parse(shard),
            workers=worker_count(workers),
            executor=executor,
            tables=tables,
            progress=tick.done,
        )
    if result.caveat:
        warnings.warn(f"hadronic physics is {result.caveat}.", stacklevel=1)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "path": str(out), "seed": seed, "shard": shard}))
        return
    typer.echo(
        f"{out}: {result.events} showers, {result.milliseconds_per_shower:.1f} ms of one core each"
    )


def _setup(name: str, particle: str | None, energy: str | None, settings: list[str]) -> Setup:
    """Read the preset or file, and change in it what the options say."""
    from ..config import apply_settings
    from ..simulate import Setup, preset
    from ..units import parse_energy

    setup = Setup.from_yaml(name) if name.endswith((".yaml", ".yml")) else preset(name)
    beam = setup.beam.to_dict()
    if particle is not None:
        beam["particles"] = [one.strip() for one in particle.split(",")]
    if energy is not None:
        low, colon, high = energy.partition(":")
        beam["energy"] = [parse_energy(low), parse_energy(high if colon else low)]
    return apply_settings(setup.updated(beam=beam), settings)


def _event_simulation(name: str) -> EventSimulation | None:
    """Return the named simulation of events, None if the name is of a calorimeter."""
    from ..config import load_yaml
    from ..errors import UnknownNameError
    from ..simulate import EVENT_SIMULATIONS, PRESETS, EventSimulation

    if name.endswith((".yaml", ".yml")):
        raw = load_yaml(Path(name))
        return EventSimulation.from_dict(raw) if "source" in raw else None
    if name not in EVENT_SIMULATIONS and name not in PRESETS:
        raise UnknownNameError("calorimeter or process", name, [*PRESETS, *EVENT_SIMULATIONS])
    return EVENT_SIMULATIONS.get(name)
