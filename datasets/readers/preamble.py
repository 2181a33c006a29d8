"""Lines above a table that are no part of it: preamble behind # or %, as KONECT's files begin, and Excel's `sep=;`."""

import re

from datasets.readers.columns import USUAL_NAMES, plain

NAMED_SEPARATOR = re.compile(rb'"?sep=[\t,;|]"?(\r\n|\n|\r)', re.IGNORECASE)
# A mark alone or with a blank behind it: ids and names of columns that begin so have none.
COMMENT_LINE = re.compile(rb"[ \t]*([#%])\1*([ \t][^\r\n]*)?(\r\n|\n|\r)")
BLANK_LINES = re.compile(rb"(\xef\xbb\xbf)?[\r\n]*")


def preamble_of(start: bytes) -> bytes:
    """The lines at the start of a file that are no part of its table.

    A line that names columns is part of it, and so is everything where no other line follows.
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
    """Whether usual names of a user's and of an item's column are among its words."""
    words = {plain(word) for word in re.findall(r"[\w:]+", line.decode("latin-1"))}
    return all(words & set(USUAL_NAMES[role]) for role in ("user", "item"))
