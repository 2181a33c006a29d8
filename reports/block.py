"""Updates the tables between two comments of a Markdown file."""

import difflib
import re
from pathlib import Path

from common.errors import UserError
from common.files import write_text


def with_block(path: Path, name: str | None, tables: str) -> tuple[str, str]:
    """Return the text of the file now, and with `tables` in its block.

    Raises UserError if the file can't be read or doesn't have exactly one such block.
    """
    try:
        before = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}; markdown_block must name a Markdown file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error
    marker = "results" if name is None else f"results:{name}"
    start, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    found = list(re.finditer(f"{re.escape(start)}\n.*?{re.escape(end)}", before, flags=re.DOTALL))
    if len(found) != 1 or before.count(start) != 1 or before.count(end) != 1:
        raise UserError(
            f"{path} must have exactly one block for the tables: {start} on one line and {end} on a later one"
        )
    block = found[0]
    return before, f"{before[: block.start()]}{start}\n{tables.strip()}\n{end}{before[block.end() :]}"


def update_block(path: Path, name: str | None, tables: str) -> bool:
    """Replace the block and return whether the file changed. Raises UserError as `with_block` does."""
    before, after = with_block(path, name, tables)
    if before == after:
        return False
    write_text(path, after)
    return True


def block_difference(path: Path, name: str | None, tables: str) -> str:
    """Return what `update_block` would change as a diff, "" if nothing. Raises UserError as `with_block` does."""
    before, after = with_block(path, name, tables)
    return "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (updated)", n=0, lineterm=""
        )
    )
