"""``simulacra scan``: one condition varied, and what a model's showers do."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from .options import WorkersOrThreads, worker_count
from .progress import ticker

if TYPE_CHECKING:
    from ..tasks.calorimeter.scan_result import Scan

__all__ = ["EXAMPLE", "scan"]

EXAMPLE = (
    "**Examples:** `simulacra scan photons --vary energy --fixed-noise --out scan` · "
    "`simulacra scan runs/mine --vary theta --at energy=20GeV --reference test.hdf5 --out scan`"
)


class Condition(StrEnum):
    """What can be varied."""

    energy = "energy"
    theta = "theta"
    phi = "phi"
    x = "x"
    y = "y"
    particle = "particle"


def scan(
    model: Annotated[str, typer.Argument(help="A model's folder or a shipped model's name.")],
    vary: Annotated[Condition, typer.Option("--vary", help="The condition to vary.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    low: Annotated[
        str | None,
        typer.Option("--from", metavar="VALUE", help="First value; 2GeV, else MeV, rad or mm."),
    ] = None,
    high: Annotated[str | None, typer.Option("--to", metavar="VALUE", help="Last value.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="Number of values.")] = 11,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="NAME=VALUE", help="Keep another condition; repeatable."),
    ] = None,
    fixed_noise: Annotated[
        bool, typer.Option("--fixed-noise", help="The same showers at every value: they move.")
    ] = False,
    showers: Annotated[int, typer.Option("-n", help="Showers at every value.")] = 200,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Showers to compare means with, in bins."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Identity of the noise.")] = 0,
    workers: WorkersOrThreads = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Vary a condition: a slide show of one shower, monotonicity, interpolation error."""
    from ..data import open_showers
    from ..execute import require_writable
    from ..tasks.calorimeter import Surrogate, find_model, write_scan
    from ..tasks.calorimeter import scan as scanned

    kept = _kept(at or [])
    ends = [None if text is None else _number(vary.value, text) for text in (low, high)]
    surrogate = Surrogate.load(find_model(model))
    truth = None if reference is None else open_showers(reference)
    require_writable(out)
    with ticker("values") as tick:
        found = scanned(
            surrogate,
            vary.value,
            low=ends[0],
            high=ends[1],
            steps=steps,
            at=kept,
            showers=showers,
            fixed_noise=fixed_noise,
            seed=seed,
            reference=truth,
            workers=worker_count(workers),
            progress=lambda done: tick.done(done, steps),
        )
        tick.stage("drawing pictures")
        files = write_scan(found, out)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
        return
    _print(found)
    typer.echo(f"{out}: {', '.join(path.name for path in files)}")


def _print(found: Scan) -> None:
    """Print what was found as a table and lines."""
    from ..tasks.calorimeter.scan_page import deviation_rows, facts

    for name, text in facts(found):
        typer.echo(f"{name}: {text}")
    compared = found.interpolation
    if compared is None:
        return
    places = ["inside", "outside"] if any(compared.inside) else ["outside"]
    heads = [head for place in places for head in (f"difference {place}", "pull")]
    table = Table("quantity", *heads)
    for row in deviation_rows(compared):
        table.add_row(*row)
    Console().print(table)


def _kept(texts: list[str]) -> dict[str, float]:
    """Read ``NAME=VALUE``."""
    from ..errors import ConfigError

    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name in found:
            raise ConfigError(f"expected --at NAME=VALUE once for each name, found {text!r}.")
        found[name] = _number(name, value)
    return found


def _number(name: str, text: str) -> float:
    """Read a value of a condition."""
    from ..errors import ConfigError
    from ..units import parse_energy

    if name == "energy":
        return parse_energy(text)
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a number in rad or mm, found {text!r}.") from None
