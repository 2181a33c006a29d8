"""A path is accepted wherever a dataset is, and ids that are written can be given back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.base import DatasetOptions
from datasets.file_options import FileOptions
from runs.api import resolve_words
from runs.histories import _read_file
from runs.id_files import listed_users

EVENTS = "user,item,event_type\n1,10,view\n1,11,purchase\n"


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sales.csv"
    path.write_text(EVENTS)
    return path


@pytest.mark.parametrize("name", ["sales.csv", "./sales.csv"])
def test_a_path_in_place_of_a_code(sales: Path, name: str) -> None:
    resolved = resolve_words(["--mode", "stats", "--dataset_code", name, "--min_uc", "2", "--events", "view"])
    assert resolved.values["dataset_code"] == "file"
    options = resolved.section("dataset", FileOptions)
    assert (options.dataset_path.name, options.min_uc, options.events) == ("sales.csv", 2, ("view",))


@pytest.mark.parametrize("flag", ["--datasets", "--dataset_code"])
def test_comparisons_take_paths(sales: Path, flag: str) -> None:
    resolved = resolve_words(["--mode", "compare", "--runs", "train_pop", flag, "sales.csv", "--min_uc", "0"])
    (run,) = resolved.runs
    assert run.values["dataset_code"] == "file"
    assert str(run.section("dataset", DatasetOptions).dataset_path) == "sales.csv"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["parts", "parts/*.csv"])
def test_comparisons_take_folders_and_patterns(sales: Path, name: str) -> None:
    (sales.parent / "parts").mkdir()
    sales.rename(sales.parent / "parts" / "sales.csv")
    (run,) = resolve_words(["--mode", "compare", "--runs", "train_pop", "--datasets", name, "--min_uc", "0"]).runs
    assert (run.values["dataset_code"], str(run.values["dataset_path"])) == ("file", name)


def test_comparisons_take_codes_and_paths_together(sales: Path) -> None:
    words = ["--mode", "compare", "--runs", "train_pop", "--datasets", "synthetic", "sales.csv"]
    assert [run.values["dataset_code"] for run in resolve_words(words).runs] == ["synthetic", "file"]


@pytest.mark.parametrize("name", ["ids.txt", "ids.csv", "ids.parquet"])
def test_every_id_can_be_given_back(tmp_path: Path, name: str) -> None:
    """Also ids with blanks around them, as published data may have, and with unusual line ends within."""

    known = np.array(sorted([" ann", "ann", "bob ", "a\u2028b", "eve"]))
    path = tmp_path / name
    frame = pd.DataFrame({"user": known})
    if name == "ids.parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, header=name.endswith("csv"))
    assert listed_users(path, known, "x").tolist() == list(range(len(known)))
    path = tmp_path / "loose.txt"
    path.write_text("  eve\r\neve \n")
    assert listed_users(path, known, "x").tolist() == [known.tolist().index("eve")]


def test_histories_keep_the_events_of_the_run(sales: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = FileOptions(dataset_path=sales, events=("purchase",))
    assert _read_file(sales, "auto", own).frame["item"].tolist() == [11]
    plain = sales.with_name("plain.csv")
    plain.write_text("user,item\n1,10\n1,12\n")
    assert _read_file(plain, "auto", own).frame["item"].tolist() == [10, 12]
    assert "all rows are used, unlike in the run's own file" in caplog.text
