"""``simulacra sample``: draw showers from a model into a file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import ExecutorOrThreads, Workers, worker_count
from .progress import ticker

if TYPE_CHECKING:
    from ..data import Geometry
    from ..tasks.calorimeter.drawing import Particles

__all__ = ["EXAMPLE", "sample"]

EXAMPLE = (
    "**Examples:** `simulacra sample photons --energy 1GeV:64GeV -n 1000 --out showers.hdf5` · "
    "`simulacra sample runs/mine --like evaluation.hdf5 --out mine.hdf5 --seed 7 --shard 0/3`"
)


class Form(StrEnum):
    """What a file holds."""

    voxels = "voxels"
    points = "points"


class Spectrum(StrEnum):
    """Shape of a drawn energy spectrum."""

    log = "log"
    uniform = "uniform"


def sample(
    model: Annotated[str, typer.Argument(help="A model's folder or a shipped model's name.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    like: Annotated[
        Path | None, typer.Option("--like", help="Take the incident particles of this file.")
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option("--energy", metavar="E|LOW:HIGH", help="2GeV, 1GeV:64GeV; bare: MeV."),
    ] = None,
    events: Annotated[int | None, typer.Option("-n", help="Number of showers.")] = None,
    spectrum: Annotated[Spectrum, typer.Option("--spectrum", help="Flat in this.")] = Spectrum.log,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", metavar="NAME=VALUE", help="A further condition, mm or rad."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Identity of the set.")] = 0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Showers per finished piece; changes no shower.")
    ] = 512,
    shard: Annotated[
        str, typer.Option("--shard", metavar="i/N", help="Draw only this part, from 0.")
    ] = "0/1",
    workers: Workers = 0,
    executor: ExecutorOrThreads = "threads",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, ...")] = "cpu",
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Also outside the model's range.")
    ] = False,
    form: Annotated[
        Form, typer.Option("--as", help="Voxels, or points: x, y, z, energy.")
    ] = Form.voxels,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Draw showers from a trained model; the same command goes on after an interruption."""
    from ..execute import Shard, require_writable
    from ..tasks.calorimeter import Surrogate, find_model, sample_to_file

    require_writable(out.parent)
    surrogate = Surrogate.load(find_model(model))
    particles = _particles(
        surrogate.config.conditions, like, energy, events, spectrum.value, condition or [], seed
    )
    if like is not None:
        _warn_of_another_detector(like, surrogate.geometry)
    part = Shard.parse(shard)
    total = len(part.range(len(particles)))
    with ticker("drawing showers") as tick:
        written = sample_to_file(
            surrogate,
            out,
            particles,
            seed=seed,
            shard=part,
            batch_size=batch_size,
            workers=worker_count(workers),
            executor=executor,
            device=device,
            extrapolate=extrapolate,
            points=form is Form.points,
            progress=lambda done: tick.done(done, total),
        )
    result = {"path": str(out), "events": written, "seed": seed, "shard": shard}
    typer.echo(json.dumps(result) if as_json else f"{out}: {written} showers")


def _warn_of_another_detector(like: Path, detector: Geometry) -> None:
    """Taking particles from a file of another detector is legal, and rarely meant."""
    import warnings

    from ..data import open_showers

    found = open_showers(like).geometry
    if found.digest != detector.digest:
        warnings.warn(
            f'{like}: is a file of geometry "{found.name}"; only its incident particles are taken, '
            f'the showers are drawn in "{detector.name}".',
            stacklevel=2,
        )


def _particles(
    conditions: tuple[str, ...],
    like: Path | None,
    energy: str | None,
    events: int | None,
    shape: str,
    given: list[str],
    seed: int,
) -> Particles:
    """Read the incident particles from the options."""
    import numpy as np

    from ..data import open_showers
    from ..errors import ConfigError
    from ..tasks.calorimeter.drawing import Particles, particles_like, spectrum
    from ..units import parse_energy

    if (like is None) == (energy is None):
        raise ConfigError("expected either --like FILE or --energy with -n.")
    if like is not None:
        if events is not None or given:
            raise ConfigError("--like takes number and conditions from the file; drop the others.")
        return particles_like(open_showers(like), conditions)
    if events is None or energy is None:
        raise ConfigError("--energy needs the number of showers, -n.")
    low, colon, high = energy.partition(":")
    drawn = spectrum(
        parse_energy(low),
        parse_energy(high if colon else low),
        events,
        seed=seed,
        shape="uniform" if shape == "uniform" else "log",
    )
    columns = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        try:
            columns[name] = np.full(len(drawn), float(value), np.float32)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"expected --condition NAME=NUMBER, found {setting!r}.")
    return Particles(drawn.incident_energy, columns)
