"""Ranks against a slow reference; ties, seen items, and scores that can't be ranked."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import ScoreError, check_scores, sampled_ranks, target_ranks
from evaluation.ranking import COUNTED_TARGETS

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def slow_rank(scores: Sequence[float], target: int, targets: Sequence[int], seen: Sequence[int]) -> int:
    """Rank of `target` by counting over the candidates; scores[0] is PAD's."""
    candidates = [item for item in range(1, len(scores)) if item in targets or item not in seen]
    return sum(1 for item in candidates if scores[item] >= scores[target])


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Any]:
    """Scores with many ties; up to more targets than COUNTED_TARGETS; seen items with repetitions."""
    rows, items = draw(st.integers(1, 4)), draw(st.integers(1, 25))
    width = draw(st.integers(1, COUNTED_TARGETS + 4))
    item = st.integers(0, items)

    def table(cell: st.SearchStrategy[Any], columns: int) -> Any:
        return draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows))

    # Quarters up to 4 are exact in every dtype.
    return {
        "dtype": draw(st.sampled_from(DTYPES)),
        "scores": table(st.integers(-16, 16).map(lambda n: n / 4), items + 1),
        "targets": table(item, width),
        "seen": table(item, draw(st.integers(0, 12))),
    }


@settings(max_examples=300, deadline=None)
@given(batches())
def test_ranks_equal_the_slow_reference(batch: dict[str, Any]) -> None:
    scores = torch.tensor(batch["scores"], dtype=batch["dtype"])
    targets = torch.tensor(batch["targets"])
    seen = torch.tensor(batch["seen"], dtype=torch.int64).reshape(len(targets), -1)
    ranks = target_ranks(scores, targets, seen).tolist()
    for row, row_targets in enumerate(batch["targets"]):
        for place, target in enumerate(row_targets):
            repeats = target in row_targets[:place]
            expected = (
                0
                if target == 0 or repeats
                else slow_rank(batch["scores"][row], target, row_targets, batch["seen"][row])
            )
            assert ranks[row][place] == expected


@settings(max_examples=100, deadline=None)
@given(batches(), st.data())
def test_sampled_ranks_equal_the_slow_reference(batch: dict[str, Any], data: st.DataObject) -> None:
    scores = torch.tensor(batch["scores"], dtype=batch["dtype"])
    items = scores.shape[1] - 1
    targets = [data.draw(st.integers(1, items)) for _ in range(len(scores))]
    negatives = [
        data.draw(st.permutations([item for item in range(1, items + 1) if item != target])) for target in targets
    ]
    size = data.draw(st.integers(0, items - 1))
    sampled = torch.tensor([row[:size] for row in negatives], dtype=torch.int64).reshape(len(targets), -1)
    ranks = sampled_ranks(scores, torch.tensor(targets)[:, None], sampled).squeeze(1).tolist()
    for row, target in enumerate(targets):
        own = batch["scores"][row][target]
        assert ranks[row] == 1 + sum(batch["scores"][row][item] >= own for item in sampled[row].tolist())


def test_all_items_as_negatives_give_the_full_rank() -> None:
    scores = torch.randn(20, 31, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(1, 21)[:, None]
    negatives = torch.stack([torch.tensor([i for i in range(1, 31) if i != int(target)]) for target in targets])
    assert torch.equal(sampled_ranks(scores, targets, negatives), target_ranks(scores, targets))


def test_padding_is_never_a_sampled_candidate() -> None:
    scores = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    targets, negatives = torch.tensor([[2, 0]]), torch.tensor([[3, 1, 0, 0]])
    assert sampled_ranks(scores, targets, negatives).tolist() == [[2, 0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_targets", [1, 3, COUNTED_TARGETS + 1])
def test_a_constant_scorer_ranks_every_target_last(dtype: torch.dtype, num_targets: int) -> None:
    scores = torch.full((2, 101), 0.5, dtype=dtype)
    targets = torch.arange(1, num_targets + 1).expand(2, -1)
    seen = torch.tensor([[20, 21, 22, 22, 0], [1, 30, 0, 0, 0]])
    # 100 items without 3 seen ones; in the second row item 1 is a target, so that only item 30 goes.
    assert target_ranks(scores, targets, seen).tolist() == [[97] * num_targets, [99] * num_targets]


def test_a_target_that_was_seen_before_stays_a_candidate() -> None:
    scores = torch.tensor([[0.0, 1.0, 5.0, 3.0, 4.0]])
    assert target_ranks(scores, torch.tensor([[3]]), torch.tensor([[3, 2, 3]])).tolist() == [[2]]
    assert target_ranks(scores, torch.tensor([[3]]), None).tolist() == [[3]]


def test_the_score_of_padding_is_ignored() -> None:
    for pad_score in (100.0, float("nan"), float("-inf")):
        scores = torch.tensor([[pad_score, 1.0, 2.0]])
        assert target_ranks(scores, torch.tensor([[1, 0]]), torch.tensor([[0, 0]])).tolist() == [[2, 0]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinite_scores_are_named_errors(bad: float) -> None:
    scores = torch.zeros(3, 5)
    scores[1, 4] = bad
    with pytest.raises(ScoreError, match=r"model 'sas' gave scores that can't be ranked: 1 of 12 .*item 4 in row 1"):
        check_scores(scores, "sas")
    with pytest.raises(ScoreError, match="'sas'"):
        target_ranks(scores, torch.ones(3, 1, dtype=torch.int64), model_name="sas")
    with pytest.raises(ScoreError, match="'sas'"):
        sampled_ranks(scores, torch.ones(3, 1, dtype=torch.int64), torch.full((3, 1), 4), model_name="sas")


@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_scores_with_an_overflowing_sum_are_valid(dtype: torch.dtype) -> None:
    scores = torch.full((2, 300), torch.finfo(dtype).max, dtype=dtype)
    check_scores(scores, "large")
    assert target_ranks(scores, torch.ones(2, 1, dtype=torch.int64)).tolist() == [[299], [299]]


def test_ranks_in_half_precision_equal_those_in_float32() -> None:
    scores = torch.randn(64, 500, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    targets = torch.randint(1, 500, (64, 1), generator=torch.Generator().manual_seed(2))
    seen = torch.randint(0, 500, (64, 40), generator=torch.Generator().manual_seed(3))
    assert torch.equal(target_ranks(scores, targets, seen), target_ranks(scores.float(), targets, seen))


def test_scores_that_are_a_view_rank_like_their_copy() -> None:
    wide = torch.randn(8, 60, generator=torch.Generator().manual_seed(1))
    targets, seen = torch.full((8, 1), 7), torch.randint(0, 30, (8, 5), generator=torch.Generator().manual_seed(2))
    assert torch.equal(target_ranks(wide[:, :30], targets, seen), target_ranks(wide[:, :30].clone(), targets, seen))
    assert torch.equal(
        target_ranks(wide.requires_grad_()[:, :30], targets, seen[:, :0]), target_ranks(wide[:, :30].detach(), targets)
    )
