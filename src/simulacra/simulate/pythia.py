"""Collisions by Pythia 8, each event a function of (settings, seed, event number) alone.

C. Bierlich et al., "A comprehensive guide to the physics and usage of PYTHIA 8.3", 2022,
arXiv:2203.11601. Pythia is an optional package under the GPL, called when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.events import Events, Ragged
from ..errors import ConfigError, DependencyError, RangeError, SimulacraError
from ..random import Stream, generator, words
from ..units import GeV
from .processes import Collisions

__all__ = ["collide", "cross_section", "pythia_version"]

Array = NDArray[Any]

_SEEDS = 900_000_000  # as many as Pythia's own generator takes
_STRIDE = 370_248_451  # shares no factor with the number of seeds: no two events of a set share one
_STEPS = 16_777_213  # values of the generator's arithmetic sequence, in units of 2^-24
_ATTEMPTS = 8
_SEED_OF_TABLES = 19_780_503  # initialisation integrates by Monte Carlo; never the user's seed
_PROBES = 2000
_AT_ONCE = 100  # full records of this many events are in memory
_HARD_STATUS = (22, 23)  # intermediate resonances and outgoing particles of the hard process


def collide(config: Collisions, events: Sequence[int], *, seed: int) -> Events:
    """Simulate collisions.

    Pythia is started once per process and configuration, and its generator is set anew before
    every event, so an event is the same bits in any order, shard and number of workers.

    Args:
        config: what collides.
        events: numbers of the events within their set.
        seed: identity of the set, in ``[0, 2**64)``.

    Returns:
        Events with the table ``particles``: all stable particles, neutrinos among them, with
        ``pdg``, ``charge`` in units of e/3, ``px``, ``py``, ``pz``, ``mass`` in MeV, and with
        ``vertices`` ``x``, ``y``, ``z``, ``t`` in mm (t times c). Table ``hard``: resonances and
        outgoing particles of the hard process, where ``parent`` is the row, within the event, of
        the resonance that a particle comes from, or -1. Columns ``weight`` (in mb where Pythia
        weights events so, as with a bias), ``weight_<variation>``, and ``pt_hat`` in MeV.

    Raises:
        DependencyError: if Pythia is not installed.
        ConfigError: if Pythia refuses a setting or cannot start with them.
        RangeError: if there is no event.
        SimulacraError: if an event fails again and again.
    """
    numbers = np.asarray(events, np.int64)
    if not len(numbers):
        raise RangeError("events: expected at least one event number, got none.")
    engine = _engine(config)
    pieces = range(0, len(numbers), _AT_ONCE)
    return Events.concatenate(engine.run(numbers[i : i + _AT_ONCE], seed) for i in pieces)


def cross_section(config: Collisions) -> tuple[float, float]:
    """Return the cross section of a process in mb, and its statistical error.

    From 2000 hard processes with a seed of their own, so it depends on the configuration alone.
    Forced decays are counted: this is the cross section of what is generated.

    Raises:
        DependencyError: if Pythia is not installed.
        ConfigError: if Pythia refuses a setting or cannot start with them.
    """
    pythia = _started(config, ("PartonLevel:all = off",))
    for _ in range(_PROBES):
        pythia.next()
    info = pythia.infoPython()
    return float(info.sigmaGen()), abs(float(info.sigmaErr()))


def pythia_version() -> str:
    """Return the version of the installed Pythia, such as ``8.317``.

    Raises:
        DependencyError: if Pythia is not installed.
    """
    return f"{_module().Pythia('', False).parm('Pythia:versionNumber'):.3f}"


@lru_cache(maxsize=1)
def _engine(config: Collisions) -> _Engine:
    return _Engine(config)


class _Engine:
    """One running Pythia; a hook sets its generator before every event."""

    def __init__(self, config: Collisions) -> None:
        self.config = config
        self._hook = _seeding_hook()
        self._pythia = _started(config, (), self._hook)
        self._hook.generator = self._pythia.rndm

    def run(self, numbers: NDArray[np.int64], seed: int) -> Events:
        """Simulate events; one that fails is tried again with other random numbers."""
        import awkward as ak

        start = int(generator(seed, Stream.COLLISION).integers(_SEEDS))
        shifts = words(seed, numbers, _ATTEMPTS, stream=Stream.COLLISION) % _STEPS
        made, left = [], np.arange(len(numbers))
        for attempt in range(_ATTEMPTS):
            self._hook.states = [
                (1 + (start + int(numbers[row]) * _STRIDE) % _SEEDS, shifts[row, attempt] / 2.0**24)
                for row in reversed(left)
            ]
            record = self._pythia.nextBatch(len(left), "none")
            done = ~_numpy(ak.is_none(record))
            if done.any():
                made.append(self._events(record[done], numbers[left[done]]))
            left = left[~done]
            if not len(left):
                break
        else:
            raise SimulacraError(
                f"{self.config.process}: event {numbers[left[0]]} failed {_ATTEMPTS} times; are "
                "the cuts and beam energies of the process possible?"
            )
        whole = Events.concatenate(made)
        return whole if len(made) == 1 else whole.select(_places(whole.number, numbers))

    def _events(self, record: Any, numbers: NDArray[np.int64]) -> Events:
        import awkward as ak

        offsets = np.r_[0, np.cumsum(ak.to_numpy(ak.num(record.prt, axis=1)))].astype(np.int64)
        flat = ak.flatten(record.prt, axis=1)
        status = _numpy(flat.status)
        whole = Ragged(offsets, {"row": np.arange(len(status))})
        tables = {"particles": self._table(whole.where(status > 0), flat)}
        if self.config.hard:
            hard = whole.where(np.isin(np.abs(status), _HARD_STATUS))
            parent = _parents(hard, whole.offsets, _numpy(flat.mother1))
            tables["hard"] = self._table(hard, flat).with_columns(parent=parent)
        columns = self._weights(_numpy(ak.flatten(record.info.weights)).reshape(len(numbers), -1))
        columns["pt_hat"] = np.sqrt(np.maximum(_numpy(record.info.pT2Hat), 0.0)) * GeV
        return Events(numbers, tables, columns, {"process": self.config.process})

    def _table(self, kept: Ragged, flat: Any) -> Ragged:
        taken = flat[kept["row"]]
        pdg = _numpy(taken.id).astype(np.int32)
        kinds, place = np.unique(pdg, return_inverse=True)
        known = self._pythia.particleData
        thirds = np.array([known.chargeType(int(kind)) for kind in kinds], np.int8)
        columns: dict[str, Array] = {"pdg": pdg, "charge": thirds[place.reshape(-1)]}
        momenta = {"px": taken.p.px, "py": taken.p.py, "pz": taken.p.pz, "mass": taken.m}
        for name, column in momenta.items():
            columns[name] = (_numpy(column) * GeV).astype(np.float32)
        if self.config.vertices:
            for name, key in (("x", "px"), ("y", "py"), ("z", "pz"), ("t", "e")):
                columns[name] = _filled(taken.vProd[key]).astype(np.float32)
        return Ragged(kept.offsets, columns)

    def _weights(self, weights: Array) -> dict[str, Array]:
        names = [str(name).lower() for name in self._pythia.infoPython().weightNameVector()]
        columns = {"weight": weights[:, 0]}
        for variation in self.config.variations:
            columns[f"weight_{variation.name}"] = weights[:, names.index(variation.name)]
        return columns


def _seeding_hook() -> Any:
    module = _module()

    class Seeding(module.UserHooks):  # type: ignore[misc, name-defined]
        """Sets the state of Pythia's generator when an event begins."""

        def __init__(self) -> None:
            module.UserHooks.__init__(self)
            self.generator: Any = None
            self.states: list[tuple[int, float]] = []

        def onBeginEvent(self) -> None:
            if self.generator is None:
                return
            seed, shift = self.states.pop()
            self.generator.init(seed)
            state = self.generator.getState()
            state.c = shift
            self.generator.setState(state)

    return Seeding()


def _started(config: Collisions, further: Iterable[str], hook: Any = None) -> Any:
    pythia = _module().Pythia("", False)
    for line in [*_lines(config), *further]:
        if not pythia.readString(line, False):
            raise ConfigError(
                f"{config.process}: Pythia does not know the setting {line!r}, or not this value; "
                "expected `Group:name = value` as in its manual."
            )
    if hook is not None:
        pythia.setUserHooksPtr(hook)
    if not pythia.init():
        raise ConfigError(
            f"{config.process}: Pythia cannot start with these settings; are beams, energies and "
            f'cuts possible? Run it with extra = ["Print:errors = on"] to see its reason.'
        )
    return pythia


def _lines(config: Collisions) -> list[str]:
    """Spell a configuration as Pythia's settings, whose energies are in GeV."""
    first, second = (energy / GeV for energy in config.beam_energies)
    lines = [
        "Print:quiet = on",
        "Print:errors = off",
        "Random:setSeed = on",
        f"Random:seed = {_SEED_OF_TABLES}",
        f"Beams:idA = {config.beams[0]}",
        f"Beams:idB = {config.beams[1]}",
        "Beams:frameType = 2",
        f"Beams:eA = {first!r}",
        f"Beams:eB = {second!r}",
        f"PartonLevel:MPI = {_switch(config.multiparton_interactions)}",
        f"HadronLevel:all = {_switch(config.hadronise)}",
        *config.settings,
    ]
    if config.pt_hat_min:
        lines.append(f"PhaseSpace:pTHatMin = {config.pt_hat_min / GeV!r}")
    if config.pt_bias_power:
        lines += [
            "PhaseSpace:bias2Selection = on",
            f"PhaseSpace:bias2SelectionPow = {config.pt_bias_power!r}",
        ]
    if config.variations:
        lines += _variation_lines(config)
    return [*lines, *config.extra]


def _variation_lines(config: Collisions) -> list[str]:
    listed = ", ".join(
        f"{v.name} fsr:muRfac={v.final!r} isr:muRfac={v.initial!r}" for v in config.variations
    )
    everywhere = ("FSRpTmin2Fac = 0.", "ISRpTmin2Fac = 0.", "deltaAlphaSmax = 1.")
    return [
        "UncertaintyBands:doVariations = on",
        f"UncertaintyBands:List = {{{listed}}}",
        f"UncertaintyBands:muSoftCorr = {_switch(config.compensate)}",
        *(f"UncertaintyBands:{limit}" for limit in everywhere if config.vary_soft),
    ]


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _parents(hard: Ragged, starts: NDArray[np.int64], mother: Array) -> NDArray[np.int16]:
    """Follow copies upwards until a particle of the same table or the beam is met."""
    event, row = hard.event, hard["row"]
    place = np.full(len(mother), -1, np.int64)
    place[row] = np.arange(len(row)) - hard.offsets[event]
    base = starts[event]
    above = base + mother[row]
    searching = np.ones(len(row), bool)
    found = np.full(len(row), -1, np.int16)
    while searching.any():
        here = place[above]
        found = np.where(searching & (here >= 0), here, found).astype(np.int16)
        searching &= (here < 0) & (above > base)
        above = np.where(searching, base + mother[above], above)
    return found


def _places(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    order = np.argsort(found, kind="stable")
    return order[np.argsort(np.argsort(wanted, kind="stable"), kind="stable")]


def _numpy(array: Any) -> Array:
    import awkward as ak

    return np.asarray(ak.to_numpy(array))


def _filled(array: Any) -> Array:
    import awkward as ak

    return _numpy(ak.fill_none(array, 0.0))


def _module() -> Any:
    try:
        import awkward  # noqa: F401 (its batches are awkward arrays)
        import pythia8mc
    except ImportError as error:
        raise DependencyError(
            f"collisions need Pythia 8, and the package {error.name} is not installed; "
            "pip install 'simulacra[pythia]' "
            "(with the wheel of pythia8mc 8.317.2; later versions compile for half an hour)."
        ) from None
    return pythia8mc
