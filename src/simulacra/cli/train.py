"""``simulacra train``: a recipe and a file of showers become a model's folder."""

from __future__ import annotations

import shlex
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
    data: Annotated[Path, typer.Option("--data", help="File of showers to learn from.")],
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a surrogate on a file of showers."""
    from ..artifact.store import TRAINING, refuse_foreign
    from ..config import apply_settings
    from ..data import open_showers
    from ..errors import OutputError
    from ..execute import require_writable
    from ..tasks.calorimeter import Surrogate, SurrogateConfig
    from ..tasks.calorimeter import recipe as named

    is_file = recipe.endswith((".yaml", ".yml"))
    config = SurrogateConfig.from_yaml(recipe) if is_file else named(recipe)
    config = apply_settings(config, settings or [])
    file = open_showers(data, geometry=geometry)
    if (out / "manifest.json").exists() and not resume:
        raise OutputError(
            f"{out}: holds a trained model already; choose another --out, or --resume to go on."
        )
    refuse_foreign(out)
    require_writable(out)
    surrogate = Surrogate(config)
    with ticker("reading the showers") as tick:
        surrogate.fit(
            file,
            seed=seed,
            folder=out / TRAINING,
            resume=resume,
            device=device,
            progress=tick.epoch,
            stage=tick.stage,
        )
    words = [
        "simulacra",
        "train",
        recipe,
        "--data",
        data.name,
        "--out",
        out.name,
        "--seed",
        str(seed),
    ]
    words += [word for setting in settings or [] for word in ("--set", setting)]
    surrogate.scored(command=shlex.join(words))  # names of files, not of anybody's folders
    surrogate.save(out)
    minutes = surrogate.manifest["training"]["wall_minutes"]
    typer.echo(f"{out}: trained on {file.events} showers in {minutes:.1f} minutes")
