"""Every family of generators on three densities of two numbers with known truth, as one table.

    python benchmarks/densities.py --out densities.json
    python benchmarks/densities.py --families "wasserstein gan" --seeds 3 --out densities.json

All are trained by one helper (Adam, a cosine schedule, fresh events in every step, an average of
the weights), with the settings of ``FAMILIES``. A row has the area under the curve of boosted trees
that tell 40,000 draws from 40,000 events of the truth, on unseen halves; for families with a
density the mean of ln p - ln q over 100,000 held-out events of p (the Kullback-Leibler divergence
in nats) and the mean of its absolute value; processor seconds of training and microseconds per draw
on one thread. Rows that the file of ``--out`` holds already are not repeated; the table is printed
from all of them, ``--families --join more.json`` trains nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from toy_densities import DENSITIES, Density

from simulacra.batch import Batch, Draws
from simulacra.execute import atomic_text
from simulacra.generative import (
    AutoregressiveFlowConfig,
    CouplingFlowConfig,
    DiffusionConfig,
    FlowMatchingConfig,
    GenerativeModel,
    HasDensity,
    InverseAutoregressiveFlowConfig,
    MeanFlowConfig,
    VariationalAutoencoderConfig,
    VectorKit,
    VectorQuantisedConfig,
    WassersteinGanConfig,
    build_family,
    initialised,
)

__all__ = ["DENSITIES", "FAMILIES", "Case", "Row", "judged", "train"]

DRAWS, HELD_OUT = 40_000, 100_000
AT_ONCE = 10_000
TRUTH = 90  # the stream that events of the truth are drawn from


@dataclass(frozen=True)
class Case:
    """How one family is trained here.

    Args:
        config: its settings.
        steps: training steps.
        batch: events of a step.
        rate: largest learning rate of Adam.
        betas: how long Adam remembers.
        forget: how much of the average of the weights each step replaces.
        width: hidden size of its networks.
        blocks: their residual blocks.
        waves: frequencies at which a field sees each number.
        teacher: what it learns from, if not from data.
    """

    config: Any
    steps: int = 2500
    batch: int = 512
    rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.99)
    forget: float = 0.01
    width: int = 64
    blocks: int = 2
    waves: int = 0
    teacher: str | None = None


PATHS: dict[str, Any] = {"steps": 3000, "batch": 1024, "width": 96, "blocks": 3, "waves": 8}

FAMILIES = {
    "coupling flow": Case(
        CouplingFlowConfig(couplings=4, bins=16, bound=3.0), steps=1200, rate=5e-3
    ),
    "autoregressive flow": Case(
        AutoregressiveFlowConfig(steps=2, bins=16, bound=3.0, width=96, depth=2),
        steps=1500,
        rate=5e-3,
    ),
    "its student": Case(
        InverseAutoregressiveFlowConfig(steps=2, bins=16, bound=3.0, width=96, depth=2),
        steps=1500,
        rate=5e-3,
        teacher="autoregressive flow",
    ),
    "flow matching": Case(FlowMatchingConfig(solver="heun", steps=12), **PATHS),
    "diffusion": Case(DiffusionConfig(steps=24), **PATHS),
    "mean flow": Case(MeanFlowConfig(steps=4), **PATHS),
    "mean flow, student": Case(
        MeanFlowConfig(steps=1, lesson="end"), **PATHS, teacher="flow matching"
    ),
    "variational": Case(
        VariationalAutoencoderConfig(
            local=2, whole=0, beta=0.05, prior=FlowMatchingConfig(solver="heun", steps=12)
        ),
        waves=8,
    ),
    "vector-quantised": Case(
        VectorQuantisedConfig(
            local=1,
            whole=0,
            codes=256,
            depth=2,
            commitment=1.0,
            restart=20,
            settled=1_000_000,
            width=32,
            blocks=1,
        )
    ),
    "wasserstein gan": Case(
        WassersteinGanConfig(critic_steps=3, penalty=0.1),
        steps=4000,
        batch=256,
        rate=2e-3,
        betas=(0.0, 0.9),
    ),
}
"""Every family with a vector form."""


def truth(density: Density, events: int, seed: int) -> torch.Tensor:
    """Draw events of the truth, ``(events, 2)``."""
    return density.draw(Draws(seed, 0, events).uniform(4, TRUTH))


def train(case: Case, density: Density, seed: int = 0) -> GenerativeModel:
    """Train a family on a density; return the average of its weights."""
    kit = VectorKit(2, 1, width=case.width, blocks=case.blocks, waves=case.waves)
    model = initialised(lambda: build_family(case.config, kit), seed)
    if case.teacher:
        model.learn_from(train(FAMILIES[case.teacher], density, seed))
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(weights, lr=case.rate, betas=case.betas, fused=True)
    average = copy.deepcopy([w.detach() for w in weights])
    condition, weight = torch.zeros(case.batch, 1), torch.ones(case.batch)
    for step in range(case.steps):
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / case.steps))
            group["lr"] = case.rate * min(1.0, step / 100) * cosine
        draws = Draws(seed + 1, step * case.batch, case.batch)
        x = density.draw(draws.uniform(4, TRUTH))
        loss = model.loss(Batch(x, condition, weight), draws).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        torch._foreach_lerp_(average, [w.detach() for w in weights], case.forget)
    for own, mean in zip(weights, average, strict=True):
        own.data.copy_(mean)
    return model.eval()


def drawn(model: GenerativeModel, events: int, seed: int) -> torch.Tensor:
    """Draw events from a model, ``(events, 2)``."""
    noise = Draws(seed, 0, events).normal(model.noise_size, 0)
    with torch.no_grad():
        parts = [model.draw(part[:, :1] * 0, part) for part in noise.split(AT_ONCE)]
    return torch.cat(parts)


def auc(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Return the area under the curve of boosted trees on unseen halves, and its error."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    x, label = np.concatenate([first, second]), np.repeat([1, 0], [len(first), len(second)])
    seen = np.arange(len(x)) % 2 == 0
    trees = HistGradientBoostingClassifier(random_state=0).fit(x[seen], label[seen])
    area = roc_auc_score(label[~seen], trees.predict_proba(x[~seen])[:, 1])
    return float(area), math.sqrt(1 / (6 * seen.sum() / 2))


@dataclass(frozen=True)
class Row:
    """What one training of one family on one density reached.

    Args:
        family: the family's name.
        density: the density's name.
        seed: identity of the training.
        auc: area under the curve of boosted trees.
        auc_error: its standard error if nothing can be told apart.
        nats: mean of ln p - ln q over events of p; None without a density.
        nats_error: its standard error.
        nats_absolute: mean of the absolute value of ln p - ln q.
        seconds: of training, of one processor; with those of a teacher.
        microseconds: per draw, in batches of 10,000, of one processor.
        parameters: trained numbers.
    """

    family: str
    density: str
    seed: int
    auc: float
    auc_error: float
    nats: float | None
    nats_error: float | None
    nats_absolute: float | None
    seconds: float
    microseconds: float
    parameters: int


def density_error(model: HasDensity, density: Density, seed: int = 11) -> torch.Tensor:
    """Return ln p - ln q of held-out events of p, ``(100,000,)``, in nats."""
    x = truth(density, HELD_OUT, seed)
    with torch.no_grad():
        found = torch.cat([model.log_density(part, part[:, :1] * 0) for part in x.split(20_000)])
    return density.log_density(x) - found.double()


def judged(family: str, density: str, seed: int = 0) -> Row:
    """Train a family on a density and measure it."""
    case, known = FAMILIES[family], DENSITIES[density]
    start = time.process_time()
    model = train(case, known, seed)
    seconds = time.process_time() - start
    drawn(model, AT_ONCE, 0)
    start = time.process_time()
    made = drawn(model, DRAWS, 12)
    microseconds = 1e6 * (time.process_time() - start) / DRAWS
    area, error = auc(truth(known, DRAWS, 11).numpy(), made.numpy())
    nats: list[float | None] = [None, None, None]
    if isinstance(model, HasDensity):
        difference = density_error(model, known)
        spread = float(difference.std()) / math.sqrt(HELD_OUT)
        nats = [float(difference.mean()), spread, float(difference.abs().mean())]
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Row(family, density, seed, area, error, *nats, seconds, microseconds, parameters)


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table; several seeds as their mean, with the spread of one training behind it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for family in FAMILIES:
        for density in DENSITIES:
            here = [r for r in rows if (r["family"], r["density"]) == (family, density)]
            if here:
                lines.append("| " + " | ".join(_cells(family, density, here)) + " |")
    return "\n".join(lines)


COLUMNS = (
    "family",
    "density",
    "seeds",
    "AUC",
    "worst AUC",
    "ln p - ln q, nats",
    "its absolute value",
    "training, s",
    "a draw, µs",
)


def _cells(family: str, density: str, rows: list[dict[str, Any]]) -> list[str]:
    areas = [row["auc"] for row in rows]
    spread = np.std(areas, ddof=1) if len(rows) > 1 else rows[0]["auc_error"]
    has = rows[0]["nats"] is not None
    nats = [row["nats"] for row in rows] if has else []
    error = np.std(nats, ddof=1) if len(nats) > 1 else rows[0]["nats_error"]
    return [
        family,
        density,
        f"{len(rows)}",
        f"{np.mean(areas):.3f} ± {max(spread, rows[0]['auc_error']):.3f}",
        f"{max(areas):.3f}",
        f"{np.mean(nats):.4f} ± {error:.4f}" if has else "none",
        f"{np.mean([row['nats_absolute'] for row in rows]):.3f}" if has else "none",
        f"{np.mean([row['seconds'] for row in rows]):.0f}",
        f"{np.mean([row['microseconds'] for row in rows]):.2f}",
    ]


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["family"], row["density"], row["seed"]


def main() -> None:
    """Fill the file of rows, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--densities", nargs="+", default=list(DENSITIES), choices=list(DENSITIES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--join", type=Path, nargs="+", default=[], help="rows of other files")
    parser.add_argument("--again", action="store_true", help="repeat rows that are there already")
    parser.add_argument("--out", type=Path, default=Path("densities.json"))
    given = parser.parse_args()
    files = [file for file in (*given.join, given.out) if file.exists()]
    rows = list({_key(row): row for file in files for row in json.loads(file.read_text())}.values())
    if given.join:
        atomic_text(given.out, json.dumps(rows, indent=1) + "\n")
    for seed in range(given.seeds):
        for family in given.families:
            for density in given.densities:
                there = [row for row in rows if _key(row) == (family, density, seed)]
                if there and not given.again:
                    continue
                row = asdict(judged(family, density, seed))
                rows = [r for r in rows if r not in there] + [row]
                print(json.dumps(row), flush=True)
                atomic_text(given.out, json.dumps(rows, indent=1) + "\n")
    print(markdown(rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
