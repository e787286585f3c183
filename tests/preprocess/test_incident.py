"""What networks are told about the incident particle."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.preprocess import IncidentParticle


def test_every_condition_by_hand():
    incident = IncidentParticle(
        ("incident_energy", "theta", "phi", "x", "y", "pdg"), particles=(-11, 11, 22)
    )
    row = torch.tensor([[math.e**2, 0.3, math.pi / 2, 5.0, -7.0, 11.0]])
    found = incident(row)
    assert found.shape == (1, incident.size)
    expected = [2.0, 0.3, 0.0, math.sin(0.3), 5.0, -7.0, 0.0, 1.0, 0.0]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_nothing_jumps_where_the_azimuth_closes():
    incident = IncidentParticle(("incident_energy", "phi"))
    ends = incident(torch.tensor([[1.0, math.pi], [1.0, -math.pi]]))
    torch.testing.assert_close(ends[0], ends[1], atol=1e-6, rtol=0)
    both = IncidentParticle(("incident_energy", "theta", "phi"))
    straight = both(torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, -2.0]]))
    torch.testing.assert_close(straight[0], straight[1])


def test_an_unknown_particle_has_no_flag():
    incident = IncidentParticle(("incident_energy", "pdg"), particles=(11,))
    assert incident(torch.tensor([[1.0, 13.0]])).tolist() == [[0.0, 0.0]]
