"""The verdict on a table: who is best, by how much, how sure that is, and at what cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports import ReportOptions, report
from reports.numbers import minutes, percent, with_unit
from reports.verdict import verdict_of


def runs(record: Any, label: str, mean: float, seeds: int = 2, **options: Any) -> list[Path]:
    """Runs of a label whose users have values around a mean."""
    noise = np.random.default_rng(len(label)).normal(0, 0.01, 60)
    return [
        record(
            label,
            {"full": {"NDCG@10": mean + 0.001 * seed}},
            seed=seed,
            name=f"{label}{seed}",
            per_user={"full/NDCG@10": mean + noise},
            **options,
        )
        for seed in range(seeds)
    ]


def verdict(paths: list[Path], **options: Any) -> str:
    (table,) = report([str(path) for path in paths], ReportOptions(metrics=("NDCG@10",), **options)).tables
    return " ".join(verdict_of(table))


def test_a_row_that_is_best_for_sure(record: Any) -> None:
    text = verdict([*runs(record, "good", 0.4, minutes=60.0), *runs(record, "bad", 0.2, minutes=0.1)])
    assert f"Best NDCG@10 in the full ranking: good, .4005; next: bad, .2005, {percent(-0.4994)}." in text
    assert "Every other row is significantly different (paired t-test over 60 users, p" in text
    assert "Training time: 60.0 minutes for good; no faster row is within 5 % of it." in text


def test_a_row_with_one_seed_is_never_called_best(record: Any) -> None:
    paths = [*runs(record, "good", 0.4, seeds=1), *runs(record, "bad", 0.2)]
    text = verdict(paths)
    assert text.startswith("Highest NDCG@10 in the full ranking: good")
    assert "one seed of good, so the order may change with another seed" in text
    shown = report(list(map(str, paths)), ReportOptions()).terminal().lower()
    assert "best" not in shown.replace("the best value of its column", "")  # a value, not the row


def test_a_model_without_randomness_needs_one_seed(record: Any) -> None:
    text = verdict([*runs(record, "good", 0.4, seeds=1, depends_on_seed=False), *runs(record, "bad", 0.2)])
    assert text.startswith("Best NDCG@10 in the full ranking: good") and "one seed" not in text


def test_close_rows_are_named(record: Any) -> None:
    text = verdict([*runs(record, "a", 0.4, minutes=90.0), *runs(record, "bb", 0.3999, minutes=1.0)])
    assert text.startswith("Highest NDCG@10 in the full ranking: a")
    assert "Not significantly different from a: bb" in text
    assert "Training time: 90.0 minutes for a; 1.0 minute for bb, 0.0 % worse." in text


def test_runs_cut_short_are_not_best(record: Any) -> None:
    text = verdict([*runs(record, "good", 0.4, stopped_by="interrupted"), *runs(record, "bad", 0.2)])
    assert text.startswith("Highest") and "training of good was cut short" in text


def test_the_verdict_with_a_baseline(record: Any) -> None:
    text = verdict([*runs(record, "good", 0.4), *runs(record, "bad", 0.2)], baseline="bad")
    assert "The difference between good and bad is significant (p" in text


def test_ties_and_lonely_rows(record: Any) -> None:
    assert verdict(runs(record, "alone", 0.4)) == ""
    assert verdict([*runs(record, "x", 0.4), *runs(record, "y", 0.4)]).startswith(
        "Equal NDCG@10 in the full ranking: x and y (.4005)"
    )


def test_rating_errors_are_best_when_low(record: Any) -> None:
    paths = [
        str(record(label, {"ratings": {"RMSE": value}}, minutes=1 + value))
        for label, value in (("a", 1.0), ("b", 0.97))
    ]
    (table,) = report(paths, ReportOptions()).tables
    text = " ".join(verdict_of(table))
    assert text.startswith("Lowest RMSE: b, .9700; next: a, 1.0000, +3.1 %.")
    assert "no faster row" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "1 second"), (0.1, "6 seconds"), (1.0, "1.0 minute"), (90.25, "90.2 minutes"), (180, "3.0 hours")],
)
def test_durations_have_a_fitting_unit(value: float, text: str) -> None:
    assert minutes(value) == text


def test_one_is_singular() -> None:
    assert with_unit("cpu, 1 threads then cpu, 11 threads") == "cpu, 1 thread then cpu, 11 threads"
