"""Read the result of an SQL query over data files, with DuckDB."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from common.errors import UserError
from datasets.funnel import Step
from datasets.readers.columns import NEEDED
from datasets.readers.head import Head
from datasets.readers.parquet import HEAD_ROWS, MAGIC, first_texts
from datasets.readers.table import RawTable

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 1 << 18
JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}


class Query:
    """An SQL query whose table `data` has the rows of all files, in their order. It can read nothing else.

    Parameters
    ----------
    path : the dataset's path, for messages
    files : Parquet files, or text or JSON lines, which may be compressed (.gz, .zst); all of one kind
    query : a SELECT statement
    separator, has_header : of text files; None = detect
    memory_limit : such as 4GB; None = DuckDB's default, 80 % of the memory
    scratch : folder for what doesn't fit, and for the files of long columns; None = they are in memory

    Attributes
    ----------
    head : the columns of the result and its first rows as text
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        query: str,
        *,
        separator: str | None = None,
        has_header: bool | None = None,
        memory_limit: str | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._path, self._scratch = path, scratch
        try:
            import duckdb  # noqa: PLC0415 - optional, and slow to load
        except ImportError as error:
            raise UserError("dataset_query needs DuckDB: pip install -r requirements-sql.txt") from error
        self._error = duckdb.Error
        with self._reported():
            statements = duckdb.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UserError("dataset_query must be one SELECT statement, such as SELECT * FROM data")
            self._connection = duckdb.connect(":memory:")
            self._confine(files, memory_limit)
            self._rows_of(files, separator, has_header).create_view("data")
            self._batches: Iterator[pa.RecordBatch] = iter(self._connection.sql(query).to_arrow_reader(BATCH_ROWS))
            first = next(self._batches, None)
        if first is None:
            raise UserError(f"{path}: dataset_query has no rows")
        self._first: pa.RecordBatch = first
        start = first.slice(0, HEAD_ROWS)
        names = list(start.schema.names)
        self.head = Head(names, [*zip(*(first_texts(column) for column in start.columns), strict=False)])

    def _confine(self, files: Sequence[Path], memory_limit: str | None) -> None:
        """Let the connection read these files only, and write nothing but its temporary files."""
        settings = ["allowed_paths = [" + ", ".join(_quoted(file) for file in files) + "]"]
        if memory_limit is not None:
            settings.append(f"memory_limit = {_quoted(memory_limit)}")
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
            settings.append(f"temp_directory = {_quoted(self._scratch)}")
        settings += ["enable_external_access = false", "enable_progress_bar = false", "lock_configuration = true"]
        for setting in settings:
            self._connection.execute(f"SET {setting}")

    def _rows_of(
        self, files: Sequence[Path], separator: str | None, has_header: bool | None
    ) -> duckdb.DuckDBPyRelation:
        """The rows of the files, as they are."""
        names, suffixes = [str(file) for file in files], {suffix.lower() for suffix in files[0].suffixes}
        if any(file.suffix.lower() == ".bz2" for file in files):
            raise UserError(f"{files[0]}: dataset_query can't read .bz2: unpack it, or pack it as .gz or .zst")
        if _is_parquet(files[0]):
            return self._connection.read_parquet(names)
        if suffixes & JSON_SUFFIXES:
            return self._connection.read_json(names, format="newline_delimited")
        return self._connection.read_csv(names, sep=separator, header=has_header)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """DuckDB's errors as UserError."""
        try:
            yield
        except (self._error, OSError, pa.ArrowException) as error:  # the last two: while the result is read
            raise UserError(f"{self._path}: dataset_query failed: {_plain(str(error))}") from error

    def read(self, columns: Mapping[str, int]) -> RawTable:
        """Read some columns of the result; role -> index of the column."""
        kinds = {role: self._first.schema.field(index).type for role, index in columns.items()}
        store = {role: _column(role, kind, self._scratch) for role, kind in kinds.items()}
        rows = 0
        with self._reported():
            for batch in itertools.chain([self._first], self._batches):
                for role, column in store.items():
                    column.add(batch.column(columns[role]))
                rows += len(batch)
        self._connection.close()
        return RawTable(
            self._path,
            {role: column.finished() for role, column in store.items()},
            lambda row: f"row {row + 1} of the result of dataset_query",
            funnel=(Step("rows of dataset_query", rows),),
        )


class _Column:
    """The parts of a column, as they are."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._parts: list[pa.Array] = []

    def add(self, part: pa.Array) -> None:
        """The values of the next rows."""
        self._parts.append(part)

    def finished(self) -> pa.ChunkedArray:
        """All values."""
        return pa.chunked_array(self._parts, type=self._kind)


class _Texts(_Column):
    """A column of text as categories, which take less memory."""

    def __init__(self) -> None:
        super().__init__(pa.dictionary(pa.int32(), pa.string()))

    def add(self, part: pa.Array) -> None:
        """The values of the next rows."""
        super().add(part.cast(pa.string()).dictionary_encode())


class _Numbers(_Column):
    """A column of numbers in one piece, in memory or in a file."""

    def __init__(self, kind: pa.DataType, scratch: Path | None) -> None:
        super().__init__(kind)
        self._file = None if scratch is None else tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed below
        self._values: list[npt.NDArray[Any]] = []
        self._absent: list[npt.NDArray[np.bool_]] = []

    def add(self, part: pa.Array) -> None:
        """The values of the next rows."""
        self._absent.append(part.is_null().to_numpy(zero_copy_only=False))
        values = part.fill_null(0).to_numpy(zero_copy_only=False)
        if self._file is None:
            self._values.append(values)
        else:
            values.tofile(self._file)

    def finished(self) -> pa.ChunkedArray:
        """All values."""
        absent = np.concatenate(self._absent)
        if self._file is None:
            values = np.concatenate(self._values)
        else:
            with self._file:
                values = np.memmap(self._file, dtype=self._kind.to_pandas_dtype(), mode="r+", shape=absent.shape)
        return pa.chunked_array([pa.array(values, type=self._kind, mask=absent if absent.any() else None)])


def _column(role: str, kind: pa.DataType, scratch: Path | None) -> _Column:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _Numbers(kind, scratch)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return _Texts() if is_text and role in NEEDED else _Column(kind)


def _is_parquet(file: Path) -> bool:
    try:
        with open(file, "rb") as content:
            return content.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise UserError(f"can't read {file}: {error.strerror or error}") from error


def _quoted(text: Path | str) -> str:
    """Text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def _plain(message: str) -> str:
    """DuckDB's message in one line, without its advice on options; with the file, which it names at the end."""
    reason, _, more = message.partition("Possible fixes:")
    file = next((line for line in more.splitlines() if line.strip().startswith("file = ")), "")
    return " ".join(line.strip() for line in [*reason.splitlines(), file] if line.strip() not in ("", "^"))[:800]
