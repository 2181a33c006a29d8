"""Options of the dataset `file`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from common.files import expanded
from common.schema import EXECUTION, INPUT_PATH
from datasets.own_split import OwnSplitOptions

FileFormat = Literal["auto", "csv", "parquet", "inter", "sasrec", "lists"]


class FileOptions(OwnSplitOptions):
    """Options of the `file` dataset."""

    dataset_path: Path = Field(
        description="file of interactions; or a folder of files or a pattern such as 'logs/*.csv', read in the order "
        "of their names",
        json_schema_extra=INPUT_PATH,
    )
    appended_paths: tuple[Path, ...] | None = Field(
        None,
        min_length=1,
        description="more files of interactions, as dataset_path, which continue it; only those that weren't there "
        "before are read; null = none",
        json_schema_extra=INPUT_PATH,
    )
    dataset_name: str | None = Field(
        None,
        pattern=r"^[^/\\\x00-\x1f]+$",
        description="name of the dataset in results; null = the file's or folder's name without suffixes",
    )
    file_format: FileFormat = Field(
        "auto",
        description="csv: delimited text; inter: RecBole; sasrec: `user item` per line; lists: `user item item ...`",
    )
    separator: str | None = Field(
        None, description="field separator of a text file, e.g. ',', '\\t' (a tab) or '::'; null = detect"
    )
    quoted: bool | None = Field(
        None, description="whether fields may be in double quotes; null = yes, but in a TSV only within one line"
    )
    has_header: bool | None = Field(None, description="whether the first row names the columns; null = detect")
    user_column: str | None = Field(
        None, description="name of the user column, or its position (from 1) if there is no header; null = detect"
    )
    item_column: str | None = Field(None, description="name or position of the item column; null = detect")
    rating_column: str | None = Field(
        None, description="name or position of the rating column; null = detect; '' = ignore ratings"
    )
    timestamp_column: str | None = Field(
        None, description="name or position of the timestamp column; null = detect; '' = ignore timestamps"
    )
    event_column: str | None = Field(
        None,
        description="name or position of the column that tells events apart, for `events`; null = detect; '' = all "
        "rows count, without a warning",
    )
    events: tuple[str, ...] = Field(
        (), description="rows of these events count as interactions, e.g. purchase; [] = all rows"
    )
    keep: tuple[str, ...] = Field(
        (), description="conditions COLUMN=VALUE on the rows to keep, e.g. is_click=1; [] = all rows"
    )
    timestamp_format: str | None = Field(
        None, description="s, ms, us, ns, or a strptime pattern such as '%d/%m/%Y %H:%M'; null = detect"
    )
    skip_bad_rows: bool = Field(False, description="drop and count malformed rows instead of stopping at the first")
    items_repeat: bool | None = Field(
        None, description="whether users consume items again (sets filter_seen's default); null = judge from the data"
    )

    dataset_query: str | None = Field(
        None,
        description='SQL over dataset_path, the table `data`, e.g. "SELECT * FROM data WHERE price > 0"; '
        "end it with ORDER BY if it joins or groups (needs DuckDB)",
    )
    memory_limit: str | None = Field(
        None,
        pattern=r"(?i)^\d+(\.\d+)?\s*[MG](i?B)?$",
        description="about the memory to prepare with, e.g. 4GB: long arrays, and what dataset_query sorts, are then "
        "kept in files in local_data_folder; null = in memory",
        json_schema_extra=EXECUTION,
    )

    @property
    def scratch(self) -> Path | None:
        """Folder for the files of long arrays, if memory is limited."""
        return None if self.memory_limit is None else self.local_data_folder / "prepared" / "scratch"

    @field_validator("keep")
    @classmethod
    def _check_conditions(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        """Check that each condition names a column and a value."""
        for condition in keep:
            if not condition.partition("=")[0].strip() or "=" not in condition:
                raise ValueError(f"{condition!r} should be COLUMN=VALUE")
        return keep

    @field_validator("appended_paths")
    @classmethod
    def _expand_paths(cls, paths: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
        """Expand the home folder, and check that no file is named twice."""
        if paths is not None and len(set(paths)) < len(paths):
            raise ValueError("should name each file once")
        return None if paths is None else tuple(map(expanded, paths))

    @model_validator(mode="after")
    def _check_pieces(self) -> "FileOptions":
        """Check that files are appended to a single one."""
        if self.appended_paths and self.more_files:
            raise ValueError("appended_paths can't be combined with validation_path and test_path: use split_column")
        if self.appended_paths and self.dataset_path in self.appended_paths:
            raise ValueError("appended_paths names dataset_path again: its rows would be there twice")
        return self

    @model_validator(mode="after")
    def _check_events(self) -> "FileOptions":
        """Check that the column of events has a use."""
        if self.event_column and not self.events:
            raise ValueError(f"event_column {self.event_column} needs events: which values count as interactions")
        return self

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, separator: str | None, info: ValidationInfo) -> str | None:
        """Check the separator; a backslash followed by t means a tab."""
        if separator is None or separator == "::":
            return separator
        separator = "\t" if separator == "\\t" else separator
        if len(separator) != 1 or separator in "\0\r\n":
            raise ValueError("should be one character, \\t for a tab, or ::")
        if not separator.isascii() and info.data.get("file_format") != "lists":
            raise ValueError("should be an ASCII character, unless file_format is lists")
        return separator
