"""Lines before a table that are no part of it: remarks behind # or %, as KONECT's files begin, and Excel's `sep=;`."""

import re

from datasets.readers.columns import USUAL_NAMES, plain

MARKS = (b"#", b"%")
NAMED_SEPARATOR = re.compile(rb'"?sep=[^\r\n]{1,2}"?(\r\n|\n|\r)', re.IGNORECASE)
LINE = re.compile(rb"[^\r\n]*(\r\n|\n|\r)")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def remarks(start: bytes) -> bytes:
    """The lines at the start of a file that are no part of its table.

    Remarks are lines behind one mark, with other lines behind them: where all lines begin so, it is their ids that do.
    A line that names a user's and an item's column is a header.
    """
    skipped = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
    named = NAMED_SEPARATOR.match(start, skipped)
    if named:
        return start[: named.end()]
    mark = start[skipped : skipped + 1]
    if mark not in MARKS:
        return b""
    end = skipped
    while (line := LINE.match(start, end)) and start.startswith(mark, end):
        if _names_columns(line[0]):
            return b""
        end = line.end()
    return start[:end] if line and start[end:].strip() else b""


def _names_columns(line: bytes) -> bool:
    """Whether a usual name of a user's and of an item's column are among its words."""
    words = {plain(word) for word in re.findall(r"[\w:]+", line.decode("latin-1"))}
    return all(words & set(USUAL_NAMES[role]) for role in ("user", "item"))
