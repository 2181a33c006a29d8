"""Read a file of the user's, or a query over several: find out what kind of file it is, and what its columns mean."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from common.errors import UserError
from datasets.data_files import data_files
from datasets.file_options import FileFormat, FileOptions
from datasets.readers.columns import ROLES, find_columns, is_usual, listed, named_column, warn_about_time
from datasets.readers.delimited import Layout, read_delimited
from datasets.readers.events import Condition, apply, conditions, warn_of_unread_events
from datasets.readers.foreign import refuse_other_text
from datasets.readers.head import Head, is_number
from datasets.readers.parquet import MAGIC, parquet_head, read_parquet
from datasets.readers.query import Query
from datasets.readers.sniff import (
    HIGH_SHARE,
    LINE_END,
    LOW_SHARE,
    NAMES,
    SPACE,
    Guess,
    has_header,
    is_tab_separated,
    looks_like_time,
    numbered,
    positions,
    sniff,
)
from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import TextBytes, read_sample
from datasets.readers.tokens import read_lists, read_rows

log = logging.getLogger(__name__)

GUESSED = (
    "as there is no header, the columns are guessed, which fails if rows differ: name them with --user_column 1, "
    "--item_column 2 etc.; then --skip_bad_rows true drops and counts bad rows"
)


def read_table(options: FileOptions, bad_rows: BadRows) -> RawTable:
    """Read the raw columns."""
    if options.dataset_query is not None:
        return _read_query(options, options.dataset_query)
    path = options.dataset_path
    wanted = {role: getattr(options, f"{role}_column") for role in ROLES}
    file_format = _format(options)
    if file_format == "parquet":
        return _read_parquet(options)
    refuse_other_text(path, read_sample(path)[0])
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
        _check_lists(path, guess)
        return _read_lists(options, bad_rows)
    if guess.width < 2:
        raise UserError(
            f"{path}: no separator splits every line into two or more fields: give --separator; if each line holds a "
            "user followed by that user's items, also give --file_format lists"
        )
    return _read_fields(options, file_format, guess, wanted, bad_rows)


def _read_query(options: FileOptions, query: str) -> RawTable:
    """Read the result of a query."""
    result = Query(
        options.dataset_path,
        data_files(options.dataset_path),
        query,
        separator=options.separator,
        has_header=options.has_header,
        memory_limit=options.memory_limit,
        scratch=options.scratch,
    )
    read, chosen = _typed_columns(options, "the result of dataset_query", result.head)
    return apply(chosen, result.read(read))


def _read_parquet(options: FileOptions) -> RawTable:
    """Read a Parquet file."""
    path = options.dataset_path
    read, chosen = _typed_columns(options, "Parquet", parquet_head(path))
    return apply(chosen, read_parquet(path, read, options.scratch))


def _typed_columns(options: FileOptions, how: str, head: Head) -> tuple[dict[str, int], list[Condition]]:
    """The columns to read of a table with types, and the conditions on its rows."""
    wanted = {role: getattr(options, f"{role}_column") for role in ROLES}
    columns = {**find_columns(head, wanted, options.dataset_path), **_part_column(options, head)}
    chosen = _conditions(options, head)
    _log_columns(options, how, head, columns, chosen)
    return {**columns, **{condition.role: condition.index for condition in chosen}}, chosen


def _warn_of_preamble(path: Path) -> None:
    """Warn which lines at the start of the file are not read."""
    with TextBytes(path) as text:
        lines = LINE_END.split(text.preamble.decode("utf-8-sig", errors="replace").rstrip("\r\n"))
    if lines != [""]:
        count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        shown = next(line for line in lines if line)[:60]
        log.warning("%s: skipped %s before the table: %r", path, count, shown)


def _check_lists(path: Path, guess: Guess) -> None:
    """Warn if lines that are taken for one user each may be rows of a table; raise UserError if they have a header."""
    advice = "give --file_format lists if each line is a user and that user's items, otherwise --separator"
    rows = [row for row in guess.rows if len(row) == guess.width]
    has_times = (
        guess.width > 2
        and all(is_number(row[-1]) for row in rows)
        and looks_like_time(rows, guess.width - 1)
        and not looks_like_time(rows, 1)
    )
    is_header = any(is_usual(name) for name in guess.rows[0])
    if is_header or (has_times and guess.share > LOW_SHARE):
        sign = "line 1 looks like a header" if is_header else f"column {guess.width} looks like a time"
        raise UserError(f"{path}: {sign}, but the lines have different numbers of fields: {advice}")
    if guess.share > LOW_SHARE:
        log.warning(
            "%s: %.0f%% of the lines have %d fields, so it may be a table with bad rows: %s",
            *(path, 100 * guess.share, guess.width, advice),
        )


def _read_lists(options: FileOptions, bad_rows: BadRows) -> RawTable:
    """Read a file of one line per user. The default separator is a tab if the lines have them, else white space."""
    path = options.dataset_path
    if options.events or options.keep or options.split_column:
        raise UserError(f"{path}: lines of one user each have no columns for --events, --keep or --split_column")
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
    if header:
        head = Head([name.strip() for name in guess.rows[0]], guess.rows[1:])
        columns = find_columns(head, wanted, path)
    else:
        head = numbered(guess)
        columns = positions(guess, wanted, path)
        if file_format in ("auto", "csv") and not any(wanted.values()):
            bad_rows = replace(bad_rows, skip=False, advice=GUESSED)
    columns |= _part_column(options, head)
    chosen = _conditions(options, head)
    how = f"text separated by {guess.separator_name}, {'with' if header else 'without'} a header"
    _log_columns(options, how, head, columns, chosen)
    read = {**columns, **{condition.role: condition.index for condition in chosen}}
    if guess.separator == SPACE:
        table = read_rows(path, len(head.names), read, header, bad_rows)
    else:
        quoted = False if guess.separator == "::" else options.quoted
        layout = Layout(guess.separator, len(head.names), header, guess.encoding, quoted)
        table = read_delimited(path, layout, read, bad_rows)
    if header:
        table = _drop_repeated_headers(table, {role: head.names[index] for role, index in read.items()})
    return apply(chosen, table)


def _part_column(options: FileOptions, head: Head) -> dict[str, int]:
    """The column that names the part of a split, if one is given."""
    name = options.split_column
    if name is None:
        return {}
    return {"part": named_column(head.names, name, "part", "--split_column", options.dataset_path)}


def _conditions(options: FileOptions, head: Head) -> list[Condition]:
    """The conditions on the rows."""
    return conditions(head, options.event_column, options.events, options.keep, options.dataset_path)


def _log_columns(options: FileOptions, how: str, head: Head, columns: dict[str, int], chosen: list[Condition]) -> None:
    """Log how the file is read, with the meaning of its columns, and warn of what may be wrong with that."""
    path, wanted = options.dataset_path, {role: getattr(options, f"{role}_column") for role in ROLES}
    used = {*columns.values(), *(condition.index for condition in chosen)}
    unread = [name for index, name in enumerate(head.names) if index not in used]
    roles = ", ".join(f"{role} = {head.names[index]}" for role, index in columns.items())
    log.info("%s is read as %s: %s%s", path, how, roles, f"; not read: {listed(unread)}" if unread else "")
    warn_about_time(head, wanted, columns, path)
    warn_of_unread_events(head, columns, chosen, options.event_column, path)


def _drop_repeated_headers(table: RawTable, names: dict[str, str]) -> RawTable:
    """The table without rows that repeat the header, as files with headers that were joined have."""
    repeated = np.ones(table.num_rows, dtype=bool)
    for role, name in names.items():
        text = pc.utf8_trim(table.columns[role], characters=" \t\ufeff")
        repeated &= np.asarray(pc.equal(text, name).to_numpy(), dtype=bool)
        if not repeated.any():
            return table
    log.warning("%s: dropped %d rows that repeat the header", table.path, np.count_nonzero(repeated))
    return table.keep(~repeated, "drop rows that repeat the header")
