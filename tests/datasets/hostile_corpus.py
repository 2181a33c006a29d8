"""Hostile and broken files and options, with the expected result: the right data, or one clear error."""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HEAD = "user,item,rating,timestamp\n"
ROWS = "".join(f"{user},{item},3,{978_300_000 + item}\n" for user in range(3) for item in range(3))
PLAIN = {user: [0, 1, 2] for user in range(3)}
SECOND = 1_306_146_600  # 2011-05-23 10:30:00 UTC
BEFORE = SECOND - 86_400
BIG = 2**62
LISTS = {"file_format": "lists"}


@dataclass(frozen=True)
class Refused:
    """A file that must be rejected. content: its content, or a function that makes it; reason: pattern of the error."""

    content: str | bytes | Callable[[], bytes]
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    name: str = "hostile.csv"


@dataclass(frozen=True)
class Right:
    """A file that must be read. histories: user -> items in order; times: all timestamps in that order, in seconds."""

    content: str | bytes | Callable[[], bytes]
    histories: dict[Any, list[Any]]
    times: list[int] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    name: str = "odd.csv"


def parquet(**columns: Any) -> bytes:
    """A Parquet file of these columns."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def clocked(*moments: str) -> str:
    """Two rows of user 1: item 20 at the later moment, then item 10 at the earlier one."""
    return "user,item,time\n" + "".join(f"1,{item},{moment}\n" for item, moment in zip((20, 10), moments, strict=True))


def many_columns(number: int) -> str:
    """A header and one row of `number` fields, of which the first is the user and the last the item."""
    names = ["user", *(f"x{index}" for index in range(number - 2)), "item"]
    return ",".join(names) + "\n" + ",".join(["7"] * number) + "\n"


REFUSED: dict[str, Refused] = {
    "empty": Refused("", "is empty"),
    "blank lines": Refused("\n\r\n \n", "is empty"),
    "only a byte order mark": Refused("\ufeff", "is empty"),
    "header only": Refused(HEAD, "no interactions"),
    "header only, Parquet": Refused(lambda: parquet(user=pa.array([], pa.int64()), item=[]), "no interactions"),
    "wrong separator": Refused(HEAD + ROWS, "line 1|no column|separator|fields", {"separator": ";"}),
    "no separator": Refused("a-b\nc-d\n", "separator"),
    "NUL bytes in an id": Refused("user,item\n1,a\n1,b\0c\n", "line 3: there is a NUL byte"),
    "NUL bytes only": Refused(bytes(4096), "is no|can't be read|separator|control|empty"),
    "random bytes": Refused(bytes(range(256)) * 40, "can't be read|separator|line|control|is no|no column"),
    "short row": Refused(HEAD + "1,2,3,4\n1,2\n1,2,3,4\n", "line 3: expected 4 fields, found 2"),
    "long row": Refused(HEAD + "1,2,3,4\n1,2,3,4\n1,2,3,4,5\n", "line 4: expected 4 fields, found 5"),
    "a quote in a TSV that is an ordinary character": Refused(
        'user\titem\ttitle\n1\t2\t"Heroes\n1\t3\tx\n1\t4\t12"\n1\t5\tx\n',
        "line 2: the row continues to line 4.*--quoted false",
    ),
    "a plus sign and a missing rating": Refused("1,2,+1\n1,3,\n2,3,-1\n", "line 2: the rating ''"),
    "a rating beyond 32 bits": Refused("user,item,rating\n1,2,3\n1,3,1e39\n", "line 3: the rating '1e39' is too large"),
    "header only, no line end": Refused(HEAD[:-1], "no interactions"),
    ".inter with unusual names": Refused(
        "author:token\tpaper:token\nann\tx\n", "no column is recognised as the user", name="a.inter"
    ),
    "UTF-16 truncated within a character": Refused(("user,item\n" + "1,ab\n" * 99).encode("utf-16")[:-1], "utf-16"),
    "a long row that isn't UTF-8": Refused(
        ("user,item,title\n" + "1,2,x\n" * 60_000 + "1,2,caf\xe9,x\n").encode("latin-1"),
        "line 60002: expected 3 fields, found 4",
    ),
    "Parquet with text that isn't UTF-8": Refused(
        lambda: parquet(user=["ann"] * 3, item=["bobby"] * 3).replace(b"bobby", b"bo\xff\xfey"),
        "can't be read as Parquet",
    ),
    "a time of unsigned 64 bits": Refused(
        lambda: parquet(user=[1], item=[2], time=pa.array([2**64 - 1], pa.uint64())), "too large|can't be used"
    ),
    "quote never closed": Refused(HEAD + '1,2,3,"4\n1,2,3,4\n', "closed|malformed"),
    "no item column": Refused("user,title\n1,a\n2,b\n", "no column is recognised as the item"),
    "no user column": Refused("person,item\na,1\nb,2\n", "no column is recognised as the user"),
    "duplicate columns": Refused("user,item,item\n1,2,3\n", "which of the columns 'item', 'item'"),
    "duplicate named column": Refused("user,a,a\n1,2,3\n", "there are 2 columns 'a'", {"item_column": "a"}),
    "named column is missing": Refused(HEAD + ROWS, "no column 'book'.*columns are: 'user'", {"item_column": "book"}),
    "one column for two roles": Refused(HEAD + ROWS, "can't be both", {"item_column": "user", "user_column": "user"}),
    "NaN user": Refused("user,item\nNaN,1\n2,2\n", "line 2: there is no user id"),
    "NULL item": Refused("user,item\n1,NULL\n2,b\n", "line 2: there is no item id"),
    "NaN user, Parquet": Refused(lambda: parquet(user=[1.0, float("nan")], item=[1, 2]), "row 2: there is no user id"),
    "null item, Parquet": Refused(lambda: parquet(user=[1, 2], item=[1, None]), "row 2: there is no item id"),
    "null item, Parquet text": Refused(lambda: parquet(user=[1, 2], item=["a", None]), "row 2: there is no item id"),
    "null and empty text": Refused(lambda: parquet(user=["a", "", None], item=[1, 2, 3]), "row 2: there is no user id"),
    "fraction of a user": Refused(lambda: parquet(user=[1.0, 1.5], item=[1, 2]), "row 2: the user id 1.5"),
    "unsigned 64 bits": Refused(lambda: parquet(user=pa.array([2**63], pa.uint64()), item=[1]), "64-bit"),
    "too long an id": Refused("user,item\n1," + "x" * 5000 + "\n", "line 2: .*more than 256"),
    "hexadecimal rating": Refused("user,item,rating\n1,2,3\n1,3,0x10\n", "line 3: the rating '0x10' is not a number"),
    "hexadecimal time": Refused("user,item,time\n1,2,3\n1,3,0XfF\n", "line 3: timestamp '0XfF' is not a time"),
    "a field of 17 MiB in a short row": Refused(
        lambda: b"user,item,text\n1,2,x\n1," + b"y" * (17 << 20) + b"\n", "row of more than 16 MiB|line 3"
    ),
    "a field of 17 MiB in a long row": Refused(
        lambda: b"user,item\n1,2\n" * 9 + b"1,2," + b"y" * (17 << 20) + b"\n", "line 19: field larger"
    ),
    "rating in words": Refused("user,item,rating\n1,2,good\n", "line 2: the rating 'good'"),
    "rating NaN": Refused("user,item,rating\n1,2,3\n1,3,NaN\n", "line 3: the rating 'NaN'"),
    "rating infinite, Parquet": Refused(lambda: parquet(user=[1], item=[1], rating=[1e999]), "row 1: the rating"),
    "seconds and milliseconds": Refused(clocked(f"{SECOND}", f"{SECOND}000"), "line [23]: timestamp .* is not in"),
    "dates in two formats": Refused(clocked("2011-05-23", "23.05.2011"), "fit both|is not a time in"),
    "day or month": Refused(clocked("05/06/2011", "04/03/2011"), "%m/%d/%Y and %d/%m/%Y"),
    "no such day": Refused(clocked("2011-02-30", "2011-02-28"), "'2011-02-30' is not a time"),
    "time in words": Refused(clocked("yesterday", "today"), "not recognised"),
    "time beyond 64 bits": Refused(clocked("1e300", f"{SECOND}"), "line 2: timestamp '1e300'"),
    "nonsense time format": Refused(clocked("2011-05-23", "2011-05-24"), "%Q", {"timestamp_format": "%Q nonsense"}),
    "a million columns": Refused(many_columns(1_000_000), "line 1 has more than 256 KiB"),
    "a million columns, no names": Refused("1," * 999_999 + "1\n", "line 1 has more than 256 KiB"),
    "a row of a million columns": Refused(
        HEAD + ROWS + "1," * 999_999 + "1\n", "line 11: expected 4 fields, found 1000000"
    ),
    "truncated gzip": Refused(lambda: gzip.compress((HEAD + ROWS * 99).encode())[:-9], "gzip", name="hostile.csv.gz"),
    "damaged gzip": Refused(b"\x1f\x8b\x08" + bytes(40), "gzip", name="hostile.csv.gz"),
    "zip in place of a table": Refused(b"PK\x03\x04" + bytes(60), "is an archive"),
    "web page": Refused("<!DOCTYPE html><html>sign in</html>", "web page"),
    "JSON": Refused('[{"user": 1, "item": 2}]', "JSON"),
    "truncated Parquet": Refused(lambda: parquet(user=[1], item=[2])[:-20], "can't be read as Parquet"),
    "nested Parquet": Refused(lambda: parquet(user=[1], item=[[1, 2]]), "item column 'item' is nested"),
    "structures in Parquet": Refused(lambda: parquet(user=[{"id": 1}], item=[2]), "user column 'user' is nested"),
    "booleans in Parquet": Refused(lambda: parquet(user=[True], item=[2]), "type bool"),
    "Parquet without names": Refused(lambda: parquet(a=[1], b=[2]), "no column is recognised as the user"),
    "text as Parquet": Refused(HEAD + ROWS, "can't be read as Parquet", {"file_format": "parquet"}),
    "all users below min_uc": Refused(HEAD + ROWS, "no interactions are left .*relax", {"min_uc": 4}),
    "all items below min_sc": Refused(HEAD + ROWS, "no interactions are left .*relax", {"min_sc": 4}),
    "all ratings below min_rating": Refused(HEAD + ROWS, "no interactions are left", {"min_rating": 5}),
    "min_rating without ratings": Refused("user,item\n1,2\n", "has no ratings", {"min_rating": 3}),
    "tables as lists": Refused("1 2 3\n2\n", "line 2: .* found 1 field", {"file_format": "lists"}, "hostile.txt"),
    "lists as pairs": Refused(
        "1 2\n1 2 3\n", "line 2: expected 2 fields, found 3", {"file_format": "sasrec"}, "hostile.txt"
    ),
}

RIGHT: dict[str, Right] = {
    "byte order mark": Right("\ufeff" + HEAD + ROWS, PLAIN),
    "Latin-1": Right("user,item\n1,café\n".encode("latin-1"), {1: ["café"]}),
    "UTF-16": Right("user,item\n1,é\n".encode("utf-16"), {1: ["é"]}),
    "mixed line ends": Right("user,item\r\n0,0\n0,1\r\n0,2\n1,0\r\n", {0: [0, 1, 2], 1: [0]}),
    "old Mac's line ends": Right((HEAD + ROWS).replace("\n", "\r"), PLAIN),
    "no last line end": Right((HEAD + ROWS)[:-1], PLAIN),
    "a blank line before the header": Right("\n\r\nuser,item\n1,10\n2,11\n", {1: [10], 2: [11]}),
    "a blank line before a header separated by blanks": Right("\n\nuser item\n1 10\n2 11\n", {1: [10], 2: [11]}),
    "a quote that is an ordinary character": Right(
        'user\titem\ttitle\n1\t2\t"Heroes\n1\t3\t12"\n', {1: [2, 3]}, options={"quoted": False}
    ),
    "a quoted line end in a TSV": Right('user\titem\ttitle\n1\t2\t"a\nb"\n', {1: [2]}, options={"quoted": True}),
    "quotes within a field": Right('user,item,title\n1,2,"x"y\n\n1,3,z\n', {1: [2, 3]}),
    "a long field in an unused column": Right("user,item,text\n1,2,x\n1,3," + "y" * 140_000 + "\n", {1: [2, 3]}),
    "lists of names with blanks, separated by tabs": Right(
        "ann\tred mug\tcup\nbob\tblue cup\n", {"ann": ["red mug", "cup"], "bob": ["blue cup"]}, options=LISTS
    ),
    "lists of names with blanks, separated by commas": Right(
        "ann,red mug,,cup\nbob,blue cup\n",
        {"ann": ["red mug", "cup"], "bob": ["blue cup"]},
        options={**LISTS, "separator": ","},
    ),
    "lists of names with blanks, separated by two colons": Right(
        "ann::red mug::cup\n", {"ann": ["red mug", "cup"]}, options={**LISTS, "separator": "::"}
    ),
    "a user, a tab and items": Right("1\t2 3 4\n2\t3\n", {1: [2, 3, 4], 2: [3]}, options=LISTS),
    ".inter with unusual names, given as options": Right(
        "author:token\tpaper:token\nann\tx\n",
        {"ann": ["x"]},
        options={"user_column": "author", "item_column": "paper"},
        name="a.inter",
    ),
    "columns named in another case": Right(
        "Buyer,Thing\na,x\n", {"a": ["x"]}, options={"user_column": "buyer", "item_column": "thing"}
    ),
    "Parquet with dates as numbers in a pattern": Right(
        lambda: parquet(user=[1, 1], item=[20, 10], time=[23052011, 1052011]),
        {1: [10, 20]},
        [1_304_208_000, 1_306_108_800],
        options={"timestamp_format": "%d%m%Y"},
        name="a.parquet",
    ),
    "quoted separators": Right('user,item\n"a,b","c ""d"", e"\n', {"a,b": ['c "d", e']}),
    "quoted line end elsewhere": Right('user,title,item\n1,"a\nb",2\n', {1: [2]}),
    "other columns between": Right("x,item,y,user\n9,2,8,1\n", {1: [2]}),
    "duplicate unused columns": Right("user,item,x,x\n1,2,3,4\n", {1: [2]}),
    "negative ids": Right("user,item\n-5,-7\n-5,3\n", {-5: [-7, 3]}),
    "64-bit ids": Right(f"user,item\n{BIG},{-BIG}\n", {BIG: [-BIG]}),
    "ids beyond 64 bits": Right(f"user,item\n1,{2**70}\n", {1: [str(2**70)]}),
    "64-bit ids, Parquet": Right(lambda: parquet(user=[BIG, BIG], item=[BIG + 1, BIG]), {BIG: [BIG + 1, BIG]}),
    "ids with leading zeros": Right("user,item\n007,1\n7,2\n", {"007": [1], "7": [2]}),
    "emoji and spaces": Right("user,item\n😀 a,é\n", {"😀 a": ["é"]}),
    "seconds": Right(clocked(f"{SECOND}", f"{SECOND - 9}"), {1: [10, 20]}, [SECOND - 9, SECOND]),
    "milliseconds": Right(clocked(f"{SECOND}001", f"{SECOND}000"), {1: [10, 20]}, [SECOND, SECOND]),
    "nanoseconds": Right(clocked(f"{SECOND}000000001", f"{SECOND}000000000"), {1: [10, 20]}, [SECOND, SECOND]),
    "a time in the future": Right(clocked("7258118400", f"{SECOND}"), {1: [10, 20]}, [SECOND, 7_258_118_400]),
    "times before 1970": Right(clocked("5", "-5"), {1: [10, 20]}, [-5, 5]),
    "ISO dates": Right(clocked("2011-05-23T10:30:00Z", "2011-05-22T10:30:00Z"), {1: [10, 20]}, [BEFORE, SECOND]),
    "American dates": Right(clocked("5/23/2011 10:30", "5/22/2011 10:30"), {1: [10, 20]}, [BEFORE, SECOND]),
    "German dates": Right(clocked("23.05.2011 10:30", "22.05.2011 10:30"), {1: [10, 20]}, [BEFORE, SECOND]),
    "dates as numbers": Right(clocked("20110523", "20110522"), {1: [10, 20]}, [1_306_022_400, 1_306_108_800]),
    "a given timestamp format": Right(
        clocked("05/06/2011", "04/06/2011"),
        {1: [10, 20]},
        [1_307_145_600, 1_307_232_000],
        {"timestamp_format": "%d/%m/%Y"},
    ),
    "ten thousand columns": Right(many_columns(10_000), {7: [7]}),
    "one user, one item": Right("user,item\n1,1\n", {1: [1]}),
    "one user": Right("1 5\n1 4\n1 3\n", {1: [5, 4, 3]}, name="odd.txt"),
    "bad rows, to be skipped": Right(
        HEAD + "1,2,3,4\n1,2\n,9,3,4\n1,5,x,4\n1,6,3,5\n", {1: [2, 6]}, options={"skip_bad_rows": True}
    ),
    "gzip without its suffix": Right(gzip.compress((HEAD + ROWS).encode()), PLAIN),
    "Parquet without its suffix": Right(lambda: parquet(user=[1, 1], item=["b", "a"]), {1: ["b", "a"]}, name="odd"),
    "nulls in Parquet, to be skipped": Right(
        lambda: parquet(user=["a", None, "", "a"], item=[1, 2, 3, None]), {"a": [1]}, options={"skip_bad_rows": True}
    ),
    "integers as text in Parquet": Right(lambda: parquet(user=["7", "12"], item=["3", "03"]), {7: ["3"], 12: ["03"]}),
    "a rating beyond 53 bits in Parquet": Right(
        lambda: parquet(user=[1, 1], item=[1, 2], rating=pa.array([2**63 + 1, 2**64 - 1], pa.uint64())), {1: [1, 2]}
    ),
    "large text in Parquet": Right(
        lambda: parquet(user=pa.array(["b", "a"], pa.large_string()), item=[1, 2]), {"a": [2], "b": [1]}
    ),
    "categories in Parquet": Right(
        lambda: parquet(user=[1, 1], item=pa.DictionaryArray.from_arrays([2, 0], ["a", "unused", "b"])), {1: ["b", "a"]}
    ),
}

WRONG_OPTIONS: dict[str, tuple[list[str], str]] = {
    "no such dataset": (["--dataset_code", "ml-1"], "ml-1m"),
    "no path": (["--dataset_code", "file"], "dataset_path"),
    "negative min_uc": (["--min_uc", "-1"], "min_uc -1: should be int >= 0"),
    "min_sc as a word": (["--min_sc", "many"], "min_sc"),
    "fractional min_uc": (["--min_uc", "2.5"], "min_uc"),
    "no such filter_mode": (["--filter_mode", "twice"], "filter_mode"),
    "a misspelt option": (["--min_ucc", "5"], "min_uc"),
    "another dataset's option": (["--amazon_category", "Books"], "amazon_category"),
    "no such category": (["--dataset_code", "amazon-2023", "--amazon_category", "../../etc"], "amazon_category"),
    "no such version": (["--dataset_code", "steam", "--steam_version", "2"], "steam_version"),
    "separator of three": (["--dataset_code", "file", "--dataset_path", "x", "--separator", "abc"], "separator"),
    "a name with a slash": (["--dataset_code", "file", "--dataset_path", "x", "--dataset_name", "/y"], "dataset_name"),
    "a missing value": (["--min_uc"], "min_uc"),
    "zero users": (["--subsample_users", "0"], "subsample_users"),
    "until before since": (["--since", "2003-01-01", "--until", "2002-01-01"], "since must be earlier"),
    "since as a word": (["--since", "soon"], "since"),
}
