"""Collision events from source to reconstructed jets, as one configuration."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from ..config import Config
from ..data.events import Events
from ..errors import UnknownNameError
from .detectors import Detector, respond
from .jets import JetDefinition, find_jets
from .processes import PROCESSES, Collisions
from .pythia import collide, cross_section, pythia_version
from .toyshower import PartonShower, shower

__all__ = [
    "EVENT_SIMULATIONS",
    "EventSimulation",
    "describe_source",
    "event_simulation",
    "make",
]


class EventSimulation(Config):
    """Where events come from and what is done with them.

    Args:
        source: collisions by Pythia, or the toy parton shower.
        respond: put the particles through the detector; the file has pairs of truth and reco.
        detector: its settings.
        cluster: find jets, of the truth and of what is reconstructed.
        jets: how.
    """

    source: Collisions | PartonShower
    respond: bool = False
    detector: Detector = Detector()
    cluster: bool = False
    jets: JetDefinition = JetDefinition()

    @model_validator(mode="after")
    def _partons_are_not_seen(self) -> Self:
        if self.respond and isinstance(self.source, PartonShower):
            raise ValueError("a detector sees hadrons; the toy shower ends with partons")
        return self

    @property
    def events_per_piece(self) -> int:
        """Events that one worker makes at a time: some seconds of work; it changes no event."""
        if isinstance(self.source, PartonShower):
            return 20_000
        return 500 if 2212 in self.source.beams else 5000


EVENT_SIMULATIONS = {
    **{name: EventSimulation(source=process) for name, process in PROCESSES.items()},
    "toyshower": EventSimulation(source=PartonShower()),
}
"""Simulations of events by name: every process of ``PROCESSES``, and ``toyshower``."""


def event_simulation(name: str) -> EventSimulation:
    """Return a named simulation of events.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if name not in EVENT_SIMULATIONS:
        raise UnknownNameError("simulation of events", name, EVENT_SIMULATIONS)
    return EVENT_SIMULATIONS[name]


def make(simulation: EventSimulation, events: range, *, seed: int) -> Events:
    """Make events in memory.

    Args:
        simulation: source, detector and jets.
        events: numbers of the events in their set.
        seed: identity of the set.

    Returns:
        Events with the tables ``particles`` and ``hard`` (or ``partons`` and ``trials`` of the toy
        shower); with ``respond``, ``truth`` and ``reco`` in place of ``particles``; with
        ``cluster``, ``jets_<table>`` of each of these.

    Raises:
        DependencyError: if Pythia or FastJet is needed and not installed.
        ConfigError: if Pythia refuses a setting.
    """
    if isinstance(simulation.source, PartonShower):
        made = shower(simulation.source, events, seed=seed)
    else:
        made = collide(simulation.source, events, seed=seed)
        if simulation.respond:
            made = respond(made, simulation.detector, seed=seed)
    if simulation.cluster:
        kinds = [name for name in ("particles", "partons", "truth", "reco") if name in made.tables]
        jets = {f"jets_{name}": find_jets(made[name], simulation.jets) for name in kinds}
        made = made.with_tables(**jets)
    return made


def describe_source(simulation: EventSimulation) -> dict[str, Any]:
    """Return which program makes the events, and the cross section if there is one.

    Raises:
        DependencyError: if Pythia is needed and not installed.
        ConfigError: if it refuses a setting.
        RangeError: if a shower cannot be drawn at its parameters.
    """
    if isinstance(simulation.source, PartonShower):
        simulation.source.refuse_nonsense()
        return {"generator": "simulacra toy parton shower"}
    value, error = cross_section(simulation.source)
    return {
        "generator": f"Pythia {pythia_version()}",
        "process": simulation.source.process,
        "cross_section_mb": value,
        "cross_section_error_mb": error,
    }
