"""Finding recorded runs, and errors for files that are not results."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from common.errors import UserError
from reports import collect, tidy_frame
from reports.collect import find_results, read_run
from reports.per_user import read_per_user
from trainers.run_folder import RunFolder


def test_each_run_is_found_once(tmp_path: Path, record: Any) -> None:
    first, second = record("a", name="group/a"), record("b", name="group/deeper/b")
    (first.parent / "status.json").write_text("{}", encoding="utf-8")
    half_written = tmp_path / "group" / ".b.tmp" / "results.json"
    half_written.parent.mkdir()
    half_written.write_text("{", encoding="utf-8")
    both = [first.resolve(), second.resolve()]
    assert find_results([str(first)]) == both[:1]
    assert find_results([str(first.parent)]) == both[:1]
    assert find_results([str(tmp_path)]) == both
    assert find_results([str(tmp_path / "**" / "results.json")]) == both
    assert find_results([str(tmp_path / "group" / "*")]) == both
    assert find_results([str(second), str(tmp_path), str(first)]) == both[::-1]


def test_recorded_results_have_per_user_values(tmp_path: Path, record: Any) -> None:
    run = record("a", per_user={"full/NDCG@10": [0.5, 0.25]})
    recorded = tmp_path / "results"
    recorded.mkdir()
    shutil.copy(run, recorded / "ml1m_a.json")
    shutil.copy(run.parent / "per_user.parquet", recorded / "ml1m_a.per_user.parquet")
    (found,) = collect([str(recorded)])
    values = read_per_user(found, ["full/NDCG@10", "popular/NDCG@10"])
    assert values is not None
    assert values.to_dict() == {"full/NDCG@10": {"0": 0.5, "1": 0.25}}


@pytest.mark.parametrize("pattern", ["nowhere", "nowhere/*.json", "empty"])
def test_a_path_without_runs_is_an_error(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"no recorded runs at .*{pattern.replace('*', '.')}"):
        find_results([str(tmp_path / pattern)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1, "lab', "not valid JSON"),
        ("\xff\xfe", "not valid JSON|not a results"),
        ("[1, 2]", "not a results file of a run"),
        ('{"name": "x"}', "not a results file of a run .*label: Field required"),
    ],
)
def test_damaged_and_foreign_files_are_errors(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=message) as caught:
        read_run(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"test": {"full": {"NDCG@10": float("nan")}}},
        {"test": {"full": {"../x": 0.1}}},
        {"test": {"../full": {"NDCG@10": 0.1}}},
        {"seed": "first"},
        {"seed": -1},
        {"split": "x/../../../ESCAPED"},
        {"split": ".."},
        {"model_code": "a\nb"},
        {"minutes": -1.0},
        {"device": "x" * 2000},
        {"data": {"name": "d", "hash": "../../x", "users": 1, "items": 1, "interactions": 1}},
    ],
)
def test_invalid_results_are_refused(record: Any, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="not a results file of a run"):
        read_run(record("a", **change))


def test_control_characters_of_a_record_are_replaced(record: Any) -> None:
    run = read_run(record("a\nb\x1b[31m\u202ec", name="r"))
    assert run.label == run.record.label == "a b\ufffd[31m\ufffdc"


def test_a_file_of_deep_brackets_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not valid JSON"):
        read_run(path)


def test_an_edited_results_file_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture, record: Any) -> None:
    folder = RunFolder(tmp_path)
    folder.write_results(json.loads(record("a").read_text()))
    folder.results.write_text(json.dumps(json.loads(folder.results.read_text())))  # other white space
    read_run(folder.results)
    assert not caplog.records
    content = folder.results.read_text()
    folder.results.write_text(content.replace('"seed": 0', '"seed": 1'))
    assert read_run(folder.results).record.seed == 1
    assert "was changed after its run had written it" in caplog.text


def test_unknown_keys_are_ignored(record: Any) -> None:
    assert read_run(record("a", invented_later=1)).record.label == "a"


def test_the_frame_has_every_value_once_with_details(record: Any) -> None:
    values = {"full": {"NDCG@10": 0.1}, "popular": {"NDCG@10": 0.4, "Recall@10": 0.6}}
    frame = tidy_frame(collect([str(record("a", values)), str(record("b", values, seed=3))]))
    assert len(frame) == 2 * 2 * 3
    chosen = frame[(frame.label == "b") & (frame.phase == "test") & (frame.candidates == "popular")]
    assert dict(zip(chosen.metric, chosen.value, strict=True)) == values["popular"]
    assert set(chosen.seed) == {3}
    facts = chosen.iloc[0]
    assert (facts.dataset, facts.split, facts.data_hash, facts.filter_seen) == ("ml-1m", "leave_one_out", "abc", True)
    assert (facts.minutes, facts.epochs, facts.parameters, facts.peak_memory_mib) == (1.5, 10, 1234567, 500.0)


def test_damaged_per_user_values_are_errors(record: Any) -> None:
    path = record("a")
    broken = path.with_name("per_user.parquet")
    broken.write_bytes(b"PAR1 but not really")
    with pytest.raises(UserError, match=r"can't read .*per_user\.parquet"):
        read_per_user(read_run(path), ["full/NDCG@10"])
    pd.DataFrame({"user": ["1", "1"], "full/NDCG@10": [0.0, 1.0]}).to_parquet(broken)
    with pytest.raises(UserError, match="unique users"):
        read_per_user(read_run(path), ["full/NDCG@10"])


def test_a_run_without_per_user_values_has_none(record: Any) -> None:
    path = record("a")
    assert json.loads(path.read_text(encoding="utf-8"))["label"] == "a"
    assert read_per_user(read_run(path), ["full/NDCG@10"]) is None
