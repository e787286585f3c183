"""Detectors as voxels: cell <-> (layer, angle, radius) or (layer, x, y) <-> position."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError, UnknownNameError
from ..units import keV
from .layers import GridLayer, Layer

__all__ = ["Geometry", "geometries", "geometries_with", "geometry"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Geometry:
    """A calorimeter read out in layers of rings or of rectangular cells, as a flat list of voxels.

    The flat order is the challenge's: radius fastest, then angle, then layer; for cells y fastest,
    then x, then layer.

    Args:
        name: what the geometry is called in files and messages.
        particle: name of the particle of its data set, for people.
        pdg: the particle's number in the Particle Data Group's scheme; 0 if not stated.
        layers: the layers in order of depth, all of rings or all of cells.
        threshold: readout threshold in MeV; the judge cuts voxels below it.
    """

    name: str
    particle: str
    pdg: int
    layers: tuple[Layer | GridLayer, ...]
    threshold: float

    def __post_init__(self) -> None:
        if not self.layers:
            raise RangeError(f'geometry "{self.name}": expected at least one layer, got none.')
        if len({type(layer) for layer in self.layers}) > 1:
            raise RangeError(
                f'geometry "{self.name}": expected layers of one kind, got some of rings and some '
                "of rectangular cells."
            )

    @property
    def rectangular(self) -> bool:
        """True for layers of rectangular cells, False for rings."""
        return isinstance(self.layers[0], GridLayer)

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
        """True if every layer has the same voxels, so that showers are 3-D images."""
        return len({layer.cells for layer in self.layers}) == 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(layers, alpha, radius)`` of a regular geometry, ``(layers, x, y)`` of one of cells.

        Raises:
            RangeError: if the layers differ.
        """
        if not self.regular:
            raise RangeError(
                f'geometry "{self.name}" is irregular: its layers differ, it has no 3-D shape.'
            )
        return len(self.layers), *self.layers[0].shape

    @cached_property
    def layer_index(self) -> IntArray:
        """Position in ``layers`` of each voxel's layer, shape ``(voxels,)``."""
        return np.repeat(np.arange(len(self.layers)), [layer.voxels for layer in self.layers])

    @cached_property
    def radius(self) -> FloatArray:
        """Distance of each voxel's centre from the axis in mm, shape ``(voxels,)``."""
        return np.concatenate([layer.radius for layer in self.layers])

    @cached_property
    def alpha(self) -> FloatArray:
        """Angle of each voxel's centre in rad, in [-pi, pi], shape ``(voxels,)``."""
        return np.concatenate([layer.alpha for layer in self.layers])

    @property
    def eta(self) -> FloatArray:
        """The challenge's "eta" of each voxel's centre: x in mm, shape ``(voxels,)``."""
        return np.concatenate([layer.x for layer in self.layers])

    @property
    def phi(self) -> FloatArray:
        """The challenge's "phi" of each voxel's centre: y in mm, shape ``(voxels,)``."""
        return np.concatenate([layer.y for layer in self.layers])

    @property
    def z_centres(self) -> FloatArray:
        """Depth of each layer's middle in mm, shape ``(layers,)``; nan where unknown."""
        return np.array([(layer.z_min + layer.z_max) / 2 for layer in self.layers])

    @property
    def digest(self) -> str:
        """SHA-256 of the voxels (edges, sectors, order) without names, depths or threshold."""
        content = [
            [list(map(float, edges)) if isinstance(edges, tuple) else edges for edges in of_layer]
            for of_layer in (layer.cells for layer in self.layers)
        ]
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
            "layers": [_plain_layer(layer) for layer in self.layers],
        }

    @classmethod
    def from_dict(cls, raw: dict[str, object]) -> Geometry:
        """Rebuild a geometry from :meth:`to_dict`.

        Raises:
            FileFormatError: if a key is missing or has the wrong kind.
        """
        try:
            layers = tuple(
                _layer_from(layer)
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


def _plain_layer(layer: Layer | GridLayer) -> dict[str, object]:
    voxels: dict[str, object] = (
        {"x_edges_mm": list(layer.x_edges), "y_edges_mm": list(layer.y_edges)}
        if isinstance(layer, GridLayer)
        else {"r_edges_mm": list(layer.r_edges), "n_alpha": layer.n_alpha}
    )
    return {
        "id": layer.identity,
        **voxels,
        "z_min_mm": None if np.isnan(layer.z_min) else layer.z_min,
        "z_max_mm": None if np.isnan(layer.z_max) else layer.z_max,
    }


def _layer_from(raw: Mapping[str, Any]) -> Layer | GridLayer:
    unknown = float("nan")
    identity = int(raw["id"])
    z_min = unknown if raw.get("z_min_mm") is None else raw["z_min_mm"]
    z_max = unknown if raw.get("z_max_mm") is None else raw["z_max_mm"]
    if "x_edges_mm" in raw:
        x, y = (tuple(float(edge) for edge in raw[name]) for name in ("x_edges_mm", "y_edges_mm"))
        return GridLayer(identity, x, y, z_min, z_max)
    edges = tuple(float(r) for r in raw["r_edges_mm"])
    return Layer(identity, edges, int(raw["n_alpha"]), z_min, z_max)


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


def _calogan(name: str, particle: str, depths: tuple[float, ...], threshold: float) -> Geometry:
    """Build the cells of CaloGAN, 480 mm wide, at the depths between its three layers in mm.

    Source: M. Paganini, L. de Oliveira, B. Nachman, "CaloGAN", 2017, arXiv:1712.10321: cells of
    160 x 5, 40 x 40 and 40 x 80 mm.
    """
    cells = ((3, 96), (12, 12), (12, 6))
    layers = tuple(
        GridLayer.square(i, n_x, n_y, 480.0, *depths[i : i + 2])
        for i, (n_x, n_y) in enumerate(cells)
    )
    return Geometry(name=name, particle=particle, pdg=0, layers=layers, threshold=threshold)


def _ecal_18x72() -> Geometry:
    """Build 18 layers of 72 cells of 9 mm, two layers along x and two along y by turns.

    The readout of the electromagnetic calorimeter of AMS-02 (C. Adloff et al., "The AMS-02
    lead-scintillating fibres Electromagnetic Calorimeter", 2013, doi:10.1016/j.nima.2013.02.020),
    each of them two periods of 8 mm of lead tungstate and liquid argon deep.
    """
    layers = tuple(
        GridLayer.square(i, *((1, 72) if i // 2 % 2 else (72, 1)), 648.0, 16.0 * i, 16.0 * (i + 1))
        for i in range(18)
    )
    return Geometry("ecal-18x72", "electron, photon, positron", 0, layers, threshold=1.0)


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
        # 9, 31 and 5 periods of 4 mm PbWO4 and 4 mm liquid argon; 15, 58 and 7 of 2 mm lead and
        # 4 mm liquid argon, and the cut of 10 keV of C. Krause, D. Shih, 2021, arXiv:2106.05285
        _calogan("three-layer", "electron, photon, positron", (0.0, 72.0, 320.0, 360.0), 1.0),
        _calogan("calogan", "electron, photon, positron", (0.0, 90.0, 438.0, 480.0), 0.01),
        _ecal_18x72(),
    )
}
