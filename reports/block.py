"""Tables in a block of a Markdown file, between two comments that stay where they are."""

import difflib
import re
from pathlib import Path

from common.errors import UserError
from common.files import write_text


def with_block(path: Path, name: str | None, tables: str) -> tuple[str, str]:
    """The file's text as it is, and as it is with `tables` in its block.

    Raises UserError if the file can't be read or hasn't exactly one such block.
    """
    try:
        before = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}; markdown_block is a Markdown file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text: {error}") from error
    marker = "results" if name is None else f"results:{name}"
    start, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    found = list(re.finditer(f"{re.escape(start)}\n.*?{re.escape(end)}", before, flags=re.DOTALL))
    if len(found) != 1 or before.count(start) != 1 or before.count(end) != 1:
        raise UserError(
            f"{path} has no block for the tables, or several: it needs {start} on a line and {end} below, once each"
        )
    block = found[0]
    return before, f"{before[: block.start()]}{start}\n{tables.strip()}\n{end}{before[block.end() :]}"


def update_block(path: Path, name: str | None, tables: str) -> bool:
    """Replace the block; True if the file changed. Raises UserError as `with_block` does."""
    before, after = with_block(path, name, tables)
    if before == after:
        return False
    write_text(path, after)
    return True


def block_difference(path: Path, name: str | None, tables: str) -> str:
    """What `update_block` would change, as a diff; "" if nothing. Raises UserError as `with_block` does."""
    before, after = with_block(path, name, tables)
    return "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{path} as it is", f"{path} with its tables", n=0, lineterm=""
        )
    )
