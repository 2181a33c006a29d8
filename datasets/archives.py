"""Unpack one file from an untrusted archive: sizes are bounded, paths in the archive ignored, links refused."""

import contextlib
import gzip
import lzma
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from common.errors import UserError
from common.files import atomic_path

LARGEST_RATIO = 100  # of unpacked to packed size, for files that unpack to more than HARMLESS_BYTES
HARMLESS_BYTES = 1 << 28
CHUNK = 1 << 20
WORKSPACE = ".download-"
GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the latter: without entries
# Raised for damaged archives; ValueError: undecodable name, RuntimeError: unknown version.
ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError),
)


class ArchiveError(UserError):
    """An archive or download is damaged, unsafe or not the expected file."""


def is_zip(file: Path) -> bool:
    """Whether a file is a zip file whose list of entries can be read."""
    if not zipfile.is_zipfile(file):
        return False
    try:
        zipfile.ZipFile(file).close()
    except (*ARCHIVE_ERRORS, OSError):
        return False
    return True


def contains(archive: Path, names: Collection[str]) -> bool:
    """Whether a file is a zip file with an entry named as one of `names`, or is named `<name>.gz`."""
    if archive.name.lower().endswith(".gz"):
        return archive.name[:-3] in names
    if not is_zip(archive):
        return False
    with zipfile.ZipFile(archive) as content:
        return _find_entry(content, names) is not None


def extract(archive: Path, names: Collection[str], folder: Path) -> Path:
    """Unpack one file from a zip or gz file, atomically.

    Parameters
    ----------
    archive : the zip or gz file
    names : file names to look for; the first one found is unpacked
    folder : where to write the file

    Returns
    -------
    Path
        The unpacked file.

    Raises
    ------
    ArchiveError
        The archive is damaged or unsafe, or contains none of the names.
    UserError
        The disk is full or the folder can't be written.
    """
    try:
        with open(archive, "rb") as file:
            packed_by_gzip = file.read(2) == GZIP
        if packed_by_gzip:
            bound = max(HARMLESS_BYTES, LARGEST_RATIO * archive.stat().st_size)
            name = next((name for name in names if archive.name == name + ".gz"), next(iter(names)))
            with gzip.open(archive, "rb") as source:
                return _write(source, folder / name, bound, archive)
        with zipfile.ZipFile(archive) as content:
            found = _find_entry(content, names)
            if found is None:
                raise ArchiveError(f"{archive} doesn't contain {' or '.join(names)}")
            name, entry = found
            _check_entry(entry, archive)
            with content.open(entry) as source:
                return _write(source, folder / name, entry.file_size, archive)
    except ARCHIVE_ERRORS as error:
        raise ArchiveError(f"{archive} is a damaged archive ({error}): remove it and download it again") from error
    except OSError as error:
        raise UserError(f"can't unpack {archive}: {error.strerror or error}") from error


def _find_entry(content: zipfile.ZipFile, names: Collection[str]) -> tuple[str, zipfile.ZipInfo] | None:
    """The first of `names` that an entry has as its file name, ignoring case, and that entry."""
    for name in names:
        for entry in content.infolist():
            path = entry.filename.replace("\\", "/")
            if not entry.is_dir() and PurePosixPath(path).name.lower() == name.lower():
                return name, entry
    return None


def _check_entry(entry: zipfile.ZipInfo, archive: Path) -> None:
    """Raise ArchiveError if an entry is a link, points outside the archive's folder, or unpacks to too large a file."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ArchiveError(
            f"{archive}: entry {entry.filename!r} points outside the archive's folder; it is not unpacked"
        )
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ArchiveError(f"{archive}: entry {entry.filename!r} is a link or a device, not a file; it is not unpacked")
    if entry.file_size > max(HARMLESS_BYTES, LARGEST_RATIO * entry.compress_size):
        raise ArchiveError(
            f"{archive}: entry {entry.filename!r} would unpack to {entry.file_size:,} bytes from "
            f"{entry.compress_size:,}, which is implausible for a table of interactions; it is not unpacked"
        )


def _write(source: IO[bytes] | gzip.GzipFile, target: Path, bound: int, archive: Path) -> Path:
    """Copy to `target` atomically. Raises ArchiveError if there are more than `bound` bytes."""
    with atomic_path(target) as temporary, open(temporary, "wb") as file:
        left = bound + 1
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            file.write(chunk)
            left -= len(chunk)
        if left <= 0:
            raise ArchiveError(
                f"{archive} unpacks to more than {bound:,} bytes, which is implausible; it is not unpacked"
            )
    return target


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`. It is removed at the end, as are `folder` and new parents that are still empty.

    Raises UserError if the disk is full or can't be written.
    """
    parents = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=WORKSPACE) as temporary:
            yield Path(temporary)
    except OSError as error:
        raise UserError(f"can't write to {folder}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            for empty in (folder, *parents):
                empty.rmdir()


def move_into_place(source: Path, target: Path) -> Path:
    """Move a complete file out of a workspace, atomically."""
    with atomic_path(target) as temporary:
        source.replace(temporary)
    return target
