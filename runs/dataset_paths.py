"""A path in place of a dataset's code: `--dataset_code sales.csv` means the dataset `file` with that path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common.files import expanded
from datasets import DATASETS
from datasets.data_files import is_pattern
from options.values import RawOption, Words


def as_options(entry: str | dict[str, Any]) -> dict[str, Any]:
    """An entry of a list of datasets as options; a string is a code, or the path of a file, a folder or a pattern."""
    if isinstance(entry, dict):
        entry = dict(entry)
        named = entry.get("dataset_code")
        return {**entry, **as_options(named)} if isinstance(named, str) and "dataset_path" not in entry else entry
    path = expanded(Path(entry))
    if entry not in DATASETS and (path.is_file() or is_pattern(path) or (path.is_dir() and _has_files(path))):
        return {"dataset_code": "file", "dataset_path": entry}
    return {"dataset_code": entry}


def _has_files(folder: Path) -> bool:
    """Whether a folder has files, and not only folders, as that of an experiment may have."""
    return any(path.is_file() for path in folder.iterdir())


def paths_as_files(given: list[RawOption]) -> list[RawOption]:
    """The options, with `dataset_code` and `dataset_path` where the code is a path."""
    read = []
    for item in given:
        words = item.value.words if isinstance(item.value, Words) else (item.value,)
        if item.key != "dataset_code" or len(words) != 1 or not isinstance(words[0], str):
            read.append(item)
        else:
            made = as_options(words[0])
            read += [replace(item, key=key, value=value) for key, value in made.items()] if len(made) > 1 else [item]
    return read
