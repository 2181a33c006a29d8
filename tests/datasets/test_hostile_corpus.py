"""The corpus through `main`: the right data, or one error, a non-zero exit code and no partial files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import flags
from hostile_corpus import REFUSED, RIGHT, WRONG_OPTIONS, Refused, Right
from plain_forms import histories

import datasets
import main
from datasets.base import DatasetOptions
from runs.api import resolve_words

STATS = ["--mode", "stats"]
Capture = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("loggers_as_before")


def listing(folder: Path) -> list[str]:
    """All files and folders except cached hashes of raw files."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(name for name in found if not re.fullmatch(r"Data|Data/prepared|Data/prepared/hashes.*", name))


def write(folder: Path, name: str, content: str | bytes | Callable[[], bytes]) -> Path:
    """Write the file of a case."""
    made = content() if callable(content) else content
    path = folder / name
    path.write_bytes(made.encode() if isinstance(made, str) else made)
    return path


def arguments(folder: Path, path: Path, given: dict[str, Any]) -> list[str]:
    """The command line of a case."""
    usual = {"min_uc": 0, "min_sc": 0, "min_rating": None, "local_data_folder": folder / "Data"}
    return [*STATS, *flags(dataset_code="file", dataset_path=path, **{**usual, **given})]


def check_error(code: int, shown: Any, reason: str) -> None:
    """There is one error with the reason, and no traceback."""
    assert code in (1, 2)
    assert shown.out == ""
    assert shown.err.count("error:") == 1
    assert "Traceback" not in shown.err
    assert re.search(reason, shown.err), shown.err


def test_the_corpus_is_large() -> None:
    assert len(REFUSED) + len(WRONG_OPTIONS) >= 60
    assert len(RIGHT) >= 30


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_hostile_files_are_rejected(tmp_path: Path, capsys: Capture, case: Refused) -> None:
    path = write(tmp_path, case.name, case.content)
    before = listing(tmp_path)
    code = main.run(arguments(tmp_path, path, case.options))
    shown = capsys.readouterr()
    check_error(code, shown, case.reason)
    assert "hostile" in shown.err or path.name in shown.err
    assert listing(tmp_path) == before


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT.keys())
def test_odd_but_valid_files_are_read(tmp_path: Path, case: Right) -> None:
    path = write(tmp_path, case.name, case.content)
    given = arguments(tmp_path, path, case.options)
    for _ in range(2):  # read, then found prepared
        resolved = resolve_words(given)
        data = datasets.load(str(resolved.values["dataset_code"]), resolved.section("dataset", DatasetOptions))
        assert histories(data) == case.histories
        assert data.timestamps is None or case.times is None or data.timestamps.tolist() == case.times
    prepared = [entry for entry in (tmp_path / "Data" / "prepared").iterdir() if entry.name != "hashes"]
    assert len(prepared) == 1
    assert not prepared[0].name.startswith(".")


def test_statistics_of_valid_data_are_shown(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path, "odd.csv", RIGHT["quoted separators"].content)
    assert main.run(arguments(tmp_path, path, {})) == 0
    assert "odd" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "reason"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS.keys())
def test_wrong_options_have_no_effects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, given: list[str], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main.run([*STATS, *given])
    check_error(code, capsys.readouterr(), reason)
    assert code == 2
    assert listing(tmp_path) == []


def test_datasets_are_listed(tmp_path: Path, capsys: Capture) -> None:
    raw = tmp_path / "ml-1m" / "ratings.dat"
    raw.parent.mkdir()
    raw.write_bytes(bytes(1_234_567))
    assert main.run(["--mode", "datasets", "--local_data_folder", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in ("ml-1m", "yoochoose", "ratings.dat", "1.2 MB", "CC BY 4.0", "Maxwell Harper", "Kaggle", "licence"):
        assert part in shown
    assert listing(tmp_path) == ["ml-1m", "ml-1m/ratings.dat"]
