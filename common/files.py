"""Atomic writes: readers see a file or folder either complete or not at all."""

import contextlib
import ctypes
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common.locks import flocked

ABANDONED_SECONDS = 24 * 3600.0
TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.tmp")  # the names of temporary folders
REPLACED = ".replaced"  # a folder on its way out


def _sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable, if the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def expanded(path: Path) -> Path:
    """Expand a leading `~`; return the path unchanged if there is no such home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


@contextlib.contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a folder `.<name>.<random>.tmp` next to `path`, for what will become `path`; remove it afterwards.

    It is locked while the block runs, so that `remove_abandoned` can tell it from one whose process was killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, f".{glob.escape(path.name)}.*.tmp")
    with contextlib.ExitStack() as held:
        while True:
            folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
            with contextlib.suppress(FileNotFoundError):
                held.enter_context(flocked(folder, wait=True))
            if folder.exists():  # else another process took it for abandoned before it was locked
                break
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path; the file written there becomes `path` if the block succeeds, else it is removed."""
    with _temporary_folder(path) as folder:
        temporary = folder / path.name
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8 with `\\n` line endings."""
    write_bytes(path, content.encode("utf-8"))


@contextlib.contextmanager
def atomic_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder, which becomes `path` if the block succeeds, else it is removed.

    If `path` exists by then (another process may have created it), it is kept and this one removed, or the other way
    round with `replace`.
    """
    with _temporary_folder(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        if replace and path.is_dir():
            _exchange(temporary, path, folder / REPLACED)
        else:
            try:
                temporary.rename(path)
            except OSError:
                if not path.is_dir():
                    raise
        _sync_folder(path.parent)


def _exchange(new: Path, path: Path, aside: Path) -> None:
    """Swap two folders: in one step where the system can, otherwise the old one is moved to `aside` first."""
    if not _renamed_both(new, path):
        path.rename(aside)  # after a kill at this point, `remove_abandoned` moves it back
        new.rename(path)


def _renamed_both(one: Path, other: Path) -> bool:
    """Exchange two paths by Linux's renameat2; False if that isn't possible here."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    at_working_folder, exchange = -100, 2
    return bool(rename(at_working_folder, os.fsencode(one), at_working_folder, os.fsencode(other), exchange) == 0)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def remove_abandoned(folder: Path, *patterns: str, seconds: float = ABANDONED_SECONDS) -> None:
    """Remove leftovers of killed processes from a folder: what matches `patterns` and is no longer in use.

    A temporary folder of this module is in use while it is locked. Anything else, and what can't be locked here, counts
    as a leftover if it hasn't changed for `seconds`.
    """
    for leftover in (path for pattern in patterns for path in folder.glob(pattern)):
        with contextlib.suppress(OSError):  # another process removes it too, or owns it
            _remove_if_abandoned(leftover, seconds)


def _remove_if_abandoned(leftover: Path, seconds: float) -> None:
    name = TEMPORARY.fullmatch(leftover.name) if leftover.is_dir() and not leftover.is_symlink() else None
    with flocked(leftover, wait=False) if name else contextlib.nullcontext() as free:
        if free is False:
            return
        newest = max(path.lstat().st_mtime for path in (leftover, *leftover.rglob("*")))
        if free is None and time.time() - newest < seconds:
            return
        if name and (leftover / REPLACED).is_dir() and not leftover.with_name(name[1]).exists():
            (leftover / REPLACED).rename(leftover.with_name(name[1]))
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in chunks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
