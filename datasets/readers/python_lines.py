"""Read text with a Python literal (a dict) per line, without executing it. Some published datasets have this form."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import open_text

Row = tuple[Any, ...]

LONGEST_LINE = 1 << 24
CHUNK_ROWS = 1 << 16  # rows held as Python objects at a time


def read_python_lines(
    path: Path, rows_of: Callable[[dict[str, Any]], Iterable[Row]], roles: Sequence[str], bad_rows: BadRows
) -> RawTable:
    """Read columns of text, line by line with Python's parser: about 30,000 lines a second.

    Parameters
    ----------
    path : the file
    rows_of : from a line's dict to its rows, with values in the order of `roles`
    roles : names of the columns
    bad_rows : what to do with a line that is not a dict or lacks a value

    Raises
    ------
    UserError
        A line is bad and not skipped.
    """
    rows: list[Row] = []
    line_of_row: list[int] = []
    chunks: list[list[pa.Array]] = []
    lines: list[npt.NDArray[np.int64]] = []
    bad: list[str] = []

    def flush() -> None:
        columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True) if rows else [()] * len(roles)
        chunks.append([pa.array(column, type=pa.large_string()) for column in columns])
        lines.append(np.array(line_of_row, dtype=np.int64))
        rows.clear()
        line_of_row.clear()

    with open_text(path) as stream:
        number = 0
        while content := stream.readline(LONGEST_LINE):
            number += 1
            if not content.strip():
                continue
            try:
                found = [tuple(_text(value) for value in row) for row in rows_of(_parse(content))]
            except (ValueError, KeyError, TypeError) as error:
                bad.append(f"line {number}: {_reason(error)}")
                if not bad_rows.skip:
                    break
                continue
            rows.extend(found)
            line_of_row.extend([number] * len(found))
            if len(rows) >= CHUNK_ROWS:
                flush()
    if bad:
        bad_rows.drop_or_raise(path, bad[0], len(bad), is_misread=False)
    flush()
    line_numbers = np.concatenate(lines)
    table = {role: pa.chunked_array([chunk[index] for chunk in chunks]) for index, role in enumerate(roles)}
    return RawTable(path, table, lambda row: f"line {line_numbers[row]}", len(bad))


def _parse(content: bytes) -> dict[str, Any]:
    """Parse a line. Raises ValueError if it is not a dict."""
    if len(content) >= LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE >> 20} MiB")
    try:
        value = ast.literal_eval(content.decode("utf-8").strip())
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("not a Python literal") from error
    if not isinstance(value, dict):
        raise ValueError("not a dict")
    return value


def _reason(error: Exception) -> str:
    """Why a line is bad."""
    if isinstance(error, KeyError):
        return f"key {error.args[0]!r} is missing"
    return str(error)


def _text(value: Any) -> str:
    """A value as text. Raises ValueError if it is neither text nor a number."""
    if isinstance(value, str):
        return value if value.isascii() else _join_surrogates(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise ValueError(f"expected text or a number, found {value!r:.60}")


def _join_surrogates(text: str) -> str:
    """Join surrogate pairs, as Python 2 writes characters beyond 16 bits; replace lone surrogates."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
