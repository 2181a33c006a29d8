"""The files of a dataset: one, those of a folder, or those that match a pattern."""

from __future__ import annotations

import glob
from pathlib import Path

from common.errors import UserError

PACKED = (".gz", ".bz2", ".zst")
PATTERN = frozenset("*?[")
SHOWN = 5  # files in a message


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern such as `logs/2024-*.csv` rather than a file or folder."""
    return not PATTERN.isdisjoint(str(path)) and not path.exists()


def data_files(path: Path, key: str = "dataset_path") -> list[Path]:
    """The files that a path stands for, ordered by their names.

    Parameters
    ----------
    path : a file, a folder (all files in it and below, without those whose names start with `.` or `_`), or a pattern
        with `*`, `?`, `[...]` and `**`
    key : the option, for messages

    Raises
    ------
    UserError
        There is no such file, or the files of a folder are of different kinds.
    """
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
        kinds = {_kind(file): file for file in reversed(found)}
        if len(kinds) > 1:
            shown = ", ".join(sorted(file.name for file in kinds.values())[:SHOWN])
            raise UserError(
                f"{key} {path}: the folder has files of different kinds ({shown}): give e.g. '{path}/*.csv'"
            )
        if not found:
            raise UserError(f"{key} {path}: the folder has no files")
        return found
    if is_pattern(path):
        found = sorted(file for name in glob.glob(str(path), recursive=True) if (file := Path(name)).is_file())  # noqa: PTH207 - Path.glob needs a folder
        if not found:
            raise UserError(f"{key} {path}: no file matches this pattern{_place(path)}")
        return found
    if not path.is_file():
        raise UserError(f"{key} {path}: no such file{_place(path)}")
    return [path]


def _place(path: Path) -> str:
    return "" if path.is_absolute() else f" (relative to {Path.cwd()})"


def _is_hidden(path: Path) -> bool:
    """Whether a file or a folder above it is one of a writer's own, such as `_SUCCESS` or `.part-0.crc`."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _kind(path: Path) -> str:
    """The suffix without that of the compression."""
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()
