"""What kind of text a file holds: its separator, whether it has a header, what its columns are."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from datasets.readers.columns import NEEDED, ColumnError, find_columns, is_usual
from datasets.readers.text import SAMPLE_BYTES, encoding_of, read_sample

SEPARATORS = ("\t", "::", ",", ";", "|")
SPACE = " "
SAMPLE_ROWS = 200
HIGH_SHARE = 0.8  # share of rows with the usual number of fields in a table
LOW_SHARE = 0.5  # the same in a table with bad rows, if nothing else fits better
POSITIONS = {2: ("user", "item"), 4: ("user", "item", "rating", "timestamp")}
FIRST_PLAUSIBLE_SECOND = 100_000_000  # 1973: numbers above it are times, below it ratings
LINE_END = re.compile(r"\r\n|\n|\r")
NAMES = {"\t": "tab", SPACE: "white space"}


@dataclass(frozen=True)
class Guess:
    """What the first rows look like.

    rows: the first rows' fields; separator: one of SEPARATORS, white space, or one character that was given;
    width: the usual number of fields; share: of the rows that have that many.
    """

    rows: list[list[str]]
    separator: str
    width: int
    share: float
    encoding: str

    @property
    def separator_name(self) -> str:
        """For messages."""
        return NAMES.get(self.separator, repr(self.separator))


def sniff(path: Path, separator: str | None, quoted: bool | None = None) -> Guess:
    """Look at the first rows. separator, quoted: given by the user; None: recognised, and as usual.

    Raises UserError if the file isn't text, or its first line is longer than any table's.
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
        # Of several that cut regularly, the one that cuts the first row (the header) as well, and into more fields.
        return max(tables, key=lambda guess: (len(guess.rows[0]) == guess.width, guess.separator != SPACE, guess.width))
    irregular = [guess for guess in guesses[:-1] if guess.share >= LOW_SHARE and guess.width > 1]
    return irregular[0] if irregular else guesses[-1]


def is_tab_separated(path: Path) -> bool:
    """Whether the first lines, one per user, are cut at tabs: each line has one, and some line more."""
    sample, complete = read_sample(path)
    lines = LINE_END.split(sample.decode("latin-1"))
    filled = [line for line in lines[: None if complete else -1] if line.strip()]
    tabs = [line.count("\t") for line in filled[:SAMPLE_ROWS]]
    return bool(tabs) and min(tabs) > 0 and max(tabs) > 1


def _whole_lines(text: str, path: Path) -> str:
    """The start of a file without its last line, which is cut."""
    ends = [text.rfind(end) for end in "\n\r"]
    if max(ends) < 0:
        raise UserError(
            f"{path}, line 1 has more than {SAMPLE_BYTES >> 10} KiB, so this is not a table of interactions; if each "
            "line holds one user's items, give --file_format lists"
        )
    return text[: (ends[0] if ends[0] >= 0 else ends[1]) + 1]


def _split_rows(text: str, separator: str, encoding: str, quoted: bool = True) -> Guess:
    """The first rows cut at a separator."""
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
    """Whether the first row names columns: by a usual or wanted name in it, or by not being numbers as the rest are."""
    first, rest = guess.rows[0], guess.rows[1:]
    if any(is_usual(name.strip()) for name in first):
        return True
    plain = {name.strip().casefold() for name in first}
    if any(name and name.casefold() in plain and not name.isdigit() for name in wanted.values()):
        return True
    below = [row for row in rest if len(row) == len(first)]
    return any(
        not _is_number(name) and bool(below) and all(_is_number(row[index]) for row in below)
        for index, name in enumerate(first)
    )


def positions(guess: Guess, wanted: Mapping[str, str | None], path: Path) -> dict[str, int]:
    """Role -> column of a file without header: as given (counted from 1), else user, item, rating, timestamp.

    A role that is given as "" is left out. Raises UserError if it takes more than looking at the first rows to tell.
    """
    given = {role: name for role, name in wanted.items() if name}
    unread = {role: name for role, name in wanted.items() if name == ""}
    if given:
        return _given_positions({**given, **unread}, guess.width, path)
    return {role: index for role, index in _usual_positions(guess, path).items() if role not in unread}


def _usual_positions(guess: Guess, path: Path) -> dict[str, int]:
    """Role -> column as such files usually have them."""
    example = next(row for row in guess.rows if len(row) == guess.width)
    if guess.width == 3:
        third = "timestamp" if _looks_like_time(guess.rows, 2) else "rating"
        return {"user": 0, "item": 1, third: 2}
    if guess.width == 4 and (not _is_number(example[2]) or not _looks_like_time(guess.rows, 3)):
        raise _unclear_columns(path, example)
    if guess.width not in POSITIONS:
        raise _unclear_columns(path, example)
    return {role: index for index, role in enumerate(POSITIONS[guess.width])}


def _unclear_columns(path: Path, example: Sequence[str]) -> UserError:
    """The error for a file without header whose columns could be anything."""
    shown = " | ".join(field[:30] for field in example[:12])
    return UserError(
        f"{path} has {len(example)} columns and no recognised header ({shown}): give the positions of the columns, "
        "e.g. --user_column 1 --item_column 3, or the format with --file_format"
    )


def _given_positions(given: Mapping[str, str], width: int, path: Path) -> dict[str, int]:
    """Positions given as numbers from 1."""
    names = [str(number) for number in range(1, width + 1)]
    for role in NEEDED:
        if role not in given:
            first = next(other for other, name in given.items() if name)
            message = f"{path} has no header: as other columns are given by position, give --{role}_column as well"
            raise ColumnError(message, first)
    return find_columns(names, given, path)


def _is_number(text: str) -> bool:
    """Whether a field is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _looks_like_time(rows: Sequence[Sequence[str]], index: int) -> bool:
    """Whether a column holds numbers as large as times, or text (dates)."""
    values = [row[index] for row in rows if len(row) > index]
    numbers = [float(value) for value in values if _is_number(value)]
    if len(numbers) < len(values) / 2:
        return any(character.isdigit() for character in values[0])
    return min(abs(number) for number in numbers) >= FIRST_PLAUSIBLE_SECOND or all(
        number.is_integer() and 19000101 <= number <= 21001231 for number in numbers
    )
