"""``simulacra data``: look into, check, convert, split and fetch files of showers."""

from __future__ import annotations

import json
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from ..data import (
    PointFile,
    ShowerFile,
    catalog,
    convert_showers,
    datasets,
    energy_between,
    open_points,
    open_showers,
    split_showers,
)
from ..data.formats import WRITTEN, format_named
from ..data.pointfiles import holds_points
from ..data.selection import own_format
from ..errors import RangeError
from ..units import parse_energy

__all__ = ["app"]

app = typer.Typer(
    help="Look into, check, convert, split and fetch files of showers.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

FormatName = StrEnum("FormatName", {name: name for name in WRITTEN})  # type: ignore[misc]

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Files of showers: HDF5, ROOT, Parquet.")
]
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file of showers: HDF5, ROOT, Parquet.")
]
GeometryOption = Annotated[
    str | None,
    typer.Option("--geometry", metavar="NAME|FILE.xml", help="Geometry; default: as in the file."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ToOption = Annotated[FormatName | None, typer.Option("--to", help="Format to write.")]


@app.command(
    epilog="**Example:** `simulacra data info dataset_2_1.hdf5 --json`",
)
def info(files: Files, geometry: GeometryOption = None, as_json: JsonOption = False) -> None:
    """Say what is in a file: showers, geometry, columns, provenance. Reads no shower."""
    found = [_description(_opened(file, geometry)) for file in files]
    if as_json:
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    for one in found:
        _print_table(str(one.pop("path")), one)


@app.command(
    epilog="**Example:** `simulacra data validate mine.hdf5 --geometry binning.xml`",
)
def validate(
    files: Files,
    geometry: GeometryOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse negative voxels of any size, as training does.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read whole files and check that they hold showers in MeV; refuse with the reason."""
    found = []
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they are in the table
            found.append({"path": str(file), **_validated(file, geometry, strict)})
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for one in found:
        _print_table(str(one.pop("path")), one)


@app.command(
    epilog="**Example:** `simulacra data convert dataset_3_1.hdf5 --to sparse --out ds3.hdf5`",
)
def convert(
    file: File,
    to: ToOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None,
    geometry: GeometryOption = None,
    energy: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="Keep incident energies in this range only."),
    ] = None,
    sampling_fraction: Annotated[
        float | None,
        typer.Option(metavar="F", help="Divide deposited energies by it, and note it in the file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a file in another format, piece by piece; bare energies are in MeV."""
    source, noted = _calibrated(_opened(file, geometry), sampling_fraction)
    name = own_format(source, out or file) if to is None else to.value
    if name == source.format and to is None and energy is None and sampling_fraction is None:
        raise RangeError("nothing to do: give --to FORMAT, --energy LOW:HIGH or both.")
    target = out or file.with_name(f"{file.stem}-{name}.{format_named(name).container}")
    keep = None if energy is None else energy_between(*_energy_range(energy))
    events = convert_showers(source, target, format=name, keep=keep, attributes=noted)
    _print_written([(target, events)], as_json=as_json)


@app.command(
    epilog="**Example:** `simulacra data split all.hdf5 --fraction 0.9 --seed 1 "
    "--out train.hdf5 --rest validation.hdf5`",
)
def split(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="File for the first part.")],
    rest: Annotated[Path, typer.Option("--rest", help="File for the rest.")],
    fraction: Annotated[
        float | None, typer.Option(help="Part of the showers that goes into --out.")
    ] = None,
    events: Annotated[
        int | None, typer.Option(help="Number of showers that go into --out.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Choose them at random; default: the first ones.")
    ] = None,
    geometry: GeometryOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split a file into two that share no shower."""
    written = split_showers(
        _opened(file, geometry),
        out,
        rest,
        fraction=fraction,
        events=events,
        seed=seed,
        format=None if to is None else to.value,
    )
    _print_written(list(zip((out, rest), written, strict=True)), as_json=as_json)


@app.command(
    epilog="**Examples:** `simulacra data get` lists the names; "
    "`simulacra data get calochallenge-2 --out data/`",
)
def get(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Data set; without it, list them.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Take the files from this folder instead.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only compare the files that are there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch a public data set: resumed where it stopped, checked by its digest."""
    if name is None:
        _print_catalog(as_json=as_json)
        return
    states = catalog.verify(name, out) if verify else _fetched(name, out, base_url)
    if as_json:
        typer.echo(json.dumps([vars(state) for state in states], indent=2))
        return
    _print_table(name, {state.name: _state_text(state) for state in states})
    for note in catalog.dataset(name).notes:
        typer.echo(f"- {note}")


def _opened(file: Path, geometry: str | None) -> ShowerFile | PointFile:
    """Open a file; one of points without a geometry stays one of points."""
    if geometry is None and holds_points(file):
        points = open_points(file)
        if points.geometry is None:
            return points
    return open_showers(file, geometry=geometry)


def _calibrated(
    source: ShowerFile | PointFile, sampling_fraction: float | None
) -> tuple[ShowerFile | PointFile, dict[str, float]]:
    """Return the file with deposited energies corrected, and what to note about it."""
    if sampling_fraction is None:
        return source, {}
    if not 0 < sampling_fraction <= 1:
        raise RangeError(f"--sampling-fraction: expected 0 to 1, got {sampling_fraction}.")
    if "sampling_fraction" in source.provenance:
        raise RangeError(
            f"{source.path}: its energies are already divided by a sampling fraction of "
            f"{source.provenance['sampling_fraction']}; leave --sampling-fraction out."
        )
    scale = 1 / sampling_fraction
    if isinstance(source, PointFile):
        found: ShowerFile | PointFile = open_points(source.path, energy_scale=scale)
    else:
        found = open_showers(source.path, geometry=source.geometry, energy_scale=scale)
    return found, {"sampling_fraction": sampling_fraction}


def _validated(file: Path, geometry: str | None, strict: bool) -> dict[str, Any]:
    source = _opened(file, geometry)
    if isinstance(source, PointFile):
        return source.validate().to_dict()
    return source.validate(strict=strict).to_dict()


def _description(source: ShowerFile | PointFile) -> dict[str, Any]:
    energy = source.incident_energy()
    cloud = source if isinstance(source, PointFile) else source.points
    return {
        "path": str(source.path),
        "format": source.format,
        "geometry": None if source.geometry is None else source.geometry.name,
        "events": source.events,
        **({} if cloud is None else {"points": cloud.point_number}),
        **({} if source.geometry is None else {"voxels": source.geometry.voxels}),
        "dtype": str(source.dtype),
        "conditions": list(source.conditions),
        "weighted": source.weighted,
        "incident_energy_mev": [float(energy.min()), float(energy.max())],
        "arrays": list(source.arrays),
        "sha256": source.digest(),
        "provenance": _finite(source.provenance),
    }


def _state_text(state: catalog.FileState) -> str:
    digest = "digest not known, as downloaded: " if state.state == "recorded" else ""
    return f"{state.state} {digest}{state.digest}".strip()


def _finite(value: Any) -> Any:
    """Spell numbers that JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)


def _energy_range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    if not colon:
        raise RangeError(f"--energy: expected LOW:HIGH such as 1GeV:64GeV, got {text!r}.")
    return parse_energy(low), parse_energy(high)


def _fetched(name: str, out: Path, base_url: str | None) -> tuple[catalog.FileState, ...]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(file: str, have: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(escape(file), total=total)
            bar.update(tasks[file], completed=have, total=total)

        return catalog.get(name, out, base_url=base_url, progress=show)


def _print_catalog(*, as_json: bool) -> None:
    if as_json:
        plain = [
            {
                "name": known.name,
                "title": known.title,
                "doi": known.doi,
                "geometry": known.geometry,
                "files": [vars(file) for file in known.files],
                "licence": known.licence,
                "notes": list(known.notes),
            }
            for known in datasets()
        ]
        typer.echo(json.dumps(plain, indent=2))
        return
    _print_table("public data sets", {known.name: known.title for known in datasets()})


def _print_written(written: list[tuple[Path, int]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([{"path": str(path), "events": n} for path, n in written]))
        return
    for path, events in written:
        typer.echo(f"{path}: {events} showers")


def _print_table(title: str, rows: dict[str, Any]) -> None:
    table = Table(title=escape(title), show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(escape(key), escape(_text(value)))
    Console().print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_text(item)}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value) or "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
