r"""A parton shower of e+ e- to q qbar with exact weights in the parameters of its kernels.

Dipoles of one emitter and one spectator, ordered in :math:`t = k_T^2 = y z (1-z)\, s_{ik}`, by the
veto algorithm: S. Höche, "Introduction to parton-shower event generators", 2014, arXiv:1411.4085,
sections 2 and 3. Partons are massless, colours are those of many colours, and the rate is

.. math:: dR = \frac{\alpha_s(t)}{2\pi}\, (1 - y)\, P(z, y)\, dz\, \frac{dt}{t}\,
               \frac{d\varphi}{2\pi}.

Every trial of the algorithm is kept with what each parameter adds to its acceptance probability,
so that an event's probability under any other parameters is known
(:mod:`simulacra.simulate.shower_weights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..config import Config
from ..data.events import Events, Ragged
from ..errors import RangeError
from ..random import Stream, uniform
from ..units import GeV
from .dipoles import Partons
from .kernels import TERMS, Kernels, bounds, kernel_terms, refuse_negative, simple_kernels

__all__ = ["PartonShower", "coupling", "shower"]

Array = NDArray[Any]

_TRIALS = 2**20
"""More than an event has; a trial's numbers are keyed by ``event * 2**20 + trial``."""

_AT_ONCE = 4096
_Z_MASS = 91.188 * GeV


class PartonShower(Config):
    """A shower from a quark and an antiquark back to back.

    Args:
        energy: in the centre of mass, in MeV.
        cutoff: transverse momentum at which the shower ends, in MeV.
        alpha_s: the coupling at the mass of the Z.
        running: let it run at one loop with the transverse momentum; else it is constant.
        flavours: of quarks, in the running and in g to q qbar.
        kernels: parameters of the splittings.
        headroom: factor on the number of trials. Above 1 no acceptance is certain, which keeps
            weights to larger parameters small and positive; time grows in proportion.
    """

    energy: Annotated[float, Field(gt=0)] = _Z_MASS
    cutoff: Annotated[float, Field(gt=0)] = 1 * GeV
    alpha_s: Annotated[float, Field(gt=0, lt=1)] = 0.118
    running: bool = True
    flavours: Annotated[int, Field(ge=0, le=6)] = 5
    kernels: Kernels = Kernels()
    headroom: Annotated[float, Field(ge=1)] = 1.5

    def refuse_nonsense(self) -> None:
        """Refuse parameters at which no shower can be drawn.

        Raises:
            RangeError: if a kernel is negative, or the coupling at the cutoff is not below 1.
        """
        refuse_negative(self.kernels)
        largest = float(coupling(self, np.array(self.cutoff**2)))
        if not 0 < largest < 1 or self.cutoff >= self.energy / 2:
            raise RangeError(
                f"shower: the coupling is {largest:.2g} at the cutoff of {self.cutoff:g} MeV, and "
                f"half the energy is {self.energy / 2:g} MeV; expected a coupling between 0 and 1 "
                "and a cutoff below half the energy."
            )


def coupling(config: PartonShower, t: Array) -> Array:
    r"""Return :math:`\alpha_s(t)`, at one loop if it runs.

    Args:
        config: the coupling at the mass of the Z, and the number of flavours.
        t: squared scale in MeV^2.
    """
    if not config.running:
        return np.full(np.shape(t), config.alpha_s)
    b = (33 - 2 * config.flavours) / (12 * np.pi)
    return config.alpha_s / (1 + b * config.alpha_s * np.log(t / _Z_MASS**2))


def shower(config: PartonShower, events: Sequence[int], *, seed: int) -> Events:
    """Draw parton showers, many at a time; an event depends on (config, seed, number) alone.

    Args:
        config: the shower.
        events: numbers of the events in their set.
        seed: identity of the set.

    Returns:
        Events with two tables. ``partons``: ``px``, ``py``, ``pz``, ``mass`` in MeV, ``pdg`` (1,
        -1 and 21; flavours are not told apart). ``trials``, in the order of the algorithm:
        ``kind`` (0 for q to q g, 1 for g to g g, 2 for g to q qbar), ``accepted``, ``d``, ``f``,
        ``c`` (what the terms add to the acceptance probability at parameters of 1), ``kt`` in
        MeV, ``z`` and ``y``.

    Raises:
        RangeError: if there is no event, a kernel is negative, or the coupling is not small at
            the cutoff.
    """
    numbers = np.asarray(events, np.int64)
    if not len(numbers):
        raise RangeError("events: expected at least one event number, got none.")
    config.refuse_nonsense()
    pieces = range(0, len(numbers), _AT_ONCE)
    return Events.concatenate(
        _Algorithm(config, numbers[i : i + _AT_ONCE], seed).run() for i in pieces
    )


class _Algorithm:
    """The veto algorithm on a batch: one trial of every unfinished event at a time."""

    def __init__(self, config: PartonShower, numbers: NDArray[np.int64], seed: int) -> None:
        self.config, self.numbers, self.seed = config, numbers, seed
        self.cut = config.cutoff**2
        self.strongest = float(coupling(config, np.array([self.cut]))[0])
        self.bounds = bounds(config.kernels) * config.headroom
        self.strength = np.append(config.kernels.vector(), 0.0)[TERMS]
        self.partons = Partons(config.energy, self._uniforms(np.arange(len(numbers)), 0)[:, :2])
        self.trials: list[dict[str, Array]] = []

    def run(self) -> Events:
        """Shower every event down to the cutoff."""
        events = len(self.numbers)
        t = np.full(events, self.config.energy**2 / 4)
        rates = self._rates(np.arange(events))
        active = np.arange(events)
        trial = 0
        while len(active):
            trial += 1
            changed = self._trial(active, trial, t, rates)
            if len(changed):
                if self.partons.width * 4 > rates.shape[1]:
                    rates = np.pad(rates, ((0, 0), (0, rates.shape[1])))
                rates[changed] = self._rates(changed)
            active = active[t[active] > self.cut]
        return self._events()

    def _rates(self, rows: Array) -> Array:
        """Return the rate of trials per unit of ln t of every dipole end and kind of splitting.

        Shape ``(rows, 4 * width)``: parton by parton, first with the spectator to the left.
        """
        s = self.partons.masses(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(1 - 4 * self.cut / s)
            lower = 2 * self.cut / s / (1 + root)
            length = np.where(s > 4 * self.cut, np.log((1 - lower) / lower), 0.0)
            span = np.where(s > 4 * self.cut, root, 0.0)
        gluon = self.partons.is_gluon(rows)[:, :, None]
        kind = np.where(gluon, 1, 0)
        emission = np.where(gluon, 3.0, 8 / 3) * self.bounds[kind] * length
        pair = self.config.flavours / 4 * self.bounds[2] * span * gluon
        both = np.stack([emission, pair], axis=3) * (self.strongest / (2 * np.pi))
        return both.reshape(len(rows), -1)

    def _trial(self, active: Array, trial: int, t: Array, rates: Array) -> Array:
        """Make one trial in each event; return the events that have changed."""
        u = self._uniforms(active, trial)
        summed = np.cumsum(rates[active], axis=1)
        total = summed[:, -1]
        with np.errstate(divide="ignore", over="ignore"):
            t[active] *= np.exp(np.log(u[:, 0]) / total)
        going = t[active] > self.cut
        event, u, summed = active[going], u[going], summed[going]
        end = (summed <= (u[:, 1] * summed[:, -1])[:, None]).sum(axis=1)
        emitter, side, process = end // 4, end // 2 % 2, end % 2
        gluon = self.partons.is_gluon(event)[np.arange(len(event)), emitter]
        kind = np.where(process == 1, 2, np.where(gluon, 1, 0))
        s = self.partons.mass(event, emitter, side)
        z = self._share(kind, s, u[:, 2])
        y = t[event] / (s * z * (1 - z))
        real = y < 1
        event, kind, z, y, u = event[real], kind[real], z[real], y[real], u[real]
        terms = self._terms(kind, z, y, t[event])
        accepted = u[:, 3] < (terms * self.strength[kind]).cumsum(axis=1)[:, -1]
        self.trials.append(
            {
                "event": event,
                "kind": kind.astype(np.int8),
                "accepted": accepted,
                "d": terms[:, 0],
                "f": terms[:, 1],
                "c": terms[:, 2],
                "kt": np.sqrt(t[event]).astype(np.float32),
                "z": z.astype(np.float32),
                "y": y.astype(np.float32),
            }
        )
        done = np.flatnonzero(accepted)
        self.partons.split(
            event[done],
            emitter[real][done],
            side[real][done],
            pair=kind[done] == 2,
            z=z[done],
            y=y[done],
            azimuth=2 * np.pi * u[done, 4],
        )
        changed: Array = event[done]
        return changed

    def _share(self, kind: Array, s: Array, u: Array) -> Array:
        """Draw z between its limits, from the simple kernels."""
        root = np.sqrt(1 - 4 * self.cut / s)
        lower = 2 * self.cut / s / (1 + root)
        pole = 1 - (1 - lower) * np.exp(u * np.log(lower / (1 - lower)))
        share: Array = np.where(kind == 2, lower + u * root, pole)
        return share

    def _terms(self, kind: Array, z: Array, y: Array, t: Array) -> Array:
        """Return what each term adds to the acceptance probability, shape ``(trials, 3)``."""
        flavours = self.config.flavours
        common = coupling(self.config, t) / self.strongest * (1 - y)
        common = common / (simple_kernels(kind, z, flavours) * self.bounds[kind])
        return np.asarray(kernel_terms(kind, z, y, flavours) * common[:, None])

    def _uniforms(self, rows: Array, trial: int) -> Array:
        key = self.numbers[rows] * _TRIALS + trial
        return uniform(self.seed, key, 5, stream=Stream.PARTON_SHOWER, dtype=np.float64)

    def _events(self) -> Events:
        columns = {
            name: np.concatenate([part[name] for part in self.trials]) for name in self.trials[0]
        }
        event = columns.pop("event")
        order = np.argsort(event, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        trials = Ragged.grouped(event[order], len(self.numbers), columns)
        tables = {"partons": self.partons.table(), "trials": trials}
        return Events(self.numbers, tables, {}, {"shower": self.config.to_dict()})
