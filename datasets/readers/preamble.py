"""Lines above a table that are not part of it: comments after # or %, as in KONECT's files, and Excel's `sep=;`."""

import re

from datasets.readers.columns import USUAL_NAMES, plain

NAMED_SEPARATOR = re.compile(rb'"?sep=[\t,;|]"?(\r\n|\n|\r)', re.IGNORECASE)
# The # or % must be followed by a blank or the line's end, since ids and column names may start with one.
COMMENT_LINE = re.compile(rb"[ \t]*([#%])\1*([ \t][^\r\n]*)?(\r\n|\n|\r)")
BLANK_LINES = re.compile(rb"(\xef\xbb\xbf)?[\r\n]*")


def preamble_of(start: bytes) -> bytes:
    """The lines at the start of a file that are not part of its table.

    A comment that names columns belongs to the table, and so does everything if no other line follows.
    """
    blank = BLANK_LINES.match(start)
    assert blank is not None
    end = blank.end()
    if named := NAMED_SEPARATOR.match(start, end):
        return start[: named.end()]
    while (line := COMMENT_LINE.match(start, end)) and not _names_columns(line[0]):
        end = line.end()
    return start[:end] if end > blank.end() and start[end:].strip() else b""


def _names_columns(line: bytes) -> bool:
    """Whether the line contains usual names of both a user and an item column."""
    words = {plain(word) for word in re.findall(r"[\w:]+", line.decode("latin-1"))}
    return all(words & set(USUAL_NAMES[role]) for role in ("user", "item"))
