"""What commands print: few metrics, the box of a run, and how it ended."""

from pathlib import Path
from typing import Any

import pytest

from common.plurals import counted
from runs.announce import ending
from runs.screen import show_metrics

NAMES = ("Recall", "HR", "Precision", "NDCG", "MRR", "MAP")


def results(best_metric: str, **other: float) -> dict[str, Any]:
    full = {f"{name}@{k}": k / 100 for k in (1, 5, 10, 20, 50) for name in NAMES} | {"MRR": 0.3} | other
    metrics = {"full": full, "popular": {name: value / 2 for name, value in full.items()}}
    return {"test": metrics, "options": {"best_metric": best_metric}, "protocol": {"in_words": "leave_one_out"}}


def test_ten_rows_of_metrics_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_metrics(results("Precision@50"), "test", "ESAPR on films, test", Path("runs/x/results.json"))
    out = capsys.readouterr().out
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("│")]
    assert len(rows) == 10 and {"NDCG@10", "Recall@10", "MRR", "Precision@50"} <= set(rows)
    assert not {name for name in rows if name.startswith(("HR", "MAP"))}
    assert "HR = Recall and MAP = MRR, as each user has one target" in out
    assert "all 31 metrics: runs/x/results.json" in out and "leave_one_out" in out


def test_metrics_that_differ_are_not_called_equal(capsys: pytest.CaptureFixture[str]) -> None:
    show_metrics(results("HR@10", **{"HR@10": 0.9}), "test", "title")
    out = capsys.readouterr().out
    assert "HR = Recall" not in out and "MAP = MRR" in out and "HR@10" in out


@pytest.mark.parametrize(
    ("stopped_by", "epochs", "expected"),
    [
        ("fitted", 1, "EASE: fitted in 0.2 minutes; test: full NDCG@10 0.1000"),
        ("saturation", 1, "EASE: early stopping after 1 epoch and 0.2 minutes; test of epoch 1: full NDCG@10 0.1000"),
        ("num_epochs", 25, "EASE: num_epochs reached after 25 epochs and 0.2 minutes; test of epoch 1: full"),
    ],
)
def test_the_last_line_says_how_the_training_ended(stopped_by: str, epochs: int, expected: str) -> None:
    written: dict[str, Any] = {"label": "EASE", "minutes": 0.2, "epochs": epochs, "best_epoch": 1}
    written |= {"stopped_by": stopped_by, "test": {"full": {"NDCG@10": 0.1}}, "options": {"best_metric": "NDCG@10"}}
    assert ending(written).startswith(expected)


def test_counts_have_the_right_number() -> None:
    assert [counted(n, "user") for n in (0, 1, 2000)] == ["0 users", "1 user", "2,000 users"]
    assert counted(2, "copy", "copies") == "2 copies"
