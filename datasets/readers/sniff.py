"""Detect the separator, the header and the columns of a text file."""

import csv
import io
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from datasets.readers.columns import NEEDED, ColumnError, find_columns, is_usual
from datasets.readers.head import FIRST_PLAUSIBLE_SECOND, Head, is_calendar_day, is_number
from datasets.readers.text import SAMPLE_BYTES, encoding_of, read_sample

log = logging.getLogger(__name__)

SEPARATORS = ("\t", "::", ",", ";", "|")
SPACE = " "
SAMPLE_ROWS = 200
HIGH_SHARE = 0.8  # minimum share of rows with the usual number of fields
LOW_SHARE = 0.5  # the same for a table with bad rows, if no other separator fits better
POSITIONS = {2: ("user", "item"), 4: ("user", "item", "rating", "timestamp")}
LINE_END = re.compile(r"\r\n|\n|\r")
NAMES = {"\t": "tab", SPACE: "white space"}


@dataclass(frozen=True)
class Guess:
    """The first rows, split at a separator.

    Attributes
    ----------
    rows : fields of each row
    separator : one of SEPARATORS, white space, or the character that the user gave
    width : the most common number of fields
    share : share of rows with `width` fields
    encoding : text encoding
    """

    rows: list[list[str]]
    separator: str
    width: int
    share: float
    encoding: str

    @property
    def separator_name(self) -> str:
        """The separator as messages name it."""
        return NAMES.get(self.separator, repr(self.separator))


def sniff(path: Path, separator: str | None, quoted: bool | None = None) -> Guess:
    """Read and split the first rows.

    Parameters
    ----------
    path : the file
    separator : given by the user; None = detect
    quoted : whether fields may be in double quotes; None = yes

    Raises
    ------
    UserError
        The file isn't text, or its first line is too long for a table.
    """
    sample, complete = read_sample(path)
    encoding = encoding_of(sample)
    text = sample.decode(encoding, errors="replace")
    if not complete:
        text = _whole_lines(text, path)
    candidates = SEPARATORS if separator is None else (separator,)
    guesses = [_split_rows(text, candidate, encoding, quoted is not False) for candidate in candidates]
    if separator is not None:
        return guesses[0]
    guesses.append(_split_rows(text, SPACE, encoding))
    tables = [guess for guess in guesses if guess.share >= HIGH_SHARE and guess.width > 1]
    if tables:
        # Prefer a separator that also fits the first row (the header), then the one with the most fields.
        return max(tables, key=lambda guess: (len(guess.rows[0]) == guess.width, guess.separator != SPACE, guess.width))
    irregular = [guess for guess in guesses[:-1] if guess.share >= LOW_SHARE and guess.width > 1]
    return irregular[0] if irregular else guesses[-1]


def is_tab_separated(path: Path) -> bool:
    """Whether lines of one user each are separated by tabs: every line has a tab, and some line has several."""
    sample, complete = read_sample(path)
    lines = LINE_END.split(sample.decode("latin-1"))
    filled = [line for line in lines[: None if complete else -1] if line.strip()]
    tabs = [line.count("\t") for line in filled[:SAMPLE_ROWS]]
    return bool(tabs) and min(tabs) > 0 and max(tabs) > 1


def _whole_lines(text: str, path: Path) -> str:
    """The start of a file without its last line, which is incomplete."""
    ends = [text.rfind(end) for end in "\n\r"]
    if max(ends) < 0:
        raise UserError(
            f"{path}, line 1 has more than {SAMPLE_BYTES >> 10} KiB, so this is not a table of interactions; if each "
            "line holds one user's items, give --file_format lists"
        )
    return text[: (ends[0] if ends[0] >= 0 else ends[1]) + 1]


def _split_rows(text: str, separator: str, encoding: str, quoted: bool = True) -> Guess:
    """The first rows, split at a separator."""
    all_rows: Iterable[list[str]]
    if separator == SPACE:
        all_rows = (re.findall(r"[^ \t\f\v]+", line) for line in LINE_END.split(text))
    elif separator == "::":
        all_rows = (line.split("::") if line else [] for line in LINE_END.split(text))
    else:
        lines = io.StringIO(text, newline="")
        all_rows = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    try:
        rows = list(itertools.islice(filter(None, all_rows), SAMPLE_ROWS))
    except csv.Error:
        rows = []
    if not rows:
        return Guess([], separator, 0, 0.0, encoding)
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    return Guess(rows, separator, width, count / len(rows), encoding)


def has_header(guess: Guess, wanted: Mapping[str, str | None]) -> bool:
    """Whether the first row is a header: it has a usual or wanted name, or text above a column of numbers."""
    first, rest = guess.rows[0], guess.rows[1:]
    if any(is_usual(name.strip()) for name in first):
        return True
    plain = {name.strip().casefold() for name in first}
    if any(name and name.casefold() in plain and not name.isdigit() for name in wanted.values()):
        return True
    below = [row for row in rest if len(row) == len(first)]
    return any(
        not is_number(name) and bool(below) and all(is_number(row[index]) for row in below)
        for index, name in enumerate(first)
    )


def positions(guess: Guess, wanted: Mapping[str, str | None], path: Path) -> dict[str, int]:
    """Find the column of each role in a file without a header.

    Parameters
    ----------
    guess : the first rows
    wanted : role -> position given by the user, from 1; None = detect, in the usual order user, item, rating,
        timestamp; "" = don't read
    path : the file, for messages

    Returns
    -------
    dict
        Role -> index of the column.

    Raises
    ------
    UserError
        The columns can't be told from the first rows.
    """
    given = {role: name for role, name in wanted.items() if name}
    unread = {role: name for role, name in wanted.items() if name == ""}
    if given:
        return _given_positions({**given, **unread}, guess, path)
    return {role: index for role, index in _usual_positions(guess, path).items() if role not in unread}


def _usual_positions(guess: Guess, path: Path) -> dict[str, int]:
    """Role -> index in the usual order of columns."""
    example = next(row for row in guess.rows if len(row) == guess.width)
    if guess.width == 3:
        third = "timestamp" if looks_like_time(guess.rows, 2) else "rating"
        return {"user": 0, "item": 1, third: 2}
    if guess.width == 4 and (not is_number(example[2]) or not looks_like_time(guess.rows, 3)):
        raise _unclear_columns(path, example)
    if guess.width not in POSITIONS:
        raise _unclear_columns(path, example)
    if guess.width == 4 and guess.separator != "::":  # MovieLens' separator
        log.warning(
            "%s has no header; its columns are taken for user, item, rating and timestamp. Some files begin with the "
            "item (Amazon's of 2018): then give --user_column 2 --item_column 1 --rating_column 3 --timestamp_column 4",
            path,
        )
    return {role: index for index, role in enumerate(POSITIONS[guess.width])}


def _unclear_columns(path: Path, example: Sequence[str]) -> UserError:
    """The error for a file without a header whose columns are unclear."""
    shown = " | ".join(field[:30] for field in example[:12])
    return UserError(
        f"{path} has {len(example)} columns and no recognised header ({shown}): give the positions of the columns, "
        "e.g. --user_column 1 --item_column 3, or the format with --file_format"
    )


def numbered(guess: Guess) -> Head:
    """The columns of a file without a header: their names are their positions, from 1."""
    return Head([str(number) for number in range(1, guess.width + 1)], guess.rows)


def _given_positions(given: Mapping[str, str], guess: Guess, path: Path) -> dict[str, int]:
    """Role -> index, from positions that count from 1."""
    for role in NEEDED:
        if role not in given:
            first = next(other for other, name in given.items() if name)
            message = f"{path} has no header: as other columns are given by position, give --{role}_column as well"
            raise ColumnError(message, first)
    return find_columns(numbered(guess), given, path)


def looks_like_time(rows: Sequence[Sequence[str]], index: int) -> bool:
    """Whether a column has numbers as large as times, or text with digits (dates)."""
    values = [row[index] for row in rows if len(row) > index]
    numbers = [float(value) for value in values if is_number(value)]
    if len(numbers) < len(values) / 2:
        return any(character.isdigit() for character in values[0])
    return min(abs(number) for number in numbers) >= FIRST_PLAUSIBLE_SECOND or all(
        is_calendar_day(number) for number in numbers
    )
