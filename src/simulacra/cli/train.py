"""``simulacra train``: a recipe and a file of showers become a model's folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .progress import ticker

__all__ = ["EXAMPLE", "train"]

EXAMPLE = (
    "**Examples:** `simulacra train photons --data photons.hdf5 --out runs/photons` · "
    "`simulacra train showers --data dataset_1_photons_1.hdf5 --out runs/mine "
    "--set training.epochs=20 --set model.channels=96`"
)


def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name, or a YAML file of a whole configuration.")
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="FILE|DIR|'*.hdf5'",
            help="Showers to learn from: a file, a folder, a pattern in quotes; repeatable.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model.")],
    geometry: Annotated[
        str | None,
        typer.Option("--geometry", metavar="NAME|FILE.xml", help="Default: as in the file."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Identity of the training.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            metavar="NAME=LOW:HIGH",
            help="Train without a band, such as energy=8GeV:12GeV, that a scan judges; repeatable.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, ...")] = "cpu",
    submit: Annotated[
        str | None,
        typer.Option(
            "--submit",
            metavar="slurm|local|FILE.yaml",
            help="Give it to a batch system that goes on after preemption; --set submit.KEY.",
        ),
    ] = None,
) -> None:
    """Train a surrogate on showers; under torchrun, on several processes or GPUs."""
    from ..artifact.store import TRAINING, refuse_foreign
    from ..config import apply_settings
    from ..data import open_joined
    from ..errors import OutputError
    from ..execute import place_in_job, require_writable, stop_requests
    from ..tasks.calorimeter import Surrogate
    from ..tasks.calorimeter.bands import checked_bands, parse_bands
    from ..tasks.calorimeter.recipes import given_recipe

    config = given_recipe(recipe)
    for_job, for_model = _sorted_settings(settings or [])
    config = apply_settings(config, for_model)
    bands = checked_bands(parse_bands(leave_out or []), config.conditions)
    files = open_joined(data, geometry=geometry)
    if (out / "manifest.json").exists() and not resume:
        raise OutputError(
            f"{out}: holds a trained model already; choose another --out, or --resume to go on."
        )
    refuse_foreign(out)
    require_writable(out)
    if submit is not None or for_job:
        typer.echo(_submitted(submit, for_job, out / TRAINING / "jobs"))
        return
    leads = place_in_job()[0] == 0
    surrogate = Surrogate(config)
    with ticker("reading the showers", quiet=not leads) as tick, stop_requests() as stop:
        surrogate.fit(
            files,
            seed=seed,
            leave_out=bands,
            folder=out / TRAINING,
            resume=resume,
            device=device,
            progress=tick.epoch,
            stage=tick.stage,
            stop=stop,
        )
    if not leads:
        return
    words = ["simulacra", "train", recipe]
    words += [word for path in data for word in ("--data", path.name)]
    words += ["--out", out.name, "--seed", str(seed)]
    words += [word for setting in for_model for word in ("--set", setting)]
    words += [word for band in leave_out or [] for word in ("--leave-out", band)]
    surrogate.scored(command=shlex.join(words))  # names of files, not of anybody's folders
    surrogate.save(out)
    minutes = surrogate.manifest["training"]["wall_minutes"]
    events = surrogate.manifest["training"]["events"]
    typer.echo(f"{out}: trained on {events} showers in {minutes:.1f} minutes")


def _sorted_settings(settings: list[str]) -> tuple[list[str], list[str]]:
    """Return the settings of a batch job, without their section's name, and those of the model."""
    head = "submit."
    for_job = [setting.removeprefix(head) for setting in settings if setting.startswith(head)]
    return for_job, [setting for setting in settings if not setting.startswith(head)]


def _submitted(where: str | None, settings: list[str], folder: Path) -> str:
    """Give this very command to a batch system and say where it went."""
    from ..errors import ConfigError
    from ..train.submission import submission, submit, without_submission

    if where is None:
        raise ConfigError(
            "settings that begin with `submit.` describe a batch job; add --submit slurm or local."
        )
    command = without_submission(sys.argv[1:])
    return submit(command, submission(where, settings), folder)
