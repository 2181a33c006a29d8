"""The user's own file of interactions: CSV, TSV, Parquet, RecBole's .inter, SASRec's text, or one line per user."""

import logging
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from common.errors import UserError
from common.schema import INPUT_PATH
from datasets.base import Dataset, RawInteractions
from datasets.fingerprint import content_hash
from datasets.own_split import OwnSplitOptions, read_with_parts
from datasets.readers.columns import ROLES, find_columns, warn_without_time
from datasets.readers.delimited import Layout, read_delimited
from datasets.readers.parquet import MAGIC, read_parquet
from datasets.readers.sniff import (
    HIGH_SHARE,
    LINE_END,
    NAMES,
    SPACE,
    Guess,
    has_header,
    is_tab_separated,
    positions,
    sniff,
)
from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import TextBytes
from datasets.readers.tokens import read_lists, read_rows
from datasets.readers.values import MISSING, to_interactions
from datasets.sequence_data import SequenceData

log = logging.getLogger(__name__)

FileFormat = Literal["auto", "csv", "parquet", "inter", "sasrec", "lists"]
SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".dat", ".inter", ".parquet", ".ratings")
MISSING_IN_FILES = (*MISSING, "null", "NA", "N/A", "n/a", "#N/A", "None")
MIN_REPEAT_RATE = 0.01  # share of repeated interactions above which the data has repeat consumption


class FileOptions(OwnSplitOptions):
    """Options of the `file` dataset."""

    dataset_path: Path = Field(description="file of interactions", json_schema_extra=INPUT_PATH)
    dataset_name: str | None = Field(
        None,
        pattern=r"^[^/\\\x00-\x1f]+$",
        description="name of the dataset in results; null = the file's name without suffixes",
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
    timestamp_format: str | None = Field(
        None, description="s, ms, us, ns, or a strptime pattern such as '%d/%m/%Y %H:%M'; null = detect"
    )
    skip_bad_rows: bool = Field(False, description="drop and count malformed rows instead of stopping at the first")
    items_repeat: bool | None = Field(
        None, description="whether users consume items again (sets filter_seen's default); null = judge from the data"
    )

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


class File(Dataset[FileOptions]):
    """Interactions in a file of the user's. Without timestamps, the rows are assumed to be in time order."""

    code = "file"
    reader_version = 4
    Options = FileOptions
    description = "your own file: CSV, TSV, Parquet, RecBole .inter, SASRec text, or one line per user; may be gzipped"
    location_options = Dataset.location_options | {"dataset_path", "dataset_name", "validation_path", "test_path"}

    def name(self, options: FileOptions) -> str:
        """dataset_name, or the file's name without suffixes of formats: sales.2023 for sales.2023.csv.gz."""
        path = options.dataset_path
        while path.suffix.lower() in SUFFIXES:
            path = path.with_suffix("")
        return options.dataset_name or path.name.lstrip(".") or self.code

    def content_key(self, options: FileOptions) -> str:
        """The hash of each file, and `.inter` if it is a suffix, since that determines the format."""
        keys = []
        for key, path in {"dataset_path": options.dataset_path, **options.more_files}.items():
            if not path.is_file():
                problem = "this is a folder, not a file" if path.is_dir() else "no such file"
                place = "" if path.is_absolute() else f" (relative to {Path.cwd()})"
                raise UserError(f"{key} {path}: {problem}{place}")
            inter = ".inter" if ".inter" in path.suffixes else ""
            keys.append(content_hash(path, options.local_data_folder) + inter)
        return "+".join(keys)

    def read(self, options: FileOptions) -> RawInteractions:
        """Read the file in the given or detected format, and those of validation and test if there are any."""
        if not options.more_files:
            return self._read_file(options)
        alone = {"validation_path": None, "test_path": None}
        return read_with_parts(
            options,
            options.dataset_path,
            lambda path: self._read_file(options.model_copy(update={**alone, "dataset_path": path})),
        )

    def _read_file(self, options: FileOptions) -> RawInteractions:
        bad_rows = BadRows(options.skip_bad_rows)
        return to_interactions(
            _read_table(options, bad_rows),
            bad_rows,
            time_format=options.timestamp_format,
            missing=MISSING_IN_FILES,
            rating_advice=" (to ignore ratings, give --rating_column '')",
        )

    def has_repeat_consumption(self, options: FileOptions, data: SequenceData) -> bool:
        """`items_repeat`, or whether the data's repeat rate exceeds `MIN_REPEAT_RATE`."""
        if options.items_repeat is not None:
            return options.items_repeat
        repeats = data.repeat_rate > MIN_REPEAT_RATE
        if repeats:
            log.info(
                "%s: %.1f %% of the interactions are with items that the user had before, so seen items are ranked "
                "too, unless filter_seen says otherwise (see items_repeat)",
                data.name,
                100 * data.repeat_rate,
            )
        return repeats


def _read_table(options: FileOptions, bad_rows: BadRows) -> RawTable:
    """Read the raw columns."""
    path = options.dataset_path
    wanted = {role: getattr(options, f"{role}_column") for role in ROLES}
    file_format = _format(options)
    if file_format == "parquet":
        return read_parquet(path, wanted)
    _warn_of_preamble(path)
    separator = options.separator
    if file_format == "inter":
        separator = separator or "\t"
    elif file_format == "sasrec":
        separator = separator or SPACE
    if file_format == "lists":
        return _read_lists(options, bad_rows)
    guess = sniff(path, separator, options.quoted)
    if file_format == "auto" and guess.separator == SPACE and guess.share < HIGH_SHARE:
        return _read_lists(options, bad_rows)
    if guess.width < 2:
        raise UserError(
            f"{path}: no separator splits every line into two or more fields: give --separator; if each line holds a "
            "user followed by that user's items, also give --file_format lists"
        )
    return _read_fields(options, file_format, guess, wanted, bad_rows)


def _warn_of_preamble(path: Path) -> None:
    """Warn which lines at the start of the file are not read."""
    with TextBytes(path) as text:
        lines = LINE_END.split(text.preamble.decode("utf-8-sig", errors="replace").rstrip("\r\n"))
    if lines != [""]:
        count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        shown = next(line for line in lines if line)[:60]
        log.warning("%s: skipped %s before the table: %r", path, count, shown)


def _read_lists(options: FileOptions, bad_rows: BadRows) -> RawTable:
    """Read a file of one line per user. The default separator is a tab if the lines have them, else white space."""
    path = options.dataset_path
    separator = options.separator or ("\t" if is_tab_separated(path) else SPACE)
    shown = NAMES.get(separator, repr(separator))
    log.info("%s is read as one line per user, split at %s: user item item ...", path, shown)
    return read_lists(path, separator, bad_rows)


def _format(options: FileOptions) -> FileFormat:
    """The given format, or the one that the file's first bytes or suffix indicate."""
    if options.file_format != "auto":
        return options.file_format
    try:
        with open(options.dataset_path, "rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return "parquet"
    except OSError as error:
        raise UserError(f"can't read {options.dataset_path}: {error.strerror or error}") from error
    if ".inter" in options.dataset_path.suffixes:
        return "inter"
    return "auto"


def _read_fields(
    options: FileOptions, file_format: FileFormat, guess: Guess, wanted: dict[str, str | None], bad_rows: BadRows
) -> RawTable:
    """Read a file of rows and columns."""
    path = options.dataset_path
    header = options.has_header
    if header is None:
        header = file_format == "inter" or has_header(guess, wanted)
    width = guess.width
    if header:
        names = [name.strip() for name in guess.rows[0]]
        columns = find_columns(names, wanted, path)
        width = len(names)
        shown = {role: names[index] for role, index in columns.items()}
    else:
        columns = positions(guess, wanted, path)
        names = [str(number) for number in range(1, width + 1)]
        shown = {role: f"column {index + 1}" for role, index in columns.items()}
    log.info(
        "%s is read as text separated by %s, %s a header: %s",
        path,
        guess.separator_name,
        "with" if header else "without",
        ", ".join(f"{role} = {name}" for role, name in shown.items()),
    )
    warn_without_time(names, wanted, columns, path)
    if guess.separator == SPACE:
        return read_rows(path, width, columns, header, bad_rows)
    quoted = False if guess.separator == "::" else options.quoted
    layout = Layout(guess.separator, width, header, guess.encoding, quoted)
    return read_delimited(path, layout, columns, bad_rows)
