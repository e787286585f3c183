"""Public data sets by name: where they are, how they are split, what to beware of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError, UnknownNameError
from ..execute import atomic_text
from ..units import GeV, TeV
from .download import fetch

__all__ = [
    "CatalogFile",
    "DataSet",
    "FileState",
    "dataset",
    "datasets",
    "file_digest",
    "get",
    "official_part",
    "verify",
]


@dataclass(frozen=True)
class CatalogFile:
    """One file of a public data set.

    Args:
        name: as it is published.
        part: ``train`` or ``evaluation``, by the official split.
        events: number of showers; 0 if not stated.
        digest: ``algorithm:hexadecimal`` as published, or None if not known here.
    """

    name: str
    part: str
    events: int = 0
    digest: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One public data set.

    Args:
        name: what it is called here.
        title: one line for people.
        reference: the paper, with its arXiv number.
        doi: where it is published; empty if not known here.
        particle: what is shot at the calorimeter.
        incident_energy: lowest and highest incident energy in MeV.
        geometry: name of the built-in geometry; empty if it has none.
        format: name of the file format; empty if none of ours reads it.
        files: its files; empty if their names are not known here.
        base_url: the folder of the files on the web; empty if there is no direct link.
        licence: as its publisher states it, or None if not known here.
        notes: what to beware of.
    """

    name: str
    title: str
    reference: str
    doi: str
    particle: str
    incident_energy: tuple[float, float]
    geometry: str = ""
    format: str = ""
    files: tuple[CatalogFile, ...] = ()
    base_url: str = ""
    licence: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileState:
    """What :func:`verify` found out about one file.

    Args:
        name: of the file.
        state: ``complete`` (digest as published), ``recorded`` (no digest is published; as
            :func:`get` recorded it), ``missing``, ``changed`` or ``unknown`` (there, but no
            digest to compare with).
        digest: the digest that was found; empty if the file is missing.
    """

    name: str
    state: str
    digest: str = ""


def datasets() -> tuple[DataSet, ...]:
    """Return every data set of the catalog."""
    return tuple(_CATALOG.values())


def dataset(name: str) -> DataSet:
    """Return a data set by name.

    Raises:
        UnknownNameError: if there is none of that name.

    Example:
        >>> dataset("calochallenge-2").doi
        '10.5281/zenodo.6366270'
    """
    if name not in _CATALOG:
        raise UnknownNameError("data set", name, _CATALOG)
    return _CATALOG[name]


def official_part(file_name: str) -> tuple[str, str] | None:
    """Return data set and part (``train``, ``evaluation``) of a published file, by its name."""
    for known in _CATALOG.values():
        for file in known.files:
            if file.name == file_name:
                return known.name, file.part
    return None


def verify(name: str, folder: Path | str) -> tuple[FileState, ...]:
    """Compare files that the user has with the catalog.

    Args:
        name: of the data set.
        folder: where its files lie.

    Raises:
        UnknownNameError: if there is no data set of that name.
    """
    return tuple(_state(file, Path(folder)) for file in dataset(name).files)


def get(
    name: str,
    folder: Path | str,
    *,
    base_url: str | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> tuple[FileState, ...]:
    """Fetch the files of a public data set that are not there yet.

    An interrupted transfer is kept as ``NAME.part`` and resumed; a file gets its name only
    when it is complete and its digest is right. Where no digest is known, the SHA-256 of what
    came is recorded beside the file, and :func:`verify` compares with that.

    Args:
        name: of the data set.
        folder: where to put the files.
        base_url: another place to take them from, for example a mirror.
        progress: is called with file name, bytes so far and bytes in all (None if not known).

    Returns:
        The state of every file, each ``complete`` or ``recorded``.

    Raises:
        UnknownNameError: if there is no data set of that name.
        FileFormatError: if a file cannot be fetched or is not what its digest says.
        OutputError: if the folder cannot be written or the disk is full.
    """
    wanted, folder = dataset(name), Path(folder)
    base = base_url or wanted.base_url
    if not base or not wanted.files:
        place = f"https://doi.org/{wanted.doi}" if wanted.doi else wanted.reference
        raise FileFormatError(
            f"{name}: its files are not known here, so they cannot be fetched; see {place}."
        )
    for file in wanted.files:
        if _state(file, folder).state in ("complete", "recorded"):
            continue
        suffix = "?download=1" if base == wanted.base_url else ""
        fetch(
            f"{base.rstrip('/')}/{file.name}{suffix}",
            folder / file.name,
            digest=file.digest,
            progress=progress,
        )
        if file.digest is None:
            found = file_digest(folder / file.name)
            atomic_text(_record(folder, file), f"{found.partition(':')[2]}  {file.name}\n")
    return verify(name, folder)


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file's bytes as ``algorithm:hexadecimal``."""
    with path.open("rb") as handle:
        return f"{algorithm}:{hashlib.file_digest(handle, algorithm).hexdigest()}"


def _state(file: CatalogFile, folder: Path) -> FileState:
    path, record = folder / file.name, _record(folder, file)
    if not path.is_file():
        return FileState(file.name, "missing")
    expected = file.digest
    if expected is None and record.is_file():
        expected = f"sha256:{(record.read_text(encoding='utf-8').split() or [''])[0]}"
    found = file_digest(path, (expected or "sha256").partition(":")[0])
    if expected is None:
        return FileState(file.name, "unknown", found)
    good = "complete" if file.digest else "recorded"
    return FileState(file.name, good if found == expected else "changed", found)


def _record(folder: Path, file: CatalogFile) -> Path:
    return folder / f"{file.name}.sha256"


_CHALLENGE = 'Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611'
_BEFORE_2023_11 = (
    "Classifier scores published before November 2023 used a smaller network and fewer "
    "features; they do not compare."
)

# MD5 sums are those that Zenodo states for these records.
_CATALOG = {
    known.name: known
    for known in (
        DataSet(
            name="calochallenge-1-photons",
            title="CaloChallenge data set 1, photons: ATLAS open data, 368 voxels",
            reference=_CHALLENGE,
            doi="10.5281/zenodo.8099322",
            particle="photon",
            incident_energy=(256.0, 4194304.0),
            geometry="calochallenge-1-photons",
            format="calochallenge",
            files=(
                CatalogFile(
                    "dataset_1_photons_1.hdf5",
                    "train",
                    121_000,
                    "md5:005d2adeda7db034b388112661265656",
                ),
                CatalogFile(
                    "dataset_1_photons_2.hdf5",
                    "evaluation",
                    121_000,
                    "md5:4767715ed56e99565fd9c67340661e70",
                ),
            ),
            base_url="https://zenodo.org/records/8099322/files",
            notes=(
                "15 discrete incident energies, 256 MeV times powers of 2; 10,000 showers each "
                "up to 2^18 MeV, fewer above.",
                "Double precision; the evaluation cuts voxels below 1 MeV.",
                _BEFORE_2023_11,
            ),
        ),
        DataSet(
            name="calochallenge-1-pions",
            title="CaloChallenge data set 1, pions: ATLAS open data, 533 voxels",
            reference=_CHALLENGE,
            doi="10.5281/zenodo.8099322",
            particle="pion",
            incident_energy=(256.0, 4194304.0),
            geometry="calochallenge-1-pions",
            format="calochallenge",
            files=(
                CatalogFile(
                    "dataset_1_pions_1.hdf5",
                    "train",
                    120_800,
                    "md5:6a5f52722064a1bcd8a0bc002f16515d",
                ),
                CatalogFile(
                    "dataset_1_pions_2.hdf5",
                    "evaluation",
                    120_800,
                    "md5:fee7457b40127bc23c8ab909e2638ca0",
                ),
            ),
            base_url="https://zenodo.org/records/8099322/files",
            notes=(
                "Only the version of 2023-06-30 counts; earlier ones hold duplicated showers.",
                "The two files look differently distributed: full simulation against full "
                "simulation has a published AUC of 0.609 (low-level), not 0.5.",
                "15 discrete incident energies; 9,800 showers at 2^18 MeV.",
                _BEFORE_2023_11,
            ),
        ),
        DataSet(
            name="calochallenge-2",
            title="CaloChallenge data set 2: electrons, Par04 cylinder, 45 x 16 x 9 voxels",
            reference=_CHALLENGE,
            doi="10.5281/zenodo.6366270",
            particle="electron",
            incident_energy=(1 * GeV, 1 * TeV),
            geometry="calochallenge-2",
            format="calochallenge",
            files=(
                CatalogFile(
                    "dataset_2_1.hdf5", "train", 100_000, "md5:e590333e9a2da51b258288d74bd8357a"
                ),
                CatalogFile(
                    "dataset_2_2.hdf5",
                    "evaluation",
                    100_000,
                    "md5:7a56fd68aa53ded37c2ac445694d9736",
                ),
            ),
            base_url="https://zenodo.org/records/6366271/files",
            notes=(
                "Voxels are divided by the sampling fraction 0.033; the readout threshold is "
                "15.15 keV (0.5 keV / 0.033).",
                _BEFORE_2023_11,
            ),
        ),
        DataSet(
            name="calochallenge-3",
            title="CaloChallenge data set 3: electrons, Par04 cylinder, 45 x 50 x 18 voxels",
            reference=_CHALLENGE,
            doi="10.5281/zenodo.6366323",
            particle="electron",
            incident_energy=(1 * GeV, 1 * TeV),
            geometry="calochallenge-3",
            format="calochallenge",
            files=(
                CatalogFile(
                    "dataset_3_1.hdf5", "train", 50_000, "md5:d33f03418aa311b0965452fcbef1ff87"
                ),
                CatalogFile(
                    "dataset_3_2.hdf5", "train", 50_000, "md5:911dec2c40aafa64a07b7450b80881bf"
                ),
                CatalogFile(
                    "dataset_3_3.hdf5",
                    "evaluation",
                    50_000,
                    "md5:5ea62f6831a1821bb5035fafc9f030e8",
                ),
                CatalogFile(
                    "dataset_3_4.hdf5",
                    "evaluation",
                    50_000,
                    "md5:5e8d82e6a6c28c6914a3b602a1cfa299",
                ),
            ),
            base_url="https://zenodo.org/records/6366324/files",
            notes=(
                "Voxels are divided by the sampling fraction 0.033; the readout threshold is "
                "15.15 keV (0.5 keV / 0.033).",
                "Larger than most memories when unpacked: 8 to 16 GB per file.",
                _BEFORE_2023_11,
            ),
        ),
        DataSet(
            name="calogan",
            title="CaloGAN: positrons, photons, pions in three layers of 504 cells",
            reference='Paganini, de Oliveira, Nachman, "CaloGAN", 2017, arXiv:1712.10321',
            doi="10.17632/pvn3xc3wy5.1",
            particle="positron, photon, pion",
            incident_energy=(1 * GeV, 100 * GeV),
            files=(
                CatalogFile("eplus.hdf5", "train"),
                CatalogFile("gamma.hdf5", "train"),
                CatalogFile("piplus.hdf5", "train"),
            ),
            notes=(
                "No official split, one file per particle.",
                "Rectangular cells (3 x 96, 12 x 12, 12 x 6): not a layout of rings; `energy` is "
                "in GeV and the layers in MeV.",
            ),
        ),
        DataSet(
            name="lemurs",
            title="LEMURS: electromagnetic showers in five detectors, 45 x 16 x 9 voxels",
            reference='"LEMURS dataset", 2025, arXiv:2509.05108',
            doi="",
            particle="electron, photon",
            incident_energy=(1 * GeV, 1 * TeV),
            geometry="calochallenge-2",
            format="lemurs",
            notes=(
                "Deposited energies, without the sampling fraction: open Par04's with "
                "energy_scale = 1 / 0.033 to compare with CaloChallenge data set 2.",
                "Detectors differ in cell size; pass the geometry of the detector that you use.",
                "FCCeeCLD and FCCeeALLEGRO go up to 100 GeV only; polar angles 0.87 to 2.27 rad.",
            ),
        ),
    )
}
