"""The column that says which part of a split a row belongs to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datasets.readers.table import InvalidRows, RawTable

PARTS = {  # the words for each part, in lower case
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("valid", "validation", "val", "dev"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}


def read_parts(table: RawTable, invalid: InvalidRows) -> npt.NDArray[np.int8]:
    """int8 [rows]: 0 training, 1 validation, 2 test; rows with another word are invalid."""
    column = table.columns["part"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    words = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.large_string()), "")))
    found = pc.fill_null(pc.index_in(words, pa.array(list(PARTS), pa.large_string())), -1).to_numpy()
    known = np.asarray(found >= 0)
    invalid.add(~known, lambda row: f"the part {words[row].as_py()[:40]!r} (split_column) is not train, valid or test")
    parts: npt.NDArray[np.int8] = np.array([*PARTS.values(), 0], dtype=np.int8)[found]
    return parts
