"""Detectors as voxels: cell <-> (layer, angle, radius) <-> position."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError, UnknownNameError
from ..units import keV

__all__ = ["Geometry", "Layer", "geometries", "geometries_with", "geometry"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """One readout layer: rings of ``n_alpha`` equal sectors, radius running fastest.

    Args:
        identity: the layer's number in its own detector (the challenge keeps ATLAS's 0, 1, 2,
            3, 12 for photons).
        r_edges: increasing radial edges in mm, starting where the first ring starts.
        n_alpha: number of angular sectors; the first one starts at -pi.
        z_min: depth at which the layer begins, in mm from the calorimeter's face; nan if unknown.
        z_max: depth at which it ends, in mm; nan if unknown.
    """

    identity: int
    r_edges: tuple[float, ...]
    n_alpha: int
    z_min: float = float("nan")
    z_max: float = float("nan")

    def __post_init__(self) -> None:
        if self.n_alpha < 1:
            raise RangeError(
                f"layer {self.identity}: expected at least 1 angular bin, got {self.n_alpha}."
            )
        edges = np.asarray(self.r_edges, float)
        if len(edges) < 2 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
            raise RangeError(
                f"layer {self.identity}: radial edges must be at least two increasing numbers "
                f"in mm, got {self.r_edges}."
            )

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Layer) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        """All fields, with unknown depths equal to each other (nan is not)."""
        depths = (None if np.isnan(z) else float(z) for z in (self.z_min, self.z_max))
        return self.identity, self.r_edges, self.n_alpha, *depths

    @property
    def n_radius(self) -> int:
        """Number of rings."""
        return len(self.r_edges) - 1

    @property
    def voxels(self) -> int:
        """Number of voxels in the layer."""
        return self.n_radius * self.n_alpha


@dataclass(frozen=True)
class Geometry:
    """A calorimeter read out in layers of rings, as a flat list of voxels.

    The flat order is the challenge's: radius fastest, then angle, then layer.

    Args:
        name: what the geometry is called in files and messages.
        particle: name of the particle of its data set, for people.
        pdg: the particle's number in the Particle Data Group's scheme; 0 if not stated.
        layers: the layers in order of depth.
        threshold: readout threshold in MeV; the judge cuts voxels below it.
    """

    name: str
    particle: str
    pdg: int
    layers: tuple[Layer, ...]
    threshold: float

    def __post_init__(self) -> None:
        if not self.layers:
            raise RangeError(f'geometry "{self.name}": expected at least one layer, got none.')

    @cached_property
    def boundaries(self) -> IntArray:
        """Flat index at which each layer starts, and the end; shape ``(layers + 1,)``."""
        return np.cumsum([0, *(layer.voxels for layer in self.layers)]).astype(np.int64)

    @property
    def voxels(self) -> int:
        """Number of voxels of the whole detector."""
        return int(self.boundaries[-1])

    @property
    def slices(self) -> tuple[slice, ...]:
        """The flat range of each layer, shape ``(layers,)``."""
        edges = self.boundaries.tolist()
        return tuple(slice(a, b) for a, b in pairwise(edges))

    @property
    def regular(self) -> bool:
        """True if every layer has the same rings and sectors, so that showers are 3-D images."""
        first = self.layers[0]
        return all(
            (layer.r_edges, layer.n_alpha) == (first.r_edges, first.n_alpha)
            for layer in self.layers
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(layers, alpha, radius)`` of a regular geometry.

        Raises:
            RangeError: if the layers differ.
        """
        if not self.regular:
            raise RangeError(
                f'geometry "{self.name}" is irregular: its layers differ, it has no 3-D shape.'
            )
        return len(self.layers), self.layers[0].n_alpha, self.layers[0].n_radius

    @cached_property
    def layer_index(self) -> IntArray:
        """Position in ``layers`` of each voxel's layer, shape ``(voxels,)``."""
        return np.repeat(np.arange(len(self.layers)), [layer.voxels for layer in self.layers])

    @cached_property
    def radius(self) -> FloatArray:
        """Radius of each voxel's centre in mm, shape ``(voxels,)``."""
        return np.concatenate(
            [np.tile(_centres(layer.r_edges), layer.n_alpha) for layer in self.layers]
        )

    @cached_property
    def alpha(self) -> FloatArray:
        """Angle of each voxel's centre in rad, in (-pi, pi), shape ``(voxels,)``."""
        return np.concatenate(
            [
                np.repeat(_centres(np.linspace(-np.pi, np.pi, layer.n_alpha + 1)), layer.n_radius)
                for layer in self.layers
            ]
        )

    @property
    def eta(self) -> FloatArray:
        """The challenge's "eta" of each voxel's centre: r cos(alpha) in mm, shape ``(voxels,)``."""
        return self.radius * np.cos(self.alpha)

    @property
    def phi(self) -> FloatArray:
        """The challenge's "phi" of each voxel's centre: r sin(alpha) in mm, shape ``(voxels,)``."""
        return self.radius * np.sin(self.alpha)

    @property
    def z_centres(self) -> FloatArray:
        """Depth of each layer's middle in mm, shape ``(layers,)``; nan where unknown."""
        return np.array([(layer.z_min + layer.z_max) / 2 for layer in self.layers])

    @property
    def digest(self) -> str:
        """SHA-256 of the voxels (edges, sectors, order) without names, depths or threshold."""
        content = [[list(map(float, layer.r_edges)), layer.n_alpha] for layer in self.layers]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def with_depths(self, z_min: Sequence[float], z_max: Sequence[float]) -> Geometry:
        """Return the same voxels at other depths.

        Args:
            z_min: where each layer begins, in mm, shape ``(layers,)``.
            z_max: where each layer ends, in mm, shape ``(layers,)``.

        Raises:
            FileFormatError: if there is not one pair per layer or a layer ends before it begins.
        """
        if len(z_min) != len(self.layers) or len(z_max) != len(self.layers):
            raise FileFormatError(
                f'geometry "{self.name}": expected {len(self.layers)} layer depths, found '
                f"{len(z_min)} beginnings and {len(z_max)} ends."
            )
        if any(not b > a for a, b in zip(z_min, z_max, strict=True)):
            raise FileFormatError(f'geometry "{self.name}": a layer ends before it begins.')
        layers = tuple(
            replace(layer, z_min=float(a), z_max=float(b))
            for layer, a, b in zip(self.layers, z_min, z_max, strict=True)
        )
        return replace(self, layers=layers)

    def to_dict(self) -> dict[str, object]:
        """Return plain data from which :meth:`from_dict` rebuilds the geometry."""
        return {
            "name": self.name,
            "particle": self.particle,
            "pdg": self.pdg,
            "threshold_mev": self.threshold,
            "layers": [
                {
                    "id": layer.identity,
                    "r_edges_mm": list(layer.r_edges),
                    "n_alpha": layer.n_alpha,
                    "z_min_mm": None if np.isnan(layer.z_min) else layer.z_min,
                    "z_max_mm": None if np.isnan(layer.z_max) else layer.z_max,
                }
                for layer in self.layers
            ],
        }

    @classmethod
    def from_dict(cls, raw: dict[str, object]) -> Geometry:
        """Rebuild a geometry from :meth:`to_dict`.

        Raises:
            FileFormatError: if a key is missing or has the wrong kind.
        """
        try:
            layers = tuple(
                Layer(
                    identity=int(layer["id"]),
                    r_edges=tuple(float(r) for r in layer["r_edges_mm"]),
                    n_alpha=int(layer["n_alpha"]),
                    z_min=float("nan") if layer.get("z_min_mm") is None else layer["z_min_mm"],
                    z_max=float("nan") if layer.get("z_max_mm") is None else layer["z_max_mm"],
                )
                for layer in raw["layers"]  # type: ignore[attr-defined]
            )
            return cls(
                name=str(raw["name"]),
                particle=str(raw["particle"]),
                pdg=int(raw["pdg"]),  # type: ignore[call-overload]
                layers=layers,
                threshold=float(raw["threshold_mev"]),  # type: ignore[arg-type]
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileFormatError(
                f"expected the description of a geometry, found something else ({error!r})."
            ) from None

    @classmethod
    def from_xml(
        cls, path: Path | str, *, particle: str | None = None, threshold: float | None = None
    ) -> Geometry:
        """Read a binning file of the CaloChallenge (``Bins/Bin(pid, name)/Layer``).

        Args:
            path: the XML file.
            particle: name of the ``Bin`` to read, where the file has several.
            threshold: readout threshold in MeV; by default that of the built-in geometry with
                the same voxels, else 0.

        Raises:
            FileFormatError: if the file is not such XML, or has several particles and none is
                chosen.
        """
        path = Path(path)
        bins = _xml_bins(path)
        chosen = [bin_ for bin_ in bins if particle in (None, bin_.get("name"))]
        if len(chosen) != 1:
            names = ", ".join(str(bin_.get("name")) for bin_ in bins)
            raise FileFormatError(
                f"{path}: expected one particle, found {len(chosen)} that match; "
                f"choose one by name: {names}."
            )
        layers = tuple(_xml_layers(path, chosen[0]))
        if not layers:
            raise FileFormatError(f"{path}: no layer has two radial edges, so there are no voxels.")
        found = cls(
            name=path.stem,
            particle=str(chosen[0].get("name")),
            pdg=int(chosen[0].get("pid") or 0),
            layers=layers,
            threshold=0.0 if threshold is None else threshold,
        )
        for known in _BUILT_IN.values():
            if known.digest == found.digest:
                return known if threshold is None else replace(known, threshold=threshold)
        return found


def geometry(name: str | Path) -> Geometry:
    """Return a built-in geometry by name, or read a binning XML by path.

    Raises:
        UnknownNameError: if the name is neither, with the closest known name.

    Example:
        >>> geometry("calochallenge-2").shape
        (45, 16, 9)
    """
    if str(name) in _BUILT_IN:
        return _BUILT_IN[str(name)]
    if str(name).endswith(".xml"):
        return Geometry.from_xml(name)
    raise UnknownNameError("geometry", str(name), _BUILT_IN)


def geometries() -> tuple[Geometry, ...]:
    """Return the built-in geometries."""
    return tuple(_BUILT_IN.values())


def geometries_with(voxels: int) -> tuple[Geometry, ...]:
    """Return the built-in geometries that have this number of voxels."""
    return tuple(known for known in _BUILT_IN.values() if known.voxels == voxels)


def _centres(edges: Iterable[float]) -> FloatArray:
    array = np.asarray(list(edges), float)
    centres: FloatArray = (array[1:] + array[:-1]) / 2
    return centres


def _xml_bins(path: Path) -> list[ElementTree.Element]:
    try:
        text = path.read_bytes()
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise FileFormatError(f"{path}: a binning file needs no DOCTYPE or ENTITY; refused.")
        root = ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError) as error:
        raise FileFormatError(f"{path}: expected a binning XML, cannot read it: {error}.") from None
    bins = [bin_ for bin_ in root.iter("Bin") if bin_.find("Layer") is not None]
    if not bins:
        raise FileFormatError(f"{path}: expected `Bin` elements with `Layer`s, found none.")
    return bins


def _xml_layers(path: Path, bin_: ElementTree.Element) -> Iterable[Layer]:
    for element in bin_.iter("Layer"):
        try:
            edges = tuple(float(r) for r in (element.get("r_edges") or "").split(",") if r.strip())
            layer = int(element.get("id") or "")
            n_alpha = int(element.get("n_bin_alpha") or 1)
        except ValueError as error:
            raise FileFormatError(f"{path}: a layer holds something else: {error}.") from None
        if len(edges) > 1:  # a single edge marks a layer without voxels
            yield Layer(identity=layer, r_edges=edges, n_alpha=n_alpha)


def _irregular(name: str, particle: str, pdg: int, layers: dict[int, tuple[int, str]]) -> Geometry:
    return Geometry(
        name=name,
        particle=particle,
        pdg=pdg,
        layers=tuple(
            Layer(identity=i, r_edges=tuple(float(r) for r in edges.split()), n_alpha=n)
            for i, (n, edges) in layers.items()
        ),
        threshold=1.0,
    )


def _regular(name: str, n_alpha: int, n_radius: int, width_mm: float) -> Geometry:
    """Build the Par04-type cylinder: 45 layers of 3.4 mm, threshold 0.5 keV / 0.033."""
    edges = tuple(round(width_mm * k, 6) for k in range(n_radius + 1))
    return Geometry(
        name=name,
        particle="electron",
        pdg=11,
        layers=tuple(
            Layer(identity=i, r_edges=edges, n_alpha=n_alpha, z_min=3.4 * i, z_max=3.4 * (i + 1))
            for i in range(45)
        ),
        threshold=0.5 * keV / 0.033,
    )


# The numbers are the challenge's own: Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611.
_BUILT_IN = {
    known.name: known
    for known in (
        _irregular(
            "calochallenge-1-photons",
            "photon",
            22,
            {
                0: (1, "0 5 10 30 50 100 200 400 600"),
                1: (10, "0 2 4 6 8 10 12 15 20 30 40 50 70 90 120 150 200"),
                2: (
                    10,
                    "0 2 5 10 15 20 25 30 40 50 60 80 100 130 160 200 250 300 350 400",
                ),
                3: (1, "0 50 100 200 400 600"),
                12: (1, "0 100 200 400 1000 2000"),
            },
        ),
        _irregular(
            "calochallenge-1-pions",
            "pion",
            211,
            {
                0: (1, "0 5 10 30 50 100 200 400 600"),
                1: (10, "0 1 4 7 10 15 30 50 90 150 200"),
                2: (10, "0 5 10 20 30 50 80 130 200 300 400"),
                3: (1, "0 50 100 200 400 600"),
                12: (10, "0 10 20 30 50 80 100 130 160 200 250 300 350 400 1000 2000"),
                13: (10, "0 10 20 30 50 80 100 130 160 200 250 300 350 400 600 1000 2000"),
                14: (1, "0 50 100 150 200 250 300 400 600 1000 2000"),
            },
        ),
        _regular("calochallenge-2", 16, 9, 4.65),
        _regular("calochallenge-3", 50, 18, 2.325),
    )
}
