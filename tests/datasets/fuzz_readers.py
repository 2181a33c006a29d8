"""Read many small random files, sound, damaged and foreign ones, and count tracebacks and silent misreadings.

    python tests/datasets/fuzz_readers.py --count 5000 --seed 1

A file is read right, refused with an error for users, read with a warning, or one of the two faults:

- a traceback: any other exception;
- misread in silence: other interactions than were written, or, of a damaged file, fewer rows than lines without a
  warning.
"""

import argparse
import csv
import gzip
import io
import json
import logging
import pickle
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pandas as pd
import pyarrow as pa
import pyarrow.feather
from pydantic import ValidationError

from common.errors import UserError
from common.log_handlers import captured_records
from datasets.file import File
from datasets.file_options import FileOptions
from datasets.prepare import Rules, encode_rows, prepare
from datasets.sequence_data import SequenceData

Row = tuple[Any, Any, int, int]  # user, item, rating, seconds
COLUMNS = ("user", "item", "rating", "timestamp")
NAMES = {
    "user": ("user_id", "userId", "user", "CustomerID", "reviewerID", "user_id:token"),
    "item": ("item_id", "movieId", "item", "StockCode", "asin", "item_id:token"),
    "rating": ("rating", "stars", "Book-Rating", "rating:float"),
    "timestamp": ("timestamp", "time", "unixReviewTime", "ts", "timestamp:float"),
}
WORDS = (
    "ann",
    "Bob",
    "a b",
    "é",
    "😀",
    "x-1",
    "12a",
    "O'Neil",
    "d.e",
    "007",
    "n/a2",
    "(500) Days",
    "[REC]",
    "#1",
    "50%",
)
SEPARATORS = (",", "\t", ";", "|", "::", " ")
OUTCOMES = ("right", "refused", "warned", "traceback", "misread")


@dataclass
class Case:
    """A file and what reading it must give.

    Attributes
    ----------
    kind : what is odd about the file
    name, content : the file
    options : options for reading it
    expected : the interactions; None = any that no line is missing from; () = the file must be refused
    num_lines : number of rows in the file, for `expected` None; None = unknown
    """

    kind: str
    name: str
    content: bytes
    options: dict[str, Any] = field(default_factory=dict)
    expected: list[Row] | tuple[()] | None = None
    num_lines: int | None = None


@dataclass
class Table:
    """Random interactions, and how they are written."""

    rows: list[Row]
    separator: str
    has_header: bool
    names: list[str]
    line_end: str

    def lines(self, rows: list[Row]) -> list[str]:
        """The rows as text."""
        return [self._line(row) for row in rows]

    def _line(self, row: tuple[Any, ...]) -> str:
        if self.separator in ("::", " "):
            return self.separator.join(map(str, row))
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.separator, lineterminator="").writerow(row)
        return text.getvalue()

    def header(self) -> list[str]:
        """The header's line, if there is one."""
        return [self._line(tuple(self.names))] if self.has_header else []

    def bytes_of(self, lines: list[str]) -> bytes:
        """The lines as a file."""
        return "".join(line + self.line_end for line in lines).encode()

    def plain(self) -> bytes:
        """The sound file."""
        return self.bytes_of([*self.header(), *self.lines(self.rows)])


def random_table(draw: random.Random) -> Table:
    """A sound table."""
    separator = draw.choice(SEPARATORS)
    words = [word for word in WORDS if separator not in word] if separator in ("::", " ") else list(WORDS)
    ids = [draw.choice([words, range(1, 30), range(10**6, 10**6 + 9), range(-5, 5)]) for _ in "ui"]
    start = draw.randrange(978_300_000, 1_600_000_000)
    rows = [
        (draw.choice(ids[0]), draw.choice(ids[1]), draw.randrange(1, 6), start + draw.randrange(10**6))
        for _ in range(draw.randrange(4, 40))
    ]
    names = [draw.choice(NAMES[role]).split(":")[0] for role in COLUMNS]
    return Table(rows, separator, draw.random() < 0.7, names, draw.choice(["\n", "\r\n", "\n\n"]))


def sound(draw: random.Random, table: Table) -> Case:
    """A sound file, perhaps gzipped, with a mark, or of typed columns."""
    content, name = table.plain(), draw.choice(["t.csv", "t.txt", "t.dat", "t"])
    form = draw.choice(["plain", "plain", "gzip", "mark", "parquet", "inter"])
    if form == "gzip":
        content = gzip.compress(content)
    elif form == "mark":
        content = b"\xef\xbb\xbf" + content
    elif form == "parquet":
        buffer = io.BytesIO()
        frame = pd.DataFrame(table.rows, columns=table.names)
        for column in table.names[:2]:
            if frame[column].dtype != "int64" or draw.random() < 0.3:
                frame[column] = frame[column].astype(str)
        frame.to_parquet(buffer)
        content = buffer.getvalue()
    elif form == "inter":
        typed = Table(table.rows, "\t", True, [NAMES[role][-1] for role in COLUMNS], "\n")
        return Case("sound inter", "t.inter", typed.plain(), expected=table.rows)
    return Case(f"sound {form}", name, content, expected=table.rows)


def harmless(draw: random.Random, table: Table) -> Case:
    """A file with oddities that change nothing."""
    lines, header = table.lines(table.rows), table.header()
    oddity = draw.choice(["blanks", "header again", "comment", "no last line end", "more columns", "blank lines"])
    if oddity == "blanks" and table.separator in (",", ";", "|", "\t") and '"' not in "".join(lines):
        lines = [table.separator.join(f"{part} " for part in line.split(table.separator)) for line in lines]
    elif oddity == "header again":
        lines[draw.randrange(1, len(lines)) : 0] = header * draw.randrange(1, 3)
    elif oddity == "comment":
        header = ["# some rows", *header]
    elif oddity == "more columns" and table.has_header and table.separator != " ":
        at = draw.choice([0, 1])  # before or after the others
        texts = [f"{draw.choice('abc')}{number}" for number in range(len(lines))]
        pairs = [("title", header[0]), *zip(texts, lines, strict=True)]
        header, *lines = [table.separator.join(pair if at == 0 else pair[::-1]) for pair in pairs]  # type: ignore[assignment]
        header = [header]  # type: ignore[list-item]
    elif oddity == "blank lines":
        lines.insert(draw.randrange(len(lines)), "")
    content = table.bytes_of([*header, *lines])
    return Case(oddity, "t.csv", content.rstrip() if oddity == "no last line end" else content, expected=table.rows)


def bad_rows(draw: random.Random, table: Table) -> Case:
    """A file with bad rows: refused, or read without them if that is requested."""
    lines, kept = table.lines(table.rows), list(table.rows)
    skip = draw.random() < 0.7
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(1, len(lines))
        row: list[Any] = list(draw.choice(table.rows))
        kind = draw.choice(["short", "long", "rating", "time", "no user"])
        row = {
            "short": row[:2],
            "long": [*row, "x"],
            "rating": [*row[:2], "good", row[3]],
            "time": [*row[:3], "never"],
            "no user": ["NULL", *row[1:]],
        }[kind]
        lines.insert(place, table._line(tuple(row)))
    content = table.bytes_of([*table.header(), *lines])
    return Case("bad rows", "t.csv", content, {"skip_bad_rows": skip}, expected=kept if skip else ())


def damaged(draw: random.Random, table: Table) -> Case:
    """A file with random changes of its bytes. It may mean anything, but no line may vanish in silence."""
    content = bytearray(sound(draw, table).content if draw.random() < 0.3 else table.plain())
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(content))
        part = draw.choice(
            [b"\0", b'"', b"\xff", b",", b"\t", b"\n", b"\r", b"::", b" ", b"1e999", b"0x10", b"NaN", b"-",
             b"\xef\xbb\xbf", b"[1, 2]", b"#", b"9" * 25, bytes([draw.randrange(256)])]
        )  # fmt: skip
        change = draw.choice(["insert", "replace", "delete", "cut", "double"])
        if change == "insert":
            content[at:at] = part
        elif change == "replace":
            content[at : at + len(part)] = part
        elif change == "delete":
            del content[at : at + draw.randrange(1, 20)]
        elif change == "cut":
            del content[at + 1 :]
        else:
            content += content[at:]
        content = content or bytearray(b"\n")
    binary = content.startswith((b"\x1f\x8b", b"PAR1")) or b'"' in content
    text = bytes(content).removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = [line for line in text.split(b"\n") if line.strip()]
    num_lines = None if binary else len(lines)
    options = {"skip_bad_rows": True} if draw.random() < 0.5 else {}
    return Case("damaged", "t.csv", bytes(content), options, num_lines=num_lines)


def wrong_options(draw: random.Random, table: Table) -> Case:
    """A sound file with options that don't fit it; only tracebacks are faults."""
    options: dict[str, Any] = draw.choice(
        [
            {"separator": draw.choice([",", "\t", ";", "é", "::", "x"]), "file_format": draw.choice(["auto", "lists"])},
            {"file_format": draw.choice(["csv", "parquet", "inter", "sasrec", "lists"])},
            {"user_column": draw.choice(["nobody", "1", "99", table.names[1]])},
            {"timestamp_format": draw.choice(["ms", "%Y", "%Q", "ISO8601", "%H", "ns"])},
            {"has_header": draw.random() < 0.5, "item_column": draw.choice(["2", "item", table.names[2]])},
            {"events": ("buy",), "event_column": draw.choice([None, "2", table.names[0]])},
            {"keep": (draw.choice(["rating=3", "3=4", f"{table.names[0]}=1", "=1x"]).lstrip("="),)},
            {"quoted": draw.random() < 0.5},
        ]
    )
    return Case("wrong options", "t.csv", table.plain(), options)


def foreign(draw: random.Random, table: Table) -> Case:
    """A file that is no table: it must be refused, whatever the options."""
    frame = pd.DataFrame(table.rows, columns=table.names)
    records = frame.to_dict("records")
    block = "".join(f"{user},{rating},2005-09-06\n" for user, _, rating, _ in table.rows[:3])
    buffer = io.BytesIO()
    made: dict[str, bytes] = {
        "JSON": json.dumps(records, indent=draw.choice([None, 1])).encode(),
        "JSON lines": "".join(json.dumps(record) + "\n" for record in records).encode(),
        "Python": "".join(f"{record}\n" for record in records).encode(),
        "pickle": pickle.dumps(records),
        "Netflix": f"1:\n{block}2:\n{block}".encode(),
        "web page": b"<!DOCTYPE html>" + frame.to_html().encode(),
        "svmlight": "".join(f"{r} {u}:1 {i}:1\n" for u, i, r, _ in [(1, 2, r[2], 0) for r in table.rows]).encode(),
        "random bytes": draw.randbytes(draw.randrange(200, 3000)),
        "zip": b"PK\x03\x04" + draw.randbytes(200),
        "sequences": f'user,item\n1,"{[3, 4, 5]}"\n2,7\n'.encode(),
    }
    kind = draw.choice([*made, "Feather"])
    if kind == "Feather":
        pyarrow.feather.write_feather(pa.Table.from_pandas(frame.astype(str)), buffer)
    options = {"skip_bad_rows": True} if draw.random() < 0.5 else {}
    content = made.get(kind, buffer.getvalue())
    return Case(f"foreign {kind}", draw.choice(["t.csv", "t.dat", "t"]), content, options, expected=())


MAKERS: tuple[Callable[[random.Random, Table], Case], ...] = (
    sound, harmless, bad_rows, damaged, damaged, wrong_options, foreign,
)  # fmt: skip


def interactions(data: SequenceData) -> list[tuple[str, str, float, int]]:
    """The dataset as sorted rows; ids as text."""
    users = data.user_ids.repeat(data.lengths).tolist()
    items = data.item_ids[data.items - 1].tolist()
    ratings = [0.0] * len(items) if data.ratings is None else data.ratings.tolist()
    times = [0] * len(items) if data.timestamps is None else data.timestamps.tolist()
    return sorted(zip(map(str, users), map(str, items), ratings, times, strict=True))


def judge(case: Case, folder: Path) -> str:
    """How the file is read: one of `OUTCOMES`."""
    path = folder / case.name
    path.write_bytes(case.content)
    with captured_records(("datasets",)) as records:
        try:
            raw = File().read(FileOptions(dataset_path=path, **case.options))
            data = prepare(encode_rows(raw.frame, raw.ticks_per_second), Rules(), name="fuzz", funnel=raw.funnel)
        except (UserError, ValidationError):  # the latter is reported with its origin when options are read
            return "refused"
    warned = any(record.levelno >= logging.WARNING for record in records)
    if case.expected is not None:
        expected = sorted((str(u), str(i), float(r), t) for u, i, r, t in case.expected)
        if interactions(data) == expected:
            return "right"
        return "warned" if warned and case.kind == "bad rows" and case.expected else "misread"
    rows = data.funnel[0].rows
    if case.num_lines is not None and not warned and data.num_interactions not in (case.num_lines, case.num_lines - 1):
        is_list = rows != data.num_interactions or any("one line per user" in r.getMessage() for r in records)
        return "right" if is_list else "misread"
    return "warned" if warned else "right"


def fuzz(count: int, seed: int, folder: Path, keep: Path | None = None) -> tuple[Counter[str], list[str]]:
    """Read `count` random files.

    Parameters
    ----------
    count, seed : number of files, and random seed
    folder : where they are written
    keep : folder for the files that were read wrongly; None = they aren't kept

    Returns
    -------
    outcomes : number of files with each outcome
    faults : a description of each file that was read wrongly
    """
    outcomes: Counter[str] = Counter()
    faults = []
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        case = draw.choice(MAKERS)(draw, random_table(draw))
        try:
            outcome = judge(case, folder)
        except Exception as error:
            outcome = "traceback"
            faults.append(f"{number}: {case.kind} {case.options}: {type(error).__name__}: {error}")
        if outcome == "misread":
            faults.append(f"{number}: {case.kind} {case.options}: misread in silence")
        if outcome in ("misread", "traceback") and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{seed}-{number}-{case.name}").write_bytes(case.content)
        outcomes[outcome] += 1
    return outcomes, faults


def main() -> int:
    """Print the counts and the faults; 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that were read wrongly")
    given = parser.parse_args()
    logging.getLogger("datasets").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        outcomes, faults = fuzz(given.count, given.seed, Path(folder), given.keep)
    print(f"{given.count} files:", ", ".join(f"{outcomes[name]} {name}" for name in OUTCOMES))
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
