"""Parse columns of numbers from text; anything that isn't a number is masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

INTEGER = r"^[+-]?\d{1,18}$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


def parse_numbers(text: pa.ChunkedArray) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """Parse numbers.

    Parameters
    ----------
    text : strings without nulls

    Returns
    -------
    values : int64 or float64 [rows]
    ok : bool [rows], where the text is a finite number
    """
    for kind in (pa.int64(), pa.float64()):
        try:
            values = text.cast(kind).to_numpy()
        except pa.ArrowInvalid:
            continue
        if kind == pa.int64() and _has_hexadecimal(text):
            break
        return values, np.isfinite(values)
    trimmed = pc.ascii_trim_whitespace(text)
    numeric = pc.match_substring_regex(trimmed, NUMBER)
    integral = pc.match_substring_regex(trimmed, INTEGER)
    kind = pa.int64() if integral.equals(numeric) else pa.float64()
    unsigned = pc.replace_substring_regex(trimmed, r"^\+", "")  # Arrow doesn't parse a plus sign
    values = pc.fill_null(pc.if_else(numeric, unsigned, None).cast(kind), 0).to_numpy()
    ok = np.asarray(numeric.to_numpy(), dtype=bool)
    return values, ok & np.isfinite(values)


def _has_hexadecimal(text: pa.ChunkedArray) -> bool:
    """Whether some text has an x: Arrow casts 0x1F to 31, which no table of interactions means."""
    return any(bool(pc.any(pc.match_substring(text, sign)).as_py()) for sign in ("x", "X"))
