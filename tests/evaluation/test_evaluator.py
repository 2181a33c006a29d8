"""The evaluator against the plainest computation: user by user, with sorted lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import leave_one_out, random_histories, sequence_data
from torch import Tensor, nn

from common.errors import UserError
from common.schema import Options
from dataloaders import DATALOADERS, Batch
from datasets import SequenceData
from evaluation.evaluator import PHASES, Evaluation, Evaluator, Phase
from evaluation.options import EvaluationOptions
from models.base import Dimensions, Model

CPU = torch.device("cpu")
USERS, ITEMS = 23, 40


class UserTable(Model):
    """A fixed score for each user and item, with many ties."""

    code = "user_table"
    Options = Options
    dataloader_code = "plain"

    def __init__(self, users: int = USERS, items: int = ITEMS, levels: int = 12) -> None:
        super().__init__(Options(), Dimensions(items, users, 5))
        drawn = np.random.default_rng(8).integers(0, levels, (users, items + 1))
        self.table = nn.Parameter(torch.from_numpy(drawn.astype(np.float32)))

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> Any:
        raise NotImplementedError

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return self.table.detach()[batch.users]


def small_data(repeats: bool) -> SequenceData:
    return sequence_data(random_histories(11, USERS, ITEMS, 12, repeats), num_items=ITEMS, repeat_consumption=repeats)


def evaluator(data: SequenceData, **options: Any) -> Evaluator:
    given = {"test_negative_sample_size": 9, "test_negative_sampler_code": ("popular", "random"), "metric_ks": (1, 5)}
    given |= {"best_metric": "NDCG@5", "eval_batch_size": 7, **options}
    loader = DATALOADERS["plain"](DATALOADERS["plain"].Options(), leave_one_out(data))
    return Evaluator(loader, EvaluationOptions.model_validate(given))


def history(data: SequenceData, user: int) -> list[int]:
    return data.items[data.offsets[user] : data.offsets[user + 1]].tolist()


def plain_metrics(rank: int) -> dict[str, float]:
    """One target's metrics from its rank."""
    found = {"MRR": 1 / rank}
    for k in (1, 5):
        hit = rank <= k
        found |= {f"Recall@{k}": float(hit), f"HR@{k}": float(hit), f"Precision@{k}": hit / k}
        found |= {f"NDCG@{k}": hit / math.log2(rank + 1), f"MRR@{k}": hit / rank, f"MAP@{k}": hit / rank}
    return found


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("filter_seen", [False, True])
@pytest.mark.parametrize("phase", PHASES)
def test_the_evaluator_equals_the_plain_computation(repeats: bool, filter_seen: bool, phase: Phase) -> None:
    data, model = small_data(repeats), UserTable()
    measured = evaluator(data, filter_seen=filter_seen)
    got = measured.evaluate(model, CPU, phase, detailed=True)
    assert set(got.metrics) == {"full", "popular", "random"}
    for candidates in got.metrics:
        per_user = []
        for user in range(USERS):
            *before, target = history(data, user)[: -1 if phase == "validation" else None]
            if candidates == "full":
                others = [i for i in range(1, ITEMS + 1) if i != target and not (filter_seen and i in before)]
            else:
                others = measured.negatives(phase, candidates)[user].tolist()
            scores = model.table[user].tolist()
            per_user.append(plain_metrics(1 + sum(scores[i] >= scores[target] for i in others)))
        for metric in per_user[0]:
            values = [row[metric] for row in per_user]
            assert got.metrics[candidates][metric] == pytest.approx(sum(values) / USERS, rel=1e-6), metric
            np.testing.assert_allclose(got.per_user[f"{candidates}/{metric}"], values, rtol=1e-6)


@pytest.mark.parametrize("sampler", ["popular", "random"])
@pytest.mark.parametrize("repeats", [False, True])
def test_negatives_are_unseen_items_and_use_no_future(sampler: str, repeats: bool) -> None:
    data = small_data(repeats)
    measured = evaluator(data)
    for phase in PHASES:
        negatives = measured.negatives(phase, sampler)
        assert negatives.shape == (USERS, 9)
        for user in range(USERS):
            so_far = history(data, user)[: -1 if phase == "validation" else None]
            drawn = negatives[user].tolist()
            assert len(set(drawn)) == 9 and not set(drawn) & {0, *so_far}


def test_validation_negatives_may_include_the_test_item() -> None:
    """Leaving out the test item would leak it. If all other items are negatives, it must be one of them."""
    data = small_data(False)
    longest = int(data.lengths.max())
    measured = evaluator(data, test_negative_sampler_code=("random",), test_negative_sample_size=ITEMS - longest + 1)
    negatives = measured.negatives("validation", "random")
    users = np.flatnonzero(data.lengths == longest)
    assert len(users)
    for user in users.tolist():
        assert history(data, user)[-1] in negatives[user].tolist()


def test_too_few_negatives_names_the_largest_number_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minimum over all users, phases and samplers, whatever the size of the blocks of users."""
    monkeypatch.setattr("evaluation.negatives.DRAWS_AT_ONCE", 1)
    histories = [[1, 2, 3, 4, 5], [1, 2, 3], [3, 4, 5, 6, 7, 8, 9], [9, 10, 11]]
    data = sequence_data(histories, num_items=12)
    drawable = {1, 2, 3, 4, 5, 6, 7, 9}  # what is trained on
    fewest = min(len(drawable - set(items)) for items in histories)
    with pytest.raises(UserError, match=f"only {fewest} items can be drawn for user 1002 .* to {fewest} or less"):
        evaluator(data, test_negative_sample_size=12).check()
    evaluator(data, test_negative_sample_size=fewest).check()
    with pytest.raises(UserError, match=f"only {fewest} items can be drawn"):
        evaluator(data, test_negative_sample_size=fewest + 1).check()


def test_popularity_is_counted_in_training_data() -> None:
    """An item that is only a validation and test target is drawn by `random`, but never by `popular`."""
    histories = [[1 + (u + j) % 8 for j in range(5)] + [9, 10] for u in range(200)]
    data = sequence_data(histories, num_items=12)
    measured = evaluator(data, test_negative_sample_size=2)
    validation = measured.negatives("validation", "popular")
    assert not {9, 10, 11, 12} & set(validation.flatten().tolist())
    assert {10, 11, 12} <= set(measured.negatives("validation", "random").flatten().tolist())


def test_negatives_are_the_same_for_every_model_and_epoch() -> None:
    data = small_data(False)
    one, other = evaluator(data), evaluator(data)
    for phase in PHASES:
        for sampler in ("popular", "random"):
            assert torch.equal(one.negatives(phase, sampler), other.negatives(phase, sampler))
    assert not torch.equal(one.negatives("test", "random"), one.negatives("test", "popular"))
    assert not torch.equal(one.negatives("test", "random"), one.negatives("validation", "random"))
    other_seed = evaluator(data, test_negative_sampling_seed=1)
    assert not torch.equal(one.negatives("test", "random"), other_seed.negatives("test", "random"))


@pytest.mark.parametrize("eval_batch_size", [1, 4, 1000])
def test_the_batch_size_does_not_change_metrics(eval_batch_size: int) -> None:
    data, model = small_data(False), UserTable()
    reference = evaluator(data).evaluate(model, CPU, "test", detailed=True)
    got = evaluator(data, eval_batch_size=eval_batch_size).evaluate(model, CPU, "test", detailed=True)
    for candidates, metrics in reference.metrics.items():
        for name, value in metrics.items():
            assert got.value(candidates, name) == pytest.approx(value, rel=1e-9)
    for name, values in reference.per_user.items():
        np.testing.assert_array_equal(got.per_user[name], values)


def test_users_are_ranked_in_parts_if_the_catalogue_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_data(False)
    whole = evaluator(data).evaluate(UserTable(), CPU, "test")
    monkeypatch.setattr("evaluation.ranking.MAX_SCORES", 3 * (data.num_items + 1))
    sizes = []
    parts = evaluator(data)
    batches = parts.loader.evaluation
    monkeypatch.setattr(
        parts.loader, "evaluation", lambda heldout, size, *share: sizes.append(size) or batches(heldout, size, *share)
    )
    for candidates, metrics in parts.evaluate(UserTable(), CPU, "test").metrics.items():
        assert metrics == pytest.approx(whole.metrics[candidates], rel=1e-9)
    assert sizes == [3]


def test_validation_may_use_some_users_and_says_how_sure_it_is() -> None:
    data = small_data(False)
    some, every = evaluator(data, eval_users=5), evaluator(data)
    assert len(some.heldout("validation").users) == 5 and len(every.heldout("validation").users) > 5
    assert len(some.heldout("test").users) == len(every.heldout("test").users)
    drawn = some.heldout("validation").users
    assert (drawn == evaluator(data, eval_users=5).heldout("validation").users).all()
    model = UserTable()
    evaluation = some.evaluate(model, CPU, "validation", detailed=True)
    values = evaluation.per_user["full/NDCG@5"]
    assert some.margin(evaluation) == pytest.approx(1.96 * values.std() / 5**0.5, rel=1e-4)
    assert every.margin(every.evaluate(model, CPU, "validation")) is None
    whole = every.evaluate(model, CPU, "validation", detailed=True).per_user["full/NDCG@5"]
    np.testing.assert_array_equal(values, whole[np.isin(every.heldout("validation").users, drawn)])


def test_per_user_values_average_to_the_metrics() -> None:
    got = evaluator(small_data(False)).evaluate(UserTable(), CPU, "test", detailed=True)
    assert got.per_user
    for name, values in got.per_user.items():
        assert values.astype(np.float64).mean() == pytest.approx(got.value(*name.split("/")), rel=1e-6)


def test_a_constant_scorer_gets_nothing() -> None:
    model = UserTable(levels=1)
    got = evaluator(small_data(False)).evaluate(model, CPU, "test")
    assert all(got.value(candidates, "HR@5") == 0 for candidates in got.metrics)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_nan_score_is_an_error_that_names_the_model(value: float) -> None:
    model = UserTable()
    with torch.no_grad():
        model.table[5, 7] = value
    with pytest.raises(UserError, match="user_table"):
        evaluator(small_data(False)).evaluate(model, CPU, "test")


def test_filter_seen_defaults_to_that_of_the_dataset() -> None:
    assert evaluator(small_data(False)).filter_seen is True
    assert evaluator(small_data(True)).filter_seen is False
    assert evaluator(small_data(True), filter_seen=True).filter_seen is True


def test_the_deciding_value() -> None:
    measured = evaluator(
        small_data(False), test_negative_sampler_code=(), validation_candidates="popular", best_metric="MRR@5"
    )
    assert "popular" in measured.evaluate(UserTable(), CPU, "validation").metrics
    evaluation = Evaluation({"full": {"MRR@5": 1.0}, "popular": {"MRR@5": 0.5}})
    assert measured.deciding_value(evaluation) == 0.5
