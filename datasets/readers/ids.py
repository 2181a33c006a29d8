"""Convert raw columns to ids: integers where all are, otherwise categories of text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.readers.numbers import parse_numbers
from datasets.readers.table import InvalidRows, RawTable

log = logging.getLogger(__name__)

LONGEST_ID = 256
MISSING = ("", "NULL", "NaN", "nan", "\\N", "<NA>")  # texts that stand for a missing id
DIGIT_STEPS = np.array([10**power for power in range(1, 19)], dtype=np.int64)
# A list that Python, JSON or NumPy has written into one cell: [3, 4], ['a'], (3, 4), [3 4]
ELEMENT = r"""(-?[\d.]+|'[^']*'|"[^"]*")"""
LIST = rf"^(\[\s*{ELEMENT}([\s,]+{ELEMENT})*[\s,]*\]|[({{]\s*{ELEMENT}(\s*,\s*{ELEMENT})+[\s,]*[)}}])$"
NUMBERS = r"^\d+([ ,;|]+\d+)+$"


@dataclass(frozen=True)
class IdRules:
    """How ids of text are read.

    Attributes
    ----------
    missing : texts that stand for a missing id
    foreign : whether they are from a file of unknown origin: then blanks around ids are removed, and lists refused
    """

    missing: Collection[str] = MISSING
    foreign: bool = False


PUBLISHED = IdRules()


def _is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def text_of(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray | None:
    """The column as text without nulls, if it is text, bytes or decimal numbers, else None.

    Raises UserError if bytes are not text; `name` is the column's name there.
    """
    kind = column.type
    if pa.types.is_decimal(kind):
        column = pc.replace_substring_regex(column.cast(pa.string()), r"\.0*$", "")
    elif "binary" in str(kind) or pa.types.is_string_view(kind):
        try:
            column = column.cast(pa.string())
        except pa.ArrowInvalid as error:
            advice = "convert them first, e.g. with frame[name].map(bytes.hex)"
            raise UserError(f"{name} has bytes that are not UTF-8 text: {advice}") from error
    if _is_text(column.type):
        return pc.fill_null(column, "") if column.null_count else column
    return None


def read_ids(
    table: RawTable, role: str, invalid: InvalidRows, rules: IdRules
) -> npt.NDArray[np.int64] | pd.Categorical:
    """int64 [rows] if all ids are plain integers, otherwise categories of text."""
    column = table.columns[role]
    if pa.types.is_dictionary(column.type):
        if _is_text(column.type.value_type):
            return _from_categories(table, *_codes_of(column), role, invalid, rules)
        column = column.cast(column.type.value_type)
    text = text_of(column, f"{table.path}: the {role} column")
    if text is None:
        return _typed_ids(table, role, column, invalid)
    integers = plain_integers(text)
    if integers is not None:
        return integers
    return _from_categories(table, *_codes_of(pc.dictionary_encode(text)), role, invalid, rules)


def _codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """int32 [rows] codes, and the distinct texts that occur; a missing text becomes the empty one."""
    unified = column.unify_dictionaries()
    words = unified.chunk(0).dictionary if unified.num_chunks else pa.array([], type=column.type.value_type)
    if words.null_count:
        plain = column.cast(column.type.value_type)
        return _codes_of(pc.dictionary_encode(pc.fill_null(plain, "")))
    empty = pc.index(words, "").as_py()
    if empty < 0:
        empty = len(words)
        words = pa.concat_arrays([words, pa.array([""], type=words.type)])
    codes = np.empty(len(unified), dtype=np.int32)
    start = 0
    for chunk in unified.chunks:
        codes[start : start + len(chunk)] = pc.fill_null(chunk.indices, empty).to_numpy()
        start += len(chunk)
    occurs = np.bincount(codes, minlength=len(words)) > 0
    if occurs.all():
        return codes, words
    dense = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return dense[codes], words.filter(pa.array(occurs))


def _from_categories(
    table: RawTable, codes: npt.NDArray[np.int32], words: pa.Array, role: str, invalid: InvalidRows, rules: IdRules
) -> npt.NDArray[np.int64] | pd.Categorical:
    """int64 [rows] if all words are plain integers, otherwise categories; rows of words that aren't ids are invalid."""
    if rules.foreign:
        trimmed = pc.utf8_trim_whitespace(words).dictionary_encode()  # several words may become one
        codes, words = trimmed.indices.to_numpy()[codes].astype(np.int32), trimmed.dictionary
        _refuse_lists(table, words, role)
    integers = plain_integers(pa.chunked_array([words]))
    if integers is not None:
        return integers[codes]

    def mark(is_bad: pa.Array, reason: Callable[[str], str], is_absent: bool = False) -> None:
        bad = np.asarray(is_bad.to_numpy(zero_copy_only=False), dtype=bool)
        if bad.any():
            invalid.add(bad[codes], lambda row: reason(words[int(codes[row])].as_py()), is_absent=is_absent)

    mark(pc.is_in(words, pa.array(list(rules.missing), words.type)), lambda _: f"there is no {role} id", True)
    long = pc.greater(pc.utf8_length(words), LONGEST_ID)
    mark(long, lambda _: f"the {role} id has more than {LONGEST_ID} characters")
    odd = pc.match_substring_regex(words, r"[\x00-\x1f\x7f]")
    mark(odd, lambda word: f"the {role} id {word[:40]!r} has control characters")
    return pd.Categorical.from_codes(codes, categories=words.to_pandas())


def _refuse_lists(table: RawTable, words: pa.Array, role: str) -> None:
    """Raise UserError if a word is a list of ids; warn if most of them may be."""
    lists = words.filter(pc.match_substring_regex(words, LIST))
    if len(lists):
        raise UserError(
            f"{table.path}: the {role} {lists[0].as_py()[:60]!r} is a list, and a row must be one interaction. Write a "
            f"row for each element, e.g. with pandas: frame.assign({role}=frame[{role!r}].map(ast.literal_eval))"
            f".explode({role!r})"
        )
    several = words.filter(pc.match_substring_regex(words, NUMBERS))
    if len(several) * 2 > len(words):
        log.warning(
            "%s: most %ss are several numbers, such as %r; if they are lists, write a row for each element",
            table.path,
            role,
            several[0].as_py()[:60],
        )


def plain_integers(text: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
    """int64 [rows] if every text is a plain integer: 7, but not 007, +7 or 7.0, which may be different ids."""
    try:
        values = np.asarray(text.cast(pa.int64()).to_numpy(), dtype=np.int64)
    except pa.ArrowInvalid:
        return None
    if len(values) and values.min() == np.iinfo(np.int64).min:  # which has no absolute value
        return None
    digits = int(np.searchsorted(DIGIT_STEPS, np.abs(values), side="right").sum()) + len(values)
    written = pc.sum(pc.binary_length(text)).as_py() or 0
    return values if written == digits + int((values < 0).sum()) else None


def _typed_ids(table: RawTable, role: str, column: pa.ChunkedArray, invalid: InvalidRows) -> npt.NDArray[np.int64]:
    """Ids from a typed column (Parquet)."""
    if pa.types.is_signed_integer(column.type) and column.null_count == 0 and column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy(), dtype=np.int64)  # nothing to copy
    missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
    invalid.add(missing, lambda row: f"there is no {role} id", is_absent=True)
    if pa.types.is_integer(column.type):
        try:
            return np.asarray(pc.fill_null(column, 0).cast(pa.int64()).to_numpy(), dtype=np.int64)
        except pa.ArrowInvalid as error:
            raise UserError(f"{table.path}: {role} ids don't fit in signed 64-bit integers: {error}") from error
    if not pa.types.is_floating(column.type):
        raise UserError(f"{table.path}: the {role} column has type {column.type}; expected integers or text")
    values = np.asarray(pc.fill_null(column, 0).to_numpy(), dtype=np.float64)
    empty = np.isnan(values) & ~missing
    invalid.add(empty, lambda row: f"there is no {role} id", is_absent=True)
    with np.errstate(invalid="ignore"):
        broken = ~empty & ((np.floor(values) != values) | (np.abs(values) >= 2.0**53))
    invalid.add(broken, lambda row: f"the {role} id {column[row].as_py()!r} is not a whole number")
    return np.where(empty | broken, 0, values).astype(np.int64)


def read_integer_ids(table: RawTable, role: str, invalid: InvalidRows) -> npt.NDArray[np.int64]:
    """Ids that must be integers."""
    column = table.columns[role]
    text = text_of(column, f"{table.path}: the {role} column")
    if text is None:
        return _typed_ids(table, role, column, invalid)
    values, ok = parse_numbers(text)
    if values.dtype.kind == "f":
        ok = ok & (np.floor(values) == values) & (np.abs(values) < 2.0**53)
        values = np.where(ok, values, 0)
    invalid.add(~ok, lambda row: f"the {role} id {text[row].as_py()[:40]!r} is not an integer")
    return values.astype(np.int64)
