"""A damaged JSON file is named; nothing that is in it ends in a traceback."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.json_files import read_json

DAMAGED = [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a":' * 5000, b"9" * 5000, b"null", b'"\\ud800"', b"\x00"]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: repr(content[:6]))
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "status.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"status\.json is damaged \(.*\): remove it") as raised:
        read_json(file, dict[str, Any], "remove it")
    assert len(str(raised.value)) < 500 + len(str(file)) and "\n" not in str(raised.value)


def test_values_of_another_type_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"a": 1, "b": "2"}')
    with pytest.raises(UserError, match="b: Input should be a valid integer"):
        read_json(file, dict[str, int], "remove it")
    file.write_text('{"a": 1}')
    assert read_json(file, dict[str, int], "remove it") == {"a": 1}
    with pytest.raises(UserError, match="can't read"):
        read_json(tmp_path, dict[str, int], "remove it")
