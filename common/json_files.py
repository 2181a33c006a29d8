"""Read JSON with a schema. A damaged file is an error that names it, whatever is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from common.errors import UserError

T = TypeVar("T")
MAX_PROBLEMS = 3  # in a message


def read_json(path: Path, schema: type[T], advice: str) -> T:
    """Read a JSON file.

    Parameters
    ----------
    path : the file
    schema : a pydantic model, a dataclass, or a type like `dict[str, Any]`; types are strict: "1" is not a number
    advice : what the user can do if the file is damaged; the end of the message

    Raises
    ------
    UserError
        The file can't be read, is not JSON (nested at most 200 deep), or doesn't fit the schema.
    """
    try:
        return parse_json(path.read_bytes(), schema)
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): {advice}") from error


def parse_json(text: str | bytes, schema: type[T]) -> T:
    """Read JSON from a text.

    Raises
    ------
    ValueError
        It is not JSON or doesn't fit the schema; the message says where, on one line.
    """
    try:
        found: T = TypeAdapter(schema).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(what_is_wrong(error)) from error
    return found


def what_is_wrong(error: ValidationError) -> str:
    """The first problems that a schema has with its input, on one line."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in problems[:MAX_PROBLEMS]]
    more = len(problems) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more else "")
