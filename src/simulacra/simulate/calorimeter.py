"""A calorimeter as a configuration: slabs of material across the beam, and its voxels.

The beam comes along +z, the calorimeter's face is at z = 0 and its axis at x = y = 0.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Literal

from pydantic import Field

from ..config import Config
from ..data import Geometry, GridLayer, Layer, geometry
from ..errors import RangeError

__all__ = ["BuiltIn", "Calorimeter", "Cells", "Grid", "Ring", "Rings", "Slab", "Stack"]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

_SLACK_MM = 1e-6


class Slab(Config):
    """One plate of material.

    Attributes:
        material: name in Geant4's NIST database, for example ``G4_Pb``.
        thickness: along the beam, in mm.
        active: whether its deposits are read out.
    """

    material: str
    thickness: Positive
    active: bool = False


class Stack(Config):
    """Slabs in the order in which the beam meets them, and how often they repeat.

    Attributes:
        slabs: of one period.
        repeat: number of periods.
    """

    slabs: Annotated[tuple[Slab, ...], Field(min_length=1)]
    repeat: Count = 1


class _Readout(Config):
    """What every kind of readout has.

    Attributes:
        deposits: ``active`` reads the active slabs, ``all`` reads every material.
        sampling_fraction: deposits are divided by it; ``measured`` stands for the active share of
            all deposits of 10 GeV electrons, simulated once before the run. For ``all`` it is 1.
        deposit_at: where along a step its energy is put: the ``end``, as is usual in Geant4
            applications, or the ``middle``.
        axis: voxels lie around the ``calorimeter``'s axis, or around the ``particle``'s own line of
            flight from where it enters.
        threshold: readout threshold in MeV that the file states; nothing is cut here.
    """

    deposits: Literal["active", "all"] = "active"
    sampling_fraction: Annotated[float, Field(gt=0, le=1)] | Literal["measured"] = "measured"
    deposit_at: Literal["end", "middle"] = "end"
    axis: Literal["calorimeter", "particle"] = "calorimeter"
    threshold: Annotated[float, Field(ge=0)] = 0.0


class BuiltIn(_Readout):
    """The voxels of a built-in geometry, at depths of this calorimeter.

    Attributes:
        kind: says that it is this kind of readout.
        geometry: name, for example ``calochallenge-1-photons``; its threshold is taken too.
        depths: thickness of each readout layer in mm; a single number is that of all.
    """

    kind: Literal["geometry"] = "geometry"
    geometry: str
    depths: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Ring(Config):
    """One readout layer of rings and sectors.

    Attributes:
        depth: thickness in mm.
        r_edges: increasing radii in mm.
        n_alpha: number of sectors.
    """

    depth: Positive
    r_edges: Annotated[tuple[float, ...], Field(min_length=2)]
    n_alpha: Count = 1


class Rings(_Readout):
    """Readout layers of rings and sectors of one's own.

    Attributes:
        kind: says that it is this kind of readout.
        layers: in order of depth.
        repeat: how often the list of layers repeats.
    """

    kind: Literal["rings"] = "rings"
    layers: Annotated[tuple[Ring, ...], Field(min_length=1)]
    repeat: Count = 1


class Cells(Config):
    """One readout layer of rectangular cells.

    Attributes:
        depth: thickness in mm.
        n_x: number of cells along x; with 1 the layer sees y only.
        n_y: number of cells along y.
    """

    depth: Positive
    n_x: Count = 1
    n_y: Count = 1


class Grid(_Readout):
    """Readout layers of rectangular cells.

    Attributes:
        kind: says that it is this kind of readout.
        layers: in order of depth.
        repeat: how often the list of layers repeats.
        width: side of the square that the cells of a layer divide, in mm.
    """

    kind: Literal["grid"] = "grid"
    layers: Annotated[tuple[Cells, ...], Field(min_length=1)]
    repeat: Count = 1
    width: Positive


Readout = Annotated[BuiltIn | Rings | Grid, Field(discriminator="kind")]


class Calorimeter(Config):
    """A sampling or homogeneous calorimeter: square plates across the beam, in vacuum.

    Attributes:
        name: what it is called in files and messages.
        width: side of the plates in mm.
        stacks: what the beam meets, in order.
        readout: its voxels.
    """

    name: str
    width: Positive
    stacks: Annotated[tuple[Stack, ...], Field(min_length=1)]
    readout: Readout

    @property
    def slabs(self) -> tuple[Slab, ...]:
        """Every slab, in order."""
        return tuple(
            slab for stack in self.stacks for _ in range(stack.repeat) for slab in stack.slabs
        )

    @property
    def slab_edges(self) -> tuple[float, ...]:
        """Depths in mm between the slabs, from 0 to the end, shape ``(slabs + 1,)``."""
        return tuple(accumulate((slab.thickness for slab in self.slabs), initial=0.0))

    @property
    def depth(self) -> float:
        """Thickness of the whole calorimeter in mm."""
        return self.slab_edges[-1]

    @property
    def materials(self) -> tuple[str, ...]:
        """The materials' names, each once."""
        return tuple(dict.fromkeys(slab.material for slab in self.slabs))

    @property
    def layers(self) -> tuple[Ring | Cells, ...]:
        """The readout layers, in order of depth.

        Raises:
            UnknownNameError: if a built-in geometry is meant that is not known.
            RangeError: if its layers and the depths differ in number, or are no rings.
        """
        if isinstance(self.readout, Rings):
            return self.readout.layers * self.readout.repeat
        if isinstance(self.readout, Grid):
            return self.readout.layers * self.readout.repeat
        every = geometry(self.readout.geometry).layers
        known = [layer for layer in every if isinstance(layer, Layer)]
        if len(known) < len(every):
            raise RangeError(
                f'readout.geometry: "{self.readout.geometry}" has rectangular cells, expected '
                "rings; describe the cells with `kind: grid`, as the presets calogan and "
                "ams02-ecal do."
            )
        depths = self.readout.depths
        depths = depths * len(known) if len(depths) == 1 else depths
        if len(depths) != len(known):
            raise RangeError(
                f'readout.depths: expected {len(known)} numbers, one for each layer of "'
                f'{self.readout.geometry}", or a single one; got {len(depths)}.'
            )
        return tuple(
            Ring(depth=depth, r_edges=layer.r_edges, n_alpha=layer.n_alpha)
            for depth, layer in zip(depths, known, strict=True)
        )

    @property
    def layer_edges(self) -> tuple[float, ...]:
        """Depths in mm between the readout layers, from 0, shape ``(layers + 1,)``."""
        return tuple(accumulate((layer.depth for layer in self.layers), initial=0.0))

    def geometry(self, particle: str = "", pdg: int = 0) -> Geometry:
        """Return the voxels as files describe them, at their depths.

        Args:
            particle: name of the particle, for people.
            pdg: its number; 0 if there are several.
        """
        edges = self.layer_edges
        if isinstance(self.readout, Grid):
            cells = tuple(
                GridLayer.square(i, c.n_x, c.n_y, self.readout.width, edges[i], edges[i + 1])
                for i, c in enumerate(self.readout.layers * self.readout.repeat)
            )
            return Geometry(self.name, particle, pdg, cells, self.readout.threshold)
        if isinstance(self.readout, BuiltIn):
            known = geometry(self.readout.geometry)
            return known.with_depths(edges[:-1], edges[1:])
        layers = tuple(
            Layer(place, layer.r_edges, layer.n_alpha, edges[place], edges[place + 1])
            for place, layer in enumerate(self.layers)
            if isinstance(layer, Ring)
        )
        return Geometry(self.name, particle, pdg, layers, self.readout.threshold)

    def refuse_nonsense(self) -> None:
        """Refuse a readout whose voxels miss the calorimeter, or that has nothing to read.

        Raises:
            UnknownNameError: if a built-in geometry is meant that is not known.
            RangeError: if a layer begins behind the last slab, a voxel lies beside the plates, or
                no slab is active.
        """
        if self.readout.deposits == "active" and not any(slab.active for slab in self.slabs):
            raise RangeError(
                f"{self.name}: no slab is active, so there is nothing to read; set `active: true` "
                "for the slabs that are read out, or `readout.deposits: all`."
            )
        if self.layer_edges[-1] > self.depth + _SLACK_MM:
            raise RangeError(
                f"{self.name}: voxels miss the calorimeter: the readout layers are "
                f"{self.layer_edges[-1]:g} mm deep, the stack only {self.depth:g} mm; give depths "
                "that add up to the stack's or less."
            )
        self._refuse_voxels_beside()
        self.geometry()  # radial edges that decrease are refused there

    def _refuse_voxels_beside(self) -> None:
        corner = self.width / 2**0.5
        for place, layer in enumerate(self.layers):
            if isinstance(layer, Ring) and layer.r_edges[-2] >= corner:
                raise RangeError(
                    f"{self.name}: voxels miss the calorimeter: the last ring of layer {place} "
                    f"begins at {layer.r_edges[-2]:g} mm, the corners of plates of "
                    f"{self.width:g} mm are at {corner:g} mm; make `width` larger or leave the "
                    "ring out."
                )
        if isinstance(self.readout, Grid) and self.readout.width > self.width + _SLACK_MM:
            raise RangeError(
                f"{self.name}: voxels miss the calorimeter: the grid is {self.readout.width:g} mm "
                f"wide, the plates {self.width:g} mm; make `width` larger."
            )
