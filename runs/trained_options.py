"""The options with which commands load a trained run, and whether one is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator

from common.files import expanded
from common.schema import Options, options_with_role
from options import Resolved
from options.values import RawOption
from runs.run_options import RunOptions


class MovedFiles(Options):
    """Where the files of a trained run are now, if they were moved."""

    dataset_path: Path | None = Field(None, description="current path of the run's data file; null = unchanged")
    appended_paths: tuple[Path, ...] | None = Field(
        None, description="current paths of the files that continue it, all of them; null = unchanged"
    )
    validation_path: Path | None = Field(None, description="as dataset_path, for the file of `split files`")
    test_path: Path | None = Field(None, description="as dataset_path, for the file of `split files`")
    item_features: Path | None = Field(None, description="as dataset_path, for the file of item features")
    item_embeddings: Path | None = Field(None, description="as dataset_path, for the file of item embeddings")
    local_data_folder: Path | None = Field(None, description="folder of prepared datasets; null = that of the run")

    @field_validator("dataset_path", "validation_path", "test_path", "item_features", "item_embeddings")
    @classmethod
    def _file_is_there(cls, path: Path | None) -> Path | None:
        if path is not None and not expanded(path).is_file():
            raise ValueError("there is no such file")
        return path

    def moved(self) -> dict[str, Path | tuple[Path, ...]]:
        """The given paths."""
        values = {key: getattr(self, key) for key in MovedFiles.model_fields}
        return {key: path for key, path in values.items() if path is not None}


def execution_options(resolved: Resolved) -> list[RawOption]:
    """The given options that say how to compute (device, num_threads, ...). All others are the run's own."""
    values = resolved.section("run", RunOptions).model_dump(mode="json")
    keys = options_with_role("execution") | {"precision"}
    return [
        RawOption(key, value, resolved.origins[key])
        for key, value in values.items()
        if key in keys and not resolved.origins[key].is_default
    ]


def missing_run(sections: Mapping[str, Options]) -> str | None:
    """Why a command that needs a trained run has none; None if one is given."""
    run = sections["run"]
    if not isinstance(run, RunOptions):
        return None
    if run.pretrained_weights is None:
        return f"command {run.mode} needs a trained run: give its folder with --pretrained_weights"
    if not expanded(Path(run.pretrained_weights)).exists():
        return f"there is no run at {run.pretrained_weights} (pretrained_weights): give the folder of a trained run"
    return None
