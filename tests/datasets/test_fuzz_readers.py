"""A few hundred random files; `fuzz_readers.py` reads as many as you like."""

from pathlib import Path

from fuzz_readers import fuzz


def test_no_file_is_misread_or_ends_in_a_traceback(tmp_path: Path) -> None:
    outcomes, faults = fuzz(200, seed=0, folder=tmp_path)
    assert not faults, "\n".join(faults)
    assert outcomes["right"] > 50 and outcomes["refused"] > 50
