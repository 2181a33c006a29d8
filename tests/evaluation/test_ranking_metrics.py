"""Metrics against a slow reference, an independent library, and hand-computed cases."""

import math
from collections.abc import Sequence

import ir_measures
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evaluation import MetricSums, per_user_metrics, target_ranks

KS = [1, 2, 5, 10]

NORMALISED = ("Recall", "HR", "Precision", "NDCG", "MRR", "MAP")  # other metrics may exceed 1


def slow_metrics(ranks: Sequence[int], k: int) -> dict[str, float]:
    """All metrics at one cut for one user whose targets have these ranks."""
    hits = [r for r in ranks if r <= k]
    reachable = min(k, len(ranks))
    ideal = sum(1 / math.log2(place + 1) for place in range(1, reachable + 1))
    return {
        f"Recall@{k}": len(hits) / reachable,
        f"HR@{k}": 1.0 if hits else 0.0,
        f"Precision@{k}": len(hits) / k,
        f"NDCG@{k}": sum(1 / math.log2(r + 1) for r in hits) / ideal,
        f"MRR@{k}": 1 / min(hits) if hits else 0.0,
        f"MAP@{k}": sum(sum(1 for other in ranks if other <= r) / r for r in hits) / reachable,
        "MRR": 1 / min(ranks),
    }


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=8, unique=True), min_size=1, max_size=5))
def test_metrics_equal_the_slow_reference(rows: list[list[int]]) -> None:
    width = max(len(row) for row in rows)
    ranks = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    found = per_user_metrics(ranks, KS)
    for user, row in enumerate(ranks.tolist()):
        for k in KS:
            for name, value in slow_metrics([rank for rank in row if rank], k).items():
                assert found[name].dtype == torch.float64
                assert found[name][user].item() == pytest.approx(value, abs=1e-12)
    normalised = [values for name, values in found.items() if name.partition("@")[0] in NORMALISED]
    assert all(((values >= 0) & (values <= 1)).all() for values in normalised)


def test_metrics_of_tied_and_padded_ranks() -> None:
    ranks = torch.tensor([[1, 0, 0], [3, 1, 7], [2, 2, 0], [11, 4, 5]])
    found = per_user_metrics(ranks, KS)
    for user, row in enumerate(ranks.tolist()):
        for k in KS:
            for name, value in slow_metrics([rank for rank in row if rank], k).items():
                assert found[name][user].item() == pytest.approx(value, abs=1e-12), (name, row)


def test_a_hand_computed_user() -> None:
    found = per_user_metrics(torch.tensor([[2, 4]]), [3])
    assert found["Recall@3"].item() == pytest.approx(1 / 2)
    assert found["Precision@3"].item() == pytest.approx(1 / 3)
    assert found["HR@3"].item() == 1
    assert found["MRR@3"].item() == pytest.approx(1 / 2)
    assert found["MAP@3"].item() == pytest.approx((1 / 2) / 2)
    assert found["NDCG@3"].item() == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


@pytest.mark.parametrize("num_targets", [1, 6, 12])
def test_agreement_with_an_independent_library(num_targets: int) -> None:
    generator = torch.Generator().manual_seed(num_targets)
    users, items = 40, 80
    scores = torch.rand(users, items + 1, generator=generator, dtype=torch.float64)
    targets = torch.rand(users, items, generator=generator).argsort(dim=1)[:, :num_targets] + 1
    seen = torch.randint(0, items + 1, (users, 20), generator=generator)
    found = per_user_metrics(target_ranks(scores, targets, seen), KS)

    run, judged = {}, {}
    for user in range(users):
        wanted = set(targets[user].tolist())
        candidates = [item for item in range(1, items + 1) if item in wanted or item not in set(seen[user].tolist())]
        run[str(user)] = {str(item): float(scores[user, item]) for item in candidates}
        judged[str(user)] = {str(item): 1 for item in wanted}
    theirs = {}
    for k in KS:
        theirs[f"NDCG@{k}"] = ir_measures.nDCG @ k
        theirs[f"Precision@{k}"] = ir_measures.P @ k
        theirs[f"HR@{k}"] = ir_measures.Success @ k
        theirs[f"MRR@{k}"] = ir_measures.RR @ k
        if k >= num_targets:  # beyond, they divide by all targets here it is min(k, targets)
            theirs[f"Recall@{k}"] = ir_measures.R @ k
            theirs[f"MAP@{k}"] = ir_measures.AP @ k
    theirs["MRR"] = ir_measures.RR
    values: dict[tuple[str, str], float] = {
        (str(metric.measure), metric.query_id): metric.value
        for metric in ir_measures.iter_calc(list(theirs.values()), judged, run)
    }
    for name, measure in theirs.items():
        for user in range(users):
            assert found[name][user].item() == pytest.approx(values[str(measure), str(user)], abs=1e-6), name


def test_users_without_targets_and_invalid_cuts_are_refused() -> None:
    with pytest.raises(ValueError, match="without a target"):
        per_user_metrics(torch.tensor([[1], [0]]), [5])
    with pytest.raises(ValueError, match="at least 1, not 0"):
        per_user_metrics(torch.tensor([[1]]), [0, 5])


def test_sums_weight_users_equally_in_any_batches() -> None:
    values = torch.rand(23, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    uneven = MetricSums()
    for batch in values.split([10, 10, 3]):
        uneven.add({"NDCG@10": batch})
    assert uneven.result()["NDCG@10"] == pytest.approx(values.mean().item(), abs=1e-15)


def test_sums_of_no_users_are_refused() -> None:
    sums = MetricSums()
    sums.add({"MRR": torch.empty(0)})
    with pytest.raises(ValueError, match=r"no users .* MRR"):
        sums.result()
