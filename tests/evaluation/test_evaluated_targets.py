"""Targets that the user has had before: ranked, missed or left out; and users who have had everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import random_histories, sequence_data
from pydantic import ValidationError
from test_evaluator import CPU, ITEMS, USERS, UserTable, evaluator, history, small_data

from common.errors import UserError
from dataloaders import DATALOADERS
from datasets import SPLITS, SequenceData
from evaluation.evaluated_targets import count_as_missed, is_seen, leave_out
from evaluation.evaluator import Evaluator
from evaluation.options import EvaluationOptions


def ratio(data: SequenceData, **options: Any) -> Evaluator:
    """An evaluator with several targets a user, some of them seen before."""
    split = SPLITS["ratio"]().make(data, SPLITS["ratio"].Options(test_share=0.3))
    given = {"filter_seen": True, "metric_ks": (3,), "best_metric": "MRR", "test_negative_sampler_code": ()}
    loader = DATALOADERS["plain"](DATALOADERS["plain"].Options(), split)
    return Evaluator(loader, EvaluationOptions.model_validate({**given, **options}))


def targets_of(measured: Evaluator) -> list[tuple[list[int], list[int]]]:
    """The input and the targets of each test user."""
    heldout, items = measured.loader.split.test, measured.loader.data.items
    return [
        (items[start:end].tolist(), items[heldout.targets[first:last]].tolist())
        for start, end, first, last in zip(
            heldout.input_start,
            heldout.input_end,
            heldout.target_offsets[:-1],
            heldout.target_offsets[1:],
            strict=True,
        )
    ]


def hits(measured: Evaluator, model: UserTable, skip: bool) -> list[float]:
    """HR@3 of each evaluated user by its own list of unseen items."""
    found = []
    for row, (seen, targets) in enumerate(targets_of(measured)):
        wanted = set(targets) - set(seen)
        scores = model.table[row].tolist()
        unseen = [item for item in range(1, ITEMS + 1) if item not in seen]
        best = sorted(unseen, key=lambda item: scores[item], reverse=True)[:3]
        if wanted or not skip:
            found.append(float(bool(wanted & set(best))))
    return found


@pytest.mark.parametrize("seen_targets", ["miss", "skip"])
def test_the_metrics_are_those_of_the_lists(seen_targets: str) -> None:
    data = sequence_data(random_histories(5, USERS, ITEMS, 30, repeats=True), num_items=ITEMS, repeat_consumption=True)
    model = UserTable(levels=10_000)  # no ties
    measured = ratio(data, seen_targets=seen_targets)
    got = measured.evaluate(model, CPU, "test", detailed=True)
    expected = hits(measured, model, seen_targets == "skip")
    assert got.per_user["full/HR@3"].tolist() == expected
    assert got.value("full", "HR@3") == pytest.approx(np.mean(expected))
    assert len(measured.user_attributes("test")["history_length"]) == len(expected)
    if seen_targets == "miss":
        assert ratio(data).evaluate(model, CPU, "test").value("full", "HR@3") > got.value("full", "HR@3")


def test_missed_targets_count_in_recall() -> None:
    """Two distinct seen items, one of them twice, and an unseen one that is found."""
    data = sequence_data([[1, 2, 3, 4, 1, 2, 1, 5]], num_items=6)
    split = SPLITS["ratio"]().make(data, SPLITS["ratio"].Options(validation_share=0.1, test_share=0.5))
    seen = is_seen(data.items, split.test)
    assert seen.tolist() == [True, True, False]
    missed = count_as_missed(data.items, split.test, seen)
    assert missed.missed is not None and missed.missed.tolist() == [2] and missed.seen_share == pytest.approx(2 / 3)
    assert data.items[missed.heldout.targets].tolist() == [5]
    model = UserTable(1, 6)
    with torch.no_grad():
        model.table[0] = torch.tensor([0.0, 1, 1, 1, 1, 9, 2])
    loader = DATALOADERS["plain"](DATALOADERS["plain"].Options(), split)
    given = {"filter_seen": True, "metric_ks": (3,), "best_metric": "MRR", "test_negative_sampler_code": ("random",)}
    given["test_negative_sample_size"] = 1
    options = EvaluationOptions.model_validate({**given, "seen_targets": "miss"})
    got = Evaluator(loader, options).evaluate(model, CPU, "test")
    for candidates in ("full", "random"):
        assert got.value(candidates, "Recall@3") == pytest.approx(1 / 3)
        assert got.value(candidates, "MRR") == 1


def test_users_with_seen_targets_alone_can_be_left_out() -> None:
    data = sequence_data([[1, 2, 3, 1], [1, 2, 3, 4]], num_items=5)
    split = SPLITS["leave_one_out"]().make(data, SPLITS["leave_one_out"].Options())
    left = leave_out(split.test, is_seen(data.items, split.test)).heldout
    assert left.users.tolist() == [1] and left.target_offsets.tolist() == [0, 1]
    options = EvaluationOptions(filter_seen=True, seen_targets="skip", test_negative_sampler_code=())
    all_seen = sequence_data([[1, 2, 3, 1], [1, 2, 3, 2]], num_items=5)
    split = SPLITS["leave_one_out"]().make(all_seen, SPLITS["leave_one_out"].Options())
    loader = DATALOADERS["plain"](DATALOADERS["plain"].Options(), split)
    with pytest.raises(UserError, match="seen_targets skip leaves no test users"):
        Evaluator(loader, options).check(("test",))


def test_seen_targets_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    data = small_data(True)
    share = np.mean([history(data, user)[-1] in history(data, user)[:-1] for user in range(USERS)])
    evaluator(data, filter_seen=True).check(("test",))
    assert f"{100 * share:.1f} % of the test targets" in caplog.text and "--seen_targets miss" in caplog.text
    caplog.clear()
    for quiet in ({"filter_seen": False}, {"filter_seen": True, "seen_targets": "miss"}):
        evaluator(data, **quiet).check(("test",))
    evaluator(small_data(False)).check()
    assert caplog.text == ""


def test_seen_targets_need_filter_seen() -> None:
    with pytest.raises(ValidationError, match="has no effect with filter_seen false"):
        EvaluationOptions(filter_seen=False, seen_targets="miss")


@pytest.mark.parametrize("make", [evaluator, ratio])
def test_users_who_have_had_every_item_are_evaluated(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Their lists are empty."""
    data = sequence_data([[1, 2, 3, 1, 2, 3, 1, 2, 3, 1]] * USERS, num_items=3)
    measured = make(data, filter_seen=True, test_negative_sampler_code=())
    got = measured.evaluate(UserTable(USERS, 3), CPU, "test", detailed=True)
    assert got.value("full", "MRR") > 0 and "Coverage@10" not in got.metrics["full"]
    assert "each test user has seen all items" in caplog.text
