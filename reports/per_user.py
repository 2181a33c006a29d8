"""The per-user values that runs recorded. They are kept in memory, because several parts of a report need them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from common.errors import UserError
from reports.collect import Run

KEPT_BYTES = 2**28  # of values in memory
Version = tuple[Path, int, int]  # a file's path, time of change, and size


class _Files:
    """The columns read from each file; those used least recently are forgotten first."""

    def __init__(self) -> None:
        self._known: dict[Version, pd.DataFrame] = {}

    def get(self, version: Version, columns: Sequence[str]) -> pd.DataFrame | None:
        """Return these columns of a file if all of them are known."""
        known = self._known.get(version)
        if known is None or not set(columns) <= set(known.columns):
            return None
        self._known[version] = self._known.pop(version)
        return known[list(columns)]

    def add(self, version: Version, frame: pd.DataFrame) -> None:
        """Add columns of a file to those known, and forget others where the memory is needed."""
        known = self._known.pop(version, None)
        if known is not None:
            frame = known.join(frame[[column for column in frame.columns if column not in known.columns]])
        self._known[version] = frame
        size = sum(_bytes(each) for each in self._known.values())
        while size > KEPT_BYTES:
            size -= _bytes(self._known.pop(next(iter(self._known))))


def _bytes(frame: pd.DataFrame) -> int:
    """The size of the values, and a guess at that of the users' names."""
    return len(frame) * (8 * len(frame.columns) + 64)


_files = _Files()


@lru_cache(maxsize=1024)
def _columns(version: Version) -> frozenset[str]:
    return frozenset(pq.read_schema(version[0]).names)


def read_per_user(run: Run, columns: Sequence[str]) -> pd.DataFrame | None:
    """Read per-user test values of a run, indexed by user; `columns` ("<candidates>/<metric>") it lacks are left out.

    None if the run has no such file. Raises UserError if the file is damaged.
    """
    path = run.per_user_path
    if not path.is_file():
        return None
    try:
        state = path.stat()
        version = path, state.st_mtime_ns, state.st_size
        present = _columns(version)
        kept = [column for column in columns if column in present]
        known = _files.get(version, kept)
        if known is not None:
            return known
        frame = pd.read_parquet(path, columns=[*(["user"] if "user" in present else []), *kept])
    except (OSError, ValueError) as error:
        raise UserError(f"can't read {path} as Parquet ({error}); delete it or create it again") from error
    if "user" not in frame.columns or not frame["user"].is_unique:
        raise UserError(f"{path} has no column `user` with unique users: it is not a per-user file of a run")
    frame = frame.set_index(frame["user"].astype(str))[kept].astype("float64").sort_index()
    _files.add(version, frame)
    return frame
