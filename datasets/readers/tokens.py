"""Text cut at white space or another separator: rows of so many fields (SASRec's `user item`), or one line per user.

Files are read in blocks of whole lines; each block's fields are found by array arithmetic.
"""

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
SEPARATOR = b"\x1f"  # in place of one of several bytes

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """fields: text [tokens]; counts: int64 [lines], the fields of each line."""

    fields: pa.LargeStringArray
    counts: IntArray


class LineNumbers:
    """Which line of the file each row came from, kept by the exceptions only."""

    def __init__(self) -> None:
        self._next = 1
        self._skipped: list[IntArray] = []

    def add(self, is_row: npt.NDArray[np.bool_]) -> None:
        """The next lines of the file; is_row: bool [lines]."""
        self._skipped.append(np.flatnonzero(~is_row) + self._next)
        self._next += len(is_row)

    def line(self, row: int) -> int:
        """Line number of a row (0-based)."""
        skipped = np.concatenate(self._skipped) - 1
        before = np.searchsorted(skipped - np.arange(len(skipped)), row, side="right")
        return 1 + row + int(before)


def read_rows(path: Path, width: int, columns: Mapping[str, int], has_header: bool, bad_rows: BadRows) -> RawTable:
    """Rows of `width` fields each, cut at white space; columns: role -> index.

    Raises UserError at a line with another number of fields, unless skipped; blank lines are no rows, and the header is
    the first line that isn't blank.
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
    dropped = _handle_bad_lines(path, bad_lines, f"{width} fields", bad_rows)
    table = {role: pa.chunked_array(chunks, type=pa.large_string()) for role, chunks in parts.items()}
    return RawTable(path, table, lambda row: f"line {line_numbers.line(row)}", dropped)


def read_lists(path: Path, separator: str, bad_rows: BadRows) -> RawTable:
    """One line per user: its id, then its items in the order of time. Several lines of a user follow one another.

    separator: " " for any white space; another cuts alone, so that a name may have blanks.

    Raises UserError at a line with a user and no item, unless skipped.
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
    dropped = _handle_bad_lines(path, bad_lines, "a user and at least one item", bad_rows)
    ends = np.cumsum(np.concatenate(all_counts)) if all_counts else np.zeros(0, dtype=np.int64)
    table = {
        "user": pa.chunked_array(users, type=pa.large_string()),
        "item": pa.chunked_array(items, type=pa.large_string()),
    }
    return RawTable(path, table, lambda row: f"line {int(np.searchsorted(ends, row, side='right')) + 1}", dropped)


def _handle_bad_lines(path: Path, bad_lines: list[IntArray], expected: str, bad_rows: BadRows) -> int:
    """The number of bad lines, logged; raises UserError at the first if they are not to be skipped."""
    if not bad_lines:
        return 0
    lines = np.concatenate(bad_lines)
    line, count = lines[0]
    fields = f"{count} field{'s' if count > 1 else ''}"
    return bad_rows.drop_or_raise(path, f"line {line}: expected {expected}, found {fields}", len(lines))


def _blocks(path: Path, separator: str) -> Iterator[Block]:
    """The file in blocks of whole lines."""
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
    """utf-8 if the whole file is that, else latin-1, which every byte is in."""
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
    """Blocks of the file that end where a line ends. Raises UserError if a line is too long to be one."""
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
    """The fields of whole lines of text, cut at white space, or at a separator of one byte; none is empty."""
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
    # A field's text reaches to the next field's start; what lies between is cut off after.
    offsets = np.append(starts, len(letters)).astype(np.int64)
    fields = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(content))
    if separator is not None:
        fields = pc.ascii_rtrim(fields, characters=separator.decode() + "\n")
    return Block(pc.ascii_trim_whitespace(fields), counts.astype(np.int64))
