"""Cache of prepared datasets: a folder with one .npy file per array, written atomically and memory-mapped."""

import contextlib
import json
import logging
import os
import secrets
import shutil
import stat
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.files import atomic_folder
from common.texts import value_hash
from datasets.funnel import as_records, from_records
from datasets.sequence_data import ARRAYS, SequenceData

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")

CACHE_VERSION = 6
CHUNK_BYTES = 1 << 20
META = "meta.json"
NAME_PLACEHOLDER = "{name}"  # for the dataset's name in notes, as the same content may be loaded under another name
TEMPORARY = (".*.tmp", "hashes/.*.tmp")  # patterns below the folder of prepared datasets


def _content_sum(path: Path) -> str:
    """Size and CRC-32 of a file: detects truncation, changed bytes and swapped blocks, at 2 GB/s."""
    size = total = 0
    buffer = memoryview(bytearray(CHUNK_BYTES))  # reused, as allocating memory would take longer than reading
    with open(path, "rb") as file:
        while count := file.readinto(buffer):
            size += count
            total = zlib.crc32(buffer[:count], total)
    return f"{size}-{total:08x}"


def _check(meta: dict[str, Any]) -> str:
    """Checksum of the metadata."""
    return value_hash(meta, 16)


def store(folder: Path, data: SequenceData, notes: Sequence[tuple[int, str]] = ()) -> None:
    """Write `data` to `folder` atomically. If another process has written it meanwhile, theirs is kept.

    Parameters
    ----------
    folder : the cache folder
    data : the prepared dataset
    notes : levels and messages logged while it was prepared; `load` logs them again, with the dataset's name in place
        of `NAME_PLACEHOLDER`

    Raises
    ------
    UserError
        The disk is full or the folder can't be written.
    """
    meta: dict[str, Any] = {"hash": data.hash, "repeats": data.repeat_consumption}
    meta |= {"copies": data.copies, "repeat_rate": data.repeat_rate}
    meta |= {"funnel": as_records(data.funnel), "notes": list(notes)}
    store_arrays(folder, {key: getattr(data, key) for key in ARRAYS}, meta)


def store_arrays(folder: Path, arrays: Mapping[str, npt.NDArray[np.generic] | None], described: dict[str, Any]) -> None:
    """Write the arrays that there are and a description for JSON, as `store` does."""
    try:
        with atomic_folder(folder) as temporary:
            sums: dict[str, str] = {}
            for key, array in arrays.items():
                if array is None:
                    continue
                path = temporary / f"{key}.npy"
                with open(path, "wb") as file:
                    np.save(file, array, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
                sums[key] = _content_sum(path)
            meta: dict[str, Any] = {"key": folder.name, "sums": sums, **described}
            meta["check"] = _check(meta)
            with open(temporary / META, "w", encoding="utf-8") as file:
                json.dump(meta, file)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"can't write the prepared dataset to {folder}: {error.strerror or error}; "
            "free some space or choose another --local_data_folder"
        ) from error


def load(folder: Path, *, name: str, log_notes: bool = True) -> SequenceData | None:
    """Load a dataset from its cache folder, with memory-mapped arrays.

    Parameters
    ----------
    folder : the cache folder
    name : name to give the dataset
    log_notes : whether to log the notes again

    Returns
    -------
    SequenceData or None
        None if the folder is missing, or damaged: then it is removed with a warning, and the caller prepares the data
        again.
    """

    def make(arrays: dict[str, Any], meta: dict[str, Any]) -> tuple[SequenceData, list[tuple[int, str]]]:
        data = SequenceData(
            name=name,
            hash=str(meta["hash"]),
            repeat_consumption=bool(meta["repeats"]),
            copies=int(meta["copies"]),
            repeat_rate=float(meta["repeat_rate"]),
            funnel=from_records(meta["funnel"]),
            **arrays,
        )
        if data.items is None or data.offsets[0] != 0 or data.offsets[-1] != len(data.items):
            raise ValueError("the arrays are inconsistent")
        return data, notes_of(meta)

    found = load_arrays(folder, ARRAYS, make)
    if found is None:
        return None
    data, notes = found
    for level, note in notes if log_notes else ():
        said = note.replace(NAME_PLACEHOLDER, name, 1)
        log.log(level, "%s (logged when the data was prepared)", said, extra={"repeats": said})
    return data


def notes_of(meta: dict[str, Any]) -> list[tuple[int, str]]:
    """The levels and messages in a description."""
    return [(int(level), str(note)) for level, note in meta["notes"]]


def load_arrays(
    folder: Path, keys: Sequence[str], make: Callable[[dict[str, Any], dict[str, Any]], Loaded]
) -> Loaded | None:
    """What `make` makes of the arrays (None for those that are missing) and the description in a cache folder.

    None if the folder is missing or damaged, as in `load`. `make` may raise ValueError, KeyError or TypeError.
    """
    seen = _identity(folder)
    if seen is None:
        return None
    try:
        return make(*_read_arrays(folder, keys))
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the prepared dataset in %s is damaged (%s); preparing it again", folder, error)
    try:
        _remove(folder, seen)
    except OSError as error:
        raise UserError(f"the prepared dataset in {folder} is damaged and can't be removed: {error}") from error
    return None


def remove(folder: Path) -> None:
    """Remove a cache folder that is no longer needed; nothing happens if that isn't possible."""
    seen = _identity(folder)
    if seen is not None:
        with contextlib.suppress(OSError):
            _remove(folder, seen)


def _read_arrays(folder: Path, keys: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the description. Raises ValueError, KeyError, TypeError or OSError if the folder is damaged."""
    meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
    if meta.pop("check") != _check(meta) or meta["key"] != folder.name:
        raise ValueError(f"{META} doesn't match its checksum")
    arrays: dict[str, Any] = dict.fromkeys(keys)
    for key, expected in meta["sums"].items():
        path = folder / f"{key}.npy"
        if key not in keys or _content_sum(path) != expected:
            raise ValueError(f"{path.name} doesn't match its checksum")
        arrays[key] = np.load(path, mmap_mode="r", allow_pickle=False)
    return arrays, meta


def _identity(folder: Path) -> tuple[int, int] | None:
    """Inode and time of a folder, which distinguish it from a later one of the same name; None if there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns) if stat.S_ISDIR(status.st_mode) else None


def _remove(folder: Path, seen: tuple[int, int]) -> None:
    """Remove a damaged folder atomically, if its identity is still `seen`.

    Another process may have removed or rebuilt it meanwhile; a rebuilt one is kept.
    """
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    if _identity(aside) != seen:
        with contextlib.suppress(OSError):  # a third process has stored it meanwhile
            aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
