"""Dask as a place for work: start it or join it, know when it is dead, say its errors in words."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from .errors import DependencyError, WorkforceError

__all__ = ["answers", "dask_client", "explained"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CONNECTION_S = 5.0
_SILENCE_S = 20.0  # after which a scheduler that does not answer counts as dead


def answers(client: Any) -> bool:
    """Tell whether the scheduler of a Dask client gives a sign of life within 20 s."""
    if client.status != "running":
        return False
    try:
        client.sync(client.scheduler.identity, callback_timeout=_SILENCE_S)
    except (OSError, TimeoutError, AttributeError):  # the last when it went at this very moment
        return False
    return True


def explained(error: Exception) -> str:
    """Return what is to be said of an error of Dask's own, an empty text for any other."""
    if type(error).__name__ == "KilledWorker":
        return (
            "workers died again and again on the same piece of work. Is there enough memory for "
            "so many of them? Finished pieces are kept."
        )
    if isinstance(error, RuntimeError) and str(error).startswith("Error during deserialization"):
        return (
            "its scheduler or workers cannot read the work; they need the same packages in the "
            "same versions as this process, simulacra among them."
        )
    return ""


@contextlib.contextmanager
def dask_client(address: str, workers: int) -> Iterator[Any]:
    """Give a client for the time of a block.

    Args:
        address: of a scheduler that runs; empty to start a local cluster.
        workers: processes of a local cluster.

    Raises:
        DependencyError: if Dask is not installed.
        WorkforceError: if the address does not answer.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DependencyError(
            "the executor `dask` needs Dask, which is not installed: pip install "
            "'simulacra[cluster]'."
        ) from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if not address:
            address = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                    env=dict.fromkeys(_THREADS, "1"),  # the bits of some sums depend on it
                )
            )
        try:
            client = Client(address, timeout=_CONNECTION_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkforceError(
                f"dask:{address}: no scheduler answers there ({type(error).__name__}); expected "
                "the address that it printed when it started, such as tcp://host:8786."
            ) from error
        yield stack.enter_context(client)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's tracebacks off the terminal: what matters becomes one sentence."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # once per worker
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
