"""Datasets that are declared by the sources of their raw file and the layout of its columns."""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field, field_validator

from common.errors import UserError
from common.files import remove_abandoned
from common.schema import LOCATION
from datasets.archives import GZIP, WORKSPACE, ZIP, ArchiveError, contains, extract, is_zip, move_into_place, workspace
from datasets.base import Dataset, DatasetOptions, RawInteractions
from datasets.download import Source, download
from datasets.fingerprint import content_hash
from datasets.raw_tables import Table, bad_raw_rows, check_first_rows, read_table
from datasets.readers.columns import NEEDED, ROLES
from datasets.readers.text import read_sample
from datasets.readers.values import to_interactions

log = logging.getLogger(__name__)

WORKBOOK = ("workbook.xml",)  # an entry of every xlsx file


class RawFileOptions(DatasetOptions):
    """Options of datasets that are downloaded."""

    dataset_url: str | None = Field(
        None,
        description="source of the raw file or its archive, instead of the usual ones: http(s)://... or gdrive:<id>",
        json_schema_extra=LOCATION,
    )

    @field_validator("dataset_url")
    @classmethod
    def _check_password(cls, url: str | None) -> str | None:
        """Refuse a password or an access token, which would be written to logs, config.yaml and results.json."""
        if url is not None and re.match(r"[a-zA-Z][\w+.-]*://[^/?#]*:[^/?#]*@", url):
            raise ValueError("must not contain a password, as options are recorded: write it to the file ~/.netrc")
        if url is not None and re.search(r"[?&][^=&#]*(token|signature|secret|password|api_?key)[^=&#]*=", url, re.I):
            raise ValueError(
                "must not contain an access token, as options are recorded: download the file yourself, and put it "
                "into the dataset's folder in local_data_folder"
            )
        return url


@dataclass(frozen=True)
class RawFile:
    """A raw file: its name, sources and layout.

    Attributes
    ----------
    names : file names to look for, in order of preference
    sources : where to download it, in order of preference
    folder : its folder, relative to the data folder
    table : its layout; None if it isn't a delimited table
    """

    names: tuple[str, ...]
    sources: tuple[Source, ...]
    folder: Path
    table: Table | None = None


AnyRawFileOptions = TypeVar("AnyRawFileOptions", bound=RawFileOptions)


class RawFileDataset(Dataset[AnyRawFileOptions]):
    """A dataset with one raw file, which is looked for in `<local_data_folder>/<code>/` and otherwise downloaded there.

    Attributes
    ----------
    raw_names : file names to look for, in order of preference
    sources : where to download the file, in order of preference
    table : the layout of the file; None if it isn't a delimited table
    home : the dataset's home page, shown if all sources fail
    licence, citation : shown by `--mode datasets`; "" = unknown
    size : size of the download, as text; "" = unknown
    """

    Options: ClassVar[type[DatasetOptions]] = RawFileOptions
    location_options = Dataset.location_options | {"dataset_url"}
    raw_names: ClassVar[tuple[str, ...]]
    sources: ClassVar[tuple[Source, ...]]
    table: ClassVar[Table | None] = None
    home: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    size: ClassVar[str] = ""

    def declaration(self, options: AnyRawFileOptions) -> RawFile:
        """The raw file that the options select."""
        return RawFile(self.raw_names, self.sources, Path(self.code), self.table)

    def raw_file(self, options: AnyRawFileOptions) -> Path:
        """Path of the raw file, which is unpacked from an archive in the data folder or downloaded if necessary.

        Raises
        ------
        UserError
            It can't be downloaded; the message names the file and the folder to put it in.
        """
        return self._local_file(options) or self._download(options)

    def _local_file(self, options: AnyRawFileOptions) -> Path | None:
        """The raw file, if it or an archive that contains it is in the data folder."""
        wanted = self.declaration(options)
        folder = options.local_data_folder / wanted.folder
        remove_abandoned(folder, f"{WORKSPACE}*", *(f".{name}.*.tmp" for name in wanted.names))
        return _find(folder, wanted.names) or _unpack(folder, wanted.names)

    def _download(self, options: AnyRawFileOptions) -> Path:
        """Download the raw file, or an archive that contains it."""
        wanted = self.declaration(options)
        folder = options.local_data_folder / wanted.folder
        sources = wanted.sources if options.dataset_url is None else (Source(options.dataset_url),)
        advice = (
            f"Put {' or '.join(wanted.names)} (or a zip that contains it) into {folder}/, give another source with "
            "--dataset_url, or work offline with --dataset_code synthetic or --dataset_code file --dataset_path "
            "<file>."
        ) + (f" The dataset's home page is {self.home}" if self.home else "")
        size, licence = f" ({self.size})" if self.size else "", self.licence or "unknown"
        log.info("downloading %s%s to %s; licence: %s", self.code, size, folder, licence)
        with workspace(folder) as temporary:
            return download(sources, temporary, lambda file: _install(file, folder, wanted), advice)

    @classmethod
    def files_on_disk(cls, data_folder: Path) -> list[Path]:
        """Files in the dataset's folder: raw files, or archives that may contain them."""
        folder = data_folder / cls.code
        return sorted(path for path in folder.rglob("[!.]*") if path.is_file() and ".download-" not in str(path))

    def content_key(self, options: AnyRawFileOptions) -> str:
        """The hash of the raw file."""
        present = self._local_file(options)
        if present is not None and options.dataset_url is not None:
            log.info("%s exists, so dataset_url is ignored: remove the file to download it", present)
        return content_hash(present or self._download(options), options.local_data_folder)

    @abstractmethod
    def read(self, options: AnyRawFileOptions) -> RawInteractions:
        """Read the raw file."""


def _find(folder: Path, names: Sequence[str]) -> Path | None:
    """A raw file in the folder or a direct subfolder, into which an archive may have been unpacked."""
    for pattern in ("{}", "*/{}"):
        for name in names:
            found = sorted(path for path in folder.glob(pattern.format(name)) if path.is_file())
            if found:
                return found[0]
    return None


def _unpack(folder: Path, names: Sequence[str]) -> Path | None:
    """Unpack the raw file from a zip or gz file in the folder, if there is one."""
    for archive in sorted(folder.glob("[!.]*")):
        if archive.is_file() and contains(archive, names):
            log.info("unpacking %s", archive)
            return extract(archive, names, folder)
        if archive.suffix.lower() == ".zip" and not is_zip(archive):
            log.warning("%s is ignored, as it is damaged or not a zip file: remove or replace it", archive)
    return None


def _install(file: Path, folder: Path, wanted: RawFile) -> Path:
    """Move a downloaded raw file to its folder, unpacking it first if it is an archive.

    Raises ArchiveError if the archive is damaged, or the file is not the dataset's.
    """
    with open(file, "rb") as content:
        start = content.read(4)
    workbook = next((name for name in wanted.names if name.endswith(".xlsx")), None)
    if workbook is not None and contains(file, WORKBOOK):  # an xlsx file is a zip file
        return move_into_place(file, folder / workbook)
    name = next(name for name in wanted.names if name != workbook)
    if start in ZIP or start.startswith(GZIP):
        file = extract(file, wanted.names, file.parent)
        name = file.name
    if name == workbook and not contains(file, WORKBOOK):
        raise ArchiveError(f"{file} is not an xlsx workbook")
    if name != workbook:
        _check_content(file, wanted.table)
    return move_into_place(file, folder / name)


def _check_content(file: Path, table: Table | None) -> None:
    """Raise ArchiveError if a downloaded file doesn't start as the dataset's file does."""
    try:
        if table is None:
            read_sample(file)
        else:
            check_first_rows(file, table)
    except UserError as error:
        raise ArchiveError(str(error)) from error


class TableDataset(RawFileDataset[AnyRawFileOptions]):
    """A dataset whose raw file is a delimited table of interactions, so that declaring its layout is enough."""

    table: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        """Raise TypeError if the table of a class lacks the user or the item."""
        super().__init_subclass__()
        lacking = [role for role in NEEDED if role not in cls.table.columns] if "table" in vars(cls) else []
        if lacking:
            raise TypeError(f"{cls.__name__}.table needs a column named {' and one named '.join(map(repr, lacking))}")

    def read(self, options: AnyRawFileOptions) -> RawInteractions:
        """Read the user, item, rating and timestamp columns that the file has."""
        path = self.raw_file(options)
        columns = {role: self.table.columns.index(role) for role in ROLES if role in self.table.columns}
        return to_interactions(
            read_table(path, self.table, columns),
            bad_raw_rows(path),
            time_format=self.table.time_format,
            integer_ids=self.table.integer_ids,
        )
