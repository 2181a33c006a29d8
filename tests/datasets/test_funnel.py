"""The funnel: what each step of reading and preparing left, in the data, the log, the statistics and the results."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from helpers import flags
from hypothesis import given
from hypothesis import strategies as st

import datasets
import main
from common.errors import UserError
from datasets.funnel import Step, as_records, from_records
from datasets.prepare import Rules, encode_rows, prepare
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
ROWS = "user,item,rating,time\nann,1,3,100\nann,2,3,101\nbob,1,1,100\nbob,3,5,200\nbob,x\n,3,5,200\n"
OPTIONS = {"skip_bad_rows": True, "min_rating": 2, "min_uc": 2, "since": 50, "until": 150}
STEPS = (
    Step("rows of the file", 6),
    Step("drop rows with another number of fields", 5),
    Step("drop rows with values that can't be read", 4, 2, 3),
    Step("drop rows rated below 2 (min_rating)", 3, 2, 3),
    Step("drop rows at or after 1970-01-01T00:02:30+00:00 (until)", 2, 1, 2),
)


def test_each_step_that_drops_rows(load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="datasets")  # runs announce it; other commands show it with --verbose
    for source in (ROWS, tmp_path / "mine.csv"):  # prepared, then found prepared
        caplog.clear()
        assert load_file(source, **OPTIONS).funnel == STEPS
        assert "rows of the file: 6 rows -> drop rows with another number of fields: 5 rows -> " in caplog.text
        assert "(until): 2 rows, 1 users, 2 items" in caplog.text


def test_the_steps_of_several_files_are_added_up(load_file: LoadFile, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, content in enumerate((ROWS, "user,item,rating,time\nann,1,3,100\n")):
        (folder / f"{number}.csv").write_text(content)
    steps = load_file(folder, skip_bad_rows=True).funnel
    assert [(step.step, step.rows) for step in steps[:3]] == [
        ("rows of 2 files", 7),
        (STEPS[1].step, 6),
        (STEPS[2].step, 5),
    ]


def test_users_who_vanish(load_file: LoadFile) -> None:
    rows = "".join(f"{user} {item}\n" for user in range(10) for item in range(1 if user < 4 else 5))
    (whole, left) = load_file(rows, min_uc=5).funnel
    assert (whole.rows, whole.users, whole.items) == (34, 10, 5)
    assert left == Step("drop users and items with few rows (min_uc 5, min_sc 0)", 30, 6, 5)


@pytest.mark.usefixtures("loggers_as_before")
def test_statistics_show_the_funnel(load_file: LoadFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / "mine.csv", tmp_path / "stats.json"
    path.write_text(ROWS)
    assert datasets.statistics(load_file(path, **OPTIONS))["funnel"] == as_records(STEPS)
    given = flags(dataset_code="file", dataset_path=path, local_data_folder=tmp_path, min_sc=0, **OPTIONS)
    assert main.run(["--mode", "stats", *given, "--stats_json", str(target)]) == 0
    assert "rated below 2" in capsys.readouterr().out
    assert from_records(json.loads(target.read_text())["datasets"][0]["funnel"]) == STEPS


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["keep", "first", "sum"]),
    st.sampled_from([None, 1, 3]),
)
def test_the_last_step_is_the_data(
    rows: list[tuple[int, int, int]], min_uc: int, min_sc: int, repeats: str, sample: int | None
) -> None:
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    rules = Rules(min_rating=1, min_uc=min_uc, min_sc=min_sc, repeats=repeats, subsample_users=sample, max_items=sample)  # type: ignore[arg-type]
    try:
        data = prepare(encode_rows(frame), rules, name="x")
    except UserError:
        return
    last = data.funnel[-1]
    assert (last.rows, last.users, last.items) == (data.num_interactions, data.num_users, data.num_items)
    assert data.funnel[0].rows == len(rows)
    counts = [step.rows for step in data.funnel]
    assert counts == sorted(set(counts), reverse=True)
