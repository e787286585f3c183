"""Several processes that train together, forked from one that has torch in memory already.

    python side_by_side.py FOLDER

writes one JSON file per scene and process: how the training went, or the error it ended with.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch

from simulacra.errors import SimulacraError
from simulacra.generative import FlowMatching, FlowMatchingConfig, initialised
from simulacra.nets import ResidualNetwork
from simulacra.train import TrainingConfig, TrainingSet, train

EVENTS = 160
CONFIG = TrainingConfig(
    epochs=3, batch_size=32, warmup_steps=2, validation_fraction=0.3, threads=1, patience=5
)
STOP_AFTER = 4  # steps: in the middle of the second epoch


def trained(folder: Path, config: TrainingConfig = CONFIG, **more: Any) -> dict[str, Any]:
    """Train the same small model as everybody else and return what became of it."""
    network = lambda: FlowMatching(ResidualNetwork(3, 1, 8, 1), 3, FlowMatchingConfig())  # noqa: E731
    model = initialised(network, 0)
    draw = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(EVENTS, 3, generator=draw) + 1
    condition = torch.rand(EVENTS, 1, generator=draw)
    weight = torch.where(torch.arange(EVENTS) % 5 == 0, -0.5, 1.0)
    history = train(
        model, TrainingSet(x, condition, weight, "x"), config, seed=5, folder=folder, **more
    )
    losses = [[entry["training_loss"], entry["validation_loss"]] for entry in history]
    weights = torch.cat([value.flatten() for value in model.state_dict().values()])
    return {"losses": losses, "weights": weights.tolist()}


def stop_after(steps: int) -> Callable[[], bool]:
    """Ask for an end after so many steps."""
    left = iter(range(steps))
    return lambda: next(left, steps) >= steps - 1


def dies(rank: int) -> Callable[[], bool]:
    """One process disappears in the middle."""
    asked = iter(range(100))
    return lambda: bool(next(asked) == STOP_AFTER and rank == 1 and os._exit(9))


def only_one_is_asked(rank: int) -> Callable[[], bool]:
    """Batch systems signal processes one by one."""
    return stop_after(STOP_AFTER) if rank == 1 else lambda: False


def scenes(folder: Path) -> list[tuple[str, int, Callable[[int], dict[str, Any]]]]:
    """Name, number of processes, and what each does given its number."""

    def resumed(rank: int) -> dict[str, Any]:
        if rank == 0:
            shutil.copytree(folder / "stopped", folder / "resumed")
        return trained(folder / "resumed", resume=True)

    nonsense = CONFIG.updated(learning_rate=1e30, clip_norm=1e30)
    return [
        ("two", 2, lambda _: trained(folder / "two")),
        ("four", 4, lambda _: trained(folder / "four", CONFIG.updated(accumulate=2))),
        ("three", 3, lambda _: trained(folder / "three")),
        ("pieces", 2, lambda _: trained(folder / "pieces", CONFIG.updated(accumulate=3))),
        ("stopped", 2, lambda rank: trained(folder / "stopped", stop=only_one_is_asked(rank))),
        ("resumed", 4, resumed),
        ("nonsense", 2, lambda _: trained(folder / "nonsense", nonsense)),
        ("dead", 2, lambda rank: trained(folder / "dead", stop=dies(rank))),
    ]


def _play(
    name: str, size: int, rank: int, scene: Callable[[int], dict[str, Any]], folder: Path
) -> NoReturn:
    """Play one part, tell what came of it and end, before anything is taken down.

    Letting go of an error lets go of the process group, which may wait for one that has ended.
    """

    def tell(told: dict[str, Any]) -> NoReturn:
        (folder / f"{name}-{rank}.json").write_text(json.dumps(told))
        os._exit(0)

    try:
        tell(scene(rank))
    except SimulacraError as error:
        tell({"error": type(error).__name__, "text": str(error)})
    except Exception as error:
        tell({"error": "not ours", "text": repr(error)})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def main(folder: Path) -> None:
    """Play every scene."""
    import lightning_fabric  # noqa: F401  (once, not in every process)

    from simulacra.train import team

    team._PATIENCE = datetime.timedelta(seconds=30)  # a scene that hangs is seen soon
    os.environ |= {"MASTER_ADDR": "localhost"}
    for name, size, scene in scenes(folder):
        os.environ |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
        os.environ["MASTER_PORT"] = str(_free_port())
        children = []
        for rank in range(size):
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            child = os.fork()
            if child == 0:
                _play(name, size, rank, scene, folder)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
