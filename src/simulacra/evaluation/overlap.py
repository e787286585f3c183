"""Are the three sets of showers different ones? The training's, the reference's, the generated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..data import Fingerprint, Inspection, find_overlap, refuse_overlap
from ..errors import OverlapError
from .sample import Observed, Sample

__all__ = ["NOT_CHECKED", "check_overlap"]

NOT_CHECKED = "overlap not checked"
TRAINING_KEYS = "training_keys"
"""Name of the array in a generated file that holds the keys of its model's training showers."""


def check_overlap(
    generated: Observed, reference: Observed, training: Sample | None
) -> tuple[str, int]:
    """Refuse a reference that was trained on and generated showers that are copies of it.

    What the model was trained on is taken from the generated file, where ``simulacra sample``
    left the keys of the training showers, and from ``training``.

    Returns:
        What was checked, in words (``overlap not checked`` if nothing says what was trained on),
        and how many generated showers are copies of training showers.

    Raises:
        OverlapError: if a shower is where it must not be.
        UnitError: if the training showers look as if they were in GeV.
    """
    copies = len(find_overlap(reference.fingerprint.keys, generated.fingerprint.keys))
    if copies:
        raise OverlapError(
            f"{generated.sample.name}: {copies} of {generated.sample.events} generated showers "
            f"are also in the reference {reference.sample.name}; expected two independent sets. "
            "Was the same file given twice, or the reference's showers copied?"
        )
    known = list(_told_by_file(generated.sample))
    sources = [f"{len(known[0].keys)} keys in the generated file"] if known else []
    if training is not None:
        known.append(_fingerprint(training))
        sources.append(f"the {training.events} showers of {training.name}")
    if not known:
        return NOT_CHECKED, 0
    for fingerprint in known:
        refuse_overlap(fingerprint, reference.fingerprint)
    seen = np.unique(np.concatenate([fingerprint.keys for fingerprint in known]))
    words = (
        f"no shared event among the {reference.sample.events} reference showers and "
        f"{' and '.join(sources)}"
    )
    return words, len(find_overlap(seen, generated.keys))


def _told_by_file(sample: Sample) -> Iterator[Fingerprint]:
    """Give what a generated file says its model was trained on."""
    keys = sample.array(TRAINING_KEYS)
    digests = {
        text
        for name, value in sample.provenance.items()
        if "training" in name
        for text in _digests(value)
    }
    if keys is not None or digests:
        found = np.zeros(0, np.uint64) if keys is None else np.unique(keys.astype(np.uint64))
        yield Fingerprint(("training",), tuple(sorted(digests)), found)


def _digests(value: Any) -> Iterator[str]:
    """Give every SHA-256 in an attribute, however it is nested."""
    if isinstance(value, str):
        words = "".join(c if c.isalnum() else " " for c in value).split()
        yield from (w for w in words if len(w) == 64 and set(w) <= set("0123456789abcdef"))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _digests(item)
    elif isinstance(value, list | tuple | np.ndarray):
        for item in value:
            yield from _digests(item)


def _fingerprint(training: Sample) -> Fingerprint:
    inspection = Inspection(training.geometry, training.name)  # other units hide what is shared
    keys = []
    for chunk in training.chunks():
        inspection.add(chunk)
        keys.append(chunk.event_keys()[chunk.energies.any(axis=1)])
    inspection.refuse_gev()
    return Fingerprint(training.names, training.digests, np.unique(np.concatenate(keys)))
