"""A path in place of a dataset's code: `--dataset_code sales.csv` means the dataset `file` with that path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common.files import expanded
from datasets import DATASETS
from options.values import RawOption, Words


def as_options(entry: str | dict[str, Any]) -> dict[str, Any]:
    """An entry of a list of datasets as options; a string is a code or the path of an existing file."""
    if isinstance(entry, dict):
        entry = dict(entry)
        named = entry.get("dataset_code")
        return {**entry, **as_options(named)} if isinstance(named, str) and "dataset_path" not in entry else entry
    if entry not in DATASETS and expanded(Path(entry)).is_file():
        return {"dataset_code": "file", "dataset_path": entry}
    return {"dataset_code": entry}


def paths_as_files(given: list[RawOption]) -> list[RawOption]:
    """The options, with `dataset_code` and `dataset_path` where the code is the path of an existing file."""
    read = []
    for item in given:
        words = item.value.words if isinstance(item.value, Words) else (item.value,)
        if item.key != "dataset_code" or len(words) != 1 or not isinstance(words[0], str):
            read.append(item)
        else:
            made = as_options(words[0])
            read += [replace(item, key=key, value=value) for key, value in made.items()] if len(made) > 1 else [item]
    return read
