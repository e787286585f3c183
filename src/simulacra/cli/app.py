"""``simulacra``: the verbs in one place, and what happens when one fails."""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import Annotated

import typer

from .. import __version__
from ..errors import SimulacraError, StoppedError, WorkforceError, suggestion
from ..execute import place_in_job
from . import (
    bench,
    compare,
    data,
    demo,
    evaluate,
    export,
    merge,
    models,
    refine,
    sample,
    scan,
    simulate,
    train,
    unfold,
    verify,
)

__all__ = ["app", "main"]

CITATION = """@software{simulacra,
  title   = {simulacra: generative surrogates in collider physics},
  author  = {{The simulacra developers}},
  version = {%s},
  year    = {2026},
  license = {BSD-3-Clause}
}"""

_INTERRUPTED = 130
_STOPPED = 75  # sysexits.h: a temporary failure, try again
_HEAD_START_S = 2.0  # in which torchrun ends the others when the first process has failed
_INTERRUPTION = "interrupted; nothing was left half-written."

app = typer.Typer(
    name="simulacra",
    help="Generative surrogates in collider physics: train, sample, judge and ship showers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"simulacra {__version__}")
        raise typer.Exit


def _cite(value: bool) -> None:
    if value:
        typer.echo(CITATION % __version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    cite: Annotated[
        bool, typer.Option("--cite", callback=_cite, is_eager=True, help="Print BibTeX.")
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


app.add_typer(data.app, name="data")
app.command(epilog=simulate.EXAMPLE)(simulate.simulate)
app.command(epilog=train.EXAMPLE)(train.train)
app.command(epilog=sample.EXAMPLE)(sample.sample)
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=compare.EXAMPLE)(compare.compare)
app.command(epilog=scan.EXAMPLE)(scan.scan)
app.command(epilog=refine.EXAMPLE)(refine.refine)
app.command(epilog=merge.EXAMPLE)(merge.merge)
app.command(epilog=export.EXAMPLE)(export.export)
app.command(epilog=verify.EXAMPLE)(verify.verify)
bench.app.command(epilog=evaluate.JUDGE_EXAMPLE)(evaluate.judge)
app.add_typer(bench.app, name="bench")
app.command(epilog=unfold.EXAMPLE)(unfold.unfold)
app.command(epilog=models.EXAMPLE)(models.models)
app.command(epilog=demo.EXAMPLE)(demo.demo)


def main() -> None:
    """Run the command line; a user's mistake becomes one line on stderr and exit code 2."""
    warnings.showwarning = _one_line
    try:
        status = app(standalone_mode=False)
    except StoppedError as error:
        _fail(str(error), code=_STOPPED)
    except WorkforceError as error:  # the one that was lost may have more to say
        time.sleep(2 * _HEAD_START_S if place_in_job()[1] > 1 else 0)
        _fail(str(error))
    except SimulacraError as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        _fail(_INTERRUPTION, code=_INTERRUPTED)
    except typer.TyperException as error:
        _fail(_usage(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_about_memory(error):
            raise
        _fail("there is not enough memory for this; use fewer showers or a smaller model.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    else:
        if status == _INTERRUPTED:  # typer has caught Ctrl-C and says nothing
            _fail(_INTERRUPTION, code=_INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)


def _is_about_memory(error: Exception) -> bool:
    """Tell a lack of memory, which torch reports as one of its own errors, from our mistakes."""
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or any(w in str(error).lower() for w in words)


def _usage(error: typer.TyperException) -> str:
    """Return what was wrong with the command line; an unknown option with the closest one."""
    text = error.format_message()
    context = getattr(error, "ctx", None)
    if context is not None and not getattr(error, "possibilities", True):  # an unknown option
        known = [name for parameter in context.command.params for name in parameter.opts]
        text += suggestion(getattr(error, "option_name", ""), known)
    return text


def _fail(text: str, code: int = 2) -> None:
    rank, size = place_in_job()
    who = "simulacra"
    if rank > 0:  # what ails all is said once, by the first process
        time.sleep(_HEAD_START_S)
        who = f"simulacra (process {rank} of {size})"
    sys.stderr.write(f"{who}: {' '.join(text.split())}\n")
    sys.exit(code)


def _one_line(message: Warning | str, *_: object, **__: object) -> None:
    sys.stderr.write(f"simulacra: warning: {' '.join(str(message).split())}\n")
