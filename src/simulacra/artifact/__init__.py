"""Step 7, artefacts: one folder per trained thing, self-sufficient and checked byte by byte."""

from .card import card
from .store import SCHEMA, Artifact, load_artifact, save_artifact

__all__ = ["SCHEMA", "Artifact", "card", "load_artifact", "save_artifact"]
