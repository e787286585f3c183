"""A bundle of a small generator, written once, and ways to spoil a copy of it."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from toy_generator import exported

from simulacra.deploy.bundle import MANIFEST, digest_of
from simulacra.errors import DependencyError
from simulacra.export import write_bundle
from simulacra.export.graph import require_exporter


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory):
    try:
        require_exporter()
    except DependencyError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("bundles") / "toy"
    write_bundle(folder, exported(licence="CC BY 4.0"))
    return folder


@pytest.fixture
def copied(toy_bundle, tmp_path):
    return shutil.copytree(toy_bundle, tmp_path / "bundle")


@pytest.fixture
def signed():
    """Give what makes digests right again, as somebody does who means harm or makes a mistake."""

    def sign(folder, **changes):
        raw = {**json.loads((folder / MANIFEST).read_text()), **changes}
        raw["files"] = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in raw["files"]
        }
        raw["digest"] = digest_of(raw)
        (folder / MANIFEST).write_text(json.dumps(raw))

    return sign
