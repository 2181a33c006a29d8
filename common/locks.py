"""Locks on folders, which the system frees when the process that holds one dies.

The `filelock` library is not used. It can tell whether a lock is held only by taking it, which needs write access to
the folder and may get in the way of a process that is just starting. Where a file system has no locks, it falls back
on a file that outlives a killed process.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from common.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

LOCK = ".lock"
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})  # of some network file systems
LOCK_SECONDS = 1.0  # a process that was just killed, or that only checks, holds a lock for less


class InUseError(UserError):
    """A folder is in use by another process."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs.

    Without locks (on Windows and some network file systems) this only logs a warning. Raises InUseError if another
    process holds the lock.
    """
    with open(folder / LOCK, "a", encoding="ascii") as file:
        _wait(folder, lambda: _try_lock(file) is not False)
        if _try_lock(file) is None:  # locking a file again changes nothing
            log.warning(
                "%s can't be locked here: make sure that no second process uses the folder at the same time", folder
            )
        yield


def wait_until_free(folder: Path) -> None:
    """Wait a moment for a folder that is locked. Raises InUseError if it still is."""
    _wait(folder, lambda: not is_locked(folder))


def wait_for_any(folders: Sequence[Path]) -> None:
    """Wait, however long it takes, until one of these folders is not in use."""
    while all(map(is_locked, folders)):
        time.sleep(LOCK_SECONDS)


def is_locked(folder: Path) -> bool | None:
    """Whether a process, here or on another machine, has locked the folder; None if the system can't tell."""
    try:
        with open(folder / LOCK, encoding="ascii") as file:
            free = _try_lock(file, shared=True)
    except FileNotFoundError:
        return False
    return None if free is None else not free


@contextlib.contextmanager
def flocked(path: Path, wait: bool) -> Iterator[bool | None]:
    """Lock a file or folder itself while the block runs.

    Yields True, or None if there are no locks here, or False (without `wait`) if another process holds the lock.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        yield None
        return
    try:
        if wait and fcntl is not None:
            with contextlib.suppress(OSError):  # no locks here
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _wait(folder: Path, is_free: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while not is_free():
        if time.monotonic() > deadline:
            raise InUseError(f"{folder} is in use by another process: wait for it, or give another --experiment_name")
        time.sleep(LOCK_SECONDS / 20)


def _try_lock(file: IO[str] | int, shared: bool = False) -> bool | None:
    """Lock an open file without waiting; False if another process holds it, None if there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True
