"""Read text of rows with a fixed number of fields (SASRec's `user item`), or of one line per user.

Files are read in blocks of whole lines, whose fields are found by array operations.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import open_text

log = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 24
LONGEST_LINE = 1 << 26
SEPARATOR = b"\x1f"  # replaces a separator of several bytes

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Whole lines of a file: `fields` text [fields]; `counts` int64 [lines], the number of fields of each line."""

    fields: pa.LargeStringArray
    counts: IntArray


class LineNumbers:
    """Line numbers of rows; stores only the lines that are not rows."""

    def __init__(self) -> None:
        self._next = 1
        self._skipped: list[IntArray] = []

    def add(self, is_row: npt.NDArray[np.bool_]) -> None:
        """Add the next lines of the file; is_row: bool [lines]."""
        self._skipped.append(np.flatnonzero(~is_row) + self._next)
        self._next += len(is_row)

    def line(self, row: int) -> int:
        """Line number of a row (0-based)."""
        skipped = np.concatenate(self._skipped) - 1
        before = np.searchsorted(skipped - np.arange(len(skipped)), row, side="right")
        return 1 + row + int(before)


def read_rows(path: Path, width: int, columns: Mapping[str, int], has_header: bool, bad_rows: BadRows) -> RawTable:
    """Read rows of fields separated by white space. Blank lines are ignored.

    Parameters
    ----------
    path : the file
    width : number of fields in a row
    columns : role -> index of the column
    has_header : whether the first line that isn't blank is a header
    bad_rows : what to do with lines that have another number of fields

    Raises
    ------
    UserError
        A row is bad and not skipped, or the file can't be read.
    """
    line_numbers = LineNumbers()
    bad_lines: list[IntArray] = []
    parts: dict[str, list[pa.LargeStringArray]] = {role: [] for role in columns}
    line = 1
    header_ahead = has_header
    for block in _blocks(path, " "):
        filled = block.counts > 0
        fits = block.counts == width
        malformed = filled & ~fits
        if header_ahead and filled.any():
            header = int(filled.argmax())
            fits[header] = malformed[header] = header_ahead = False
        if malformed.any():
            bad_lines.append(np.stack([np.flatnonzero(malformed) + line, block.counts[malformed]], axis=1))
        fields = block.fields
        if (filled != fits).any():
            fields = fields.filter(pa.array(np.repeat(fits, block.counts)))
        for role, index in columns.items():
            parts[role].append(fields.take(pa.array(np.arange(index, len(fields), width))))
        line_numbers.add(fits)
        line += len(fits)
    table = {role: pa.chunked_array(chunks, type=pa.large_string()) for role, chunks in parts.items()}
    num_rows = len(next(iter(table.values())))
    dropped = _handle_bad_lines(path, bad_lines, f"{width} fields", bad_rows, num_rows)
    return RawTable(path, table, lambda row: f"line {line_numbers.line(row)}", dropped)


def read_lists(path: Path, separator: str, bad_rows: BadRows) -> RawTable:
    """Read one line per user: the user id, then the items in time order. Several lines of a user are concatenated.

    Parameters
    ----------
    path : the file
    separator : " " = any white space; with any other separator, ids may contain blanks
    bad_rows : what to do with lines without an item

    Raises
    ------
    UserError
        A line is bad and not skipped, or the file can't be read.
    """
    users: list[pa.LargeStringArray] = []
    items: list[pa.LargeStringArray] = []
    all_counts: list[IntArray] = []
    bad_lines: list[IntArray] = []
    line = 1
    for block in _blocks(path, separator):
        alone = block.counts == 1
        if alone.any():
            bad_lines.append(np.stack([np.flatnonzero(alone) + line, block.counts[alone]], axis=1))
        first = (np.cumsum(block.counts) - block.counts)[block.counts > 0]
        is_item = np.ones(len(block.fields), dtype=bool)
        is_item[first] = False
        items_of_line = np.maximum(block.counts - 1, 0)
        users.append(block.fields.take(pa.array(np.repeat(first, items_of_line[block.counts > 0]))))
        items.append(block.fields.filter(pa.array(is_item)))
        all_counts.append(items_of_line)
        line += len(block.counts)
    good = sum(int(np.count_nonzero(counts)) for counts in all_counts)
    dropped = _handle_bad_lines(path, bad_lines, "a user and at least one item", bad_rows, good)
    ends = np.cumsum(np.concatenate(all_counts)) if all_counts else np.zeros(0, dtype=np.int64)
    table = {
        "user": pa.chunked_array(users, type=pa.large_string()),
        "item": pa.chunked_array(items, type=pa.large_string()),
    }
    return RawTable(path, table, lambda row: f"line {int(np.searchsorted(ends, row, side='right')) + 1}", dropped)


def _handle_bad_lines(path: Path, bad_lines: list[IntArray], expected: str, bad_rows: BadRows, num_good: int) -> int:
    """Log and return the number of bad lines, or raise UserError if they are not skipped."""
    if not bad_lines:
        return 0
    lines = np.concatenate(bad_lines)
    line, count = lines[0]
    fields = f"{count} field{'s' if count > 1 else ''}"
    where = f"line {line}: expected {expected}, found {fields}"
    return bad_rows.drop_or_raise(path, where, len(lines), is_misread=len(lines) > num_good)


def _blocks(path: Path, separator: str) -> Iterator[Block]:
    """Split the file into blocks of whole lines."""
    encoding = _encoding(path)
    given = separator.encode()
    one_byte = given if len(given) == 1 else SEPARATOR
    for number, raw in enumerate(_line_blocks(path)):
        content = raw if encoding == "utf-8" else raw.decode(encoding).encode("utf-8")
        if number == 0:
            content = content.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if given != one_byte:
            content = content.replace(given, one_byte)
        yield _split_fields(content, None if separator == " " else one_byte)


def _encoding(path: Path) -> str:
    """utf-8 if the whole file is valid UTF-8, otherwise latin-1."""
    for raw in _line_blocks(path):
        if raw.isascii():
            continue
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UserError(f"{path} is UTF-16: save it as UTF-8")
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            log.warning("%s is not UTF-8; reading it as Latin-1", path)
            return "latin-1"
    return "utf-8"


def _line_blocks(path: Path) -> Iterator[bytes]:
    """Read the file in blocks of whole lines. Raises UserError if a line is too long."""
    with open_text(path) as stream:
        rest = b""
        while chunk := stream.read(BLOCK_BYTES):
            rest += chunk
            end = rest.rfind(b"\n") + 1
            if end:
                yield rest[:end]
                rest = rest[end:]
            elif len(rest) > LONGEST_LINE:
                raise UserError(
                    f"{path} has a line of more than {LONGEST_LINE >> 20} MiB, so it is not a table of interactions"
                )
        if rest:
            yield rest


def _split_fields(content: bytes, separator: bytes | None) -> Block:
    """Split whole lines into fields, at white space or a separator of one byte. Empty fields are dropped."""
    if not content.endswith(b"\n"):
        content += b"\n"
    letters = np.frombuffer(content, dtype=np.uint8)
    if separator is None:
        is_space = (letters == 32) | ((letters >= 9) & (letters <= 13))
    else:
        is_space = (letters == separator[0]) | (letters == 10)
    before = np.concatenate(([True], is_space[:-1]))
    starts = np.flatnonzero(before & ~is_space)
    line_ends = np.flatnonzero(letters == 10)
    counts = np.bincount(np.searchsorted(line_ends, starts), minlength=len(line_ends))
    # Each field extends to the start of the next one; the separators at its end are trimmed below.
    offsets = np.append(starts, len(letters)).astype(np.int64)
    fields = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(content))
    if separator is not None:
        fields = pc.ascii_rtrim(fields, characters=separator.decode() + "\n")
    return Block(pc.ascii_trim_whitespace(fields), counts.astype(np.int64))
