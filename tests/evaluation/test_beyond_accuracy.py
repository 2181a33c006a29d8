"""Top-k lists, coverage, novelty and popularity lift, on cases that are computed by hand."""

import pytest
import torch

from evaluation import average_popularity_lift, catalogue_coverage, novelty, top_items

COUNTS = torch.tensor([99, 8, 4, 4, 0])  # 16 interactions; the PAD column must not matter


def test_top_items_equal_a_sort_without_padding_and_seen() -> None:
    scores = torch.randn(30, 41, generator=torch.Generator().manual_seed(0))
    scores[:, 0] = 100.0
    seen = torch.randint(0, 41, (30, 10), generator=torch.Generator().manual_seed(1))
    for row, found in enumerate(top_items(scores, 7, seen).tolist()):
        candidates = [item for item in range(1, 41) if item not in seen[row].tolist()]
        assert found == sorted(candidates, key=lambda item: -scores[row, item].item())[:7]


def test_of_equal_scores_the_lower_item_number_comes_first() -> None:
    scores = torch.randint(0, 4, (20, 60), generator=torch.Generator().manual_seed(3)).double()
    longest = top_items(scores, 59)
    for k in (1, 5, 17, 40):
        assert torch.equal(top_items(scores, k), longest[:, :k])
    for row, found in enumerate(longest.tolist()):
        assert found == sorted(range(1, 60), key=lambda item: (-scores[row, item].item(), item))


@pytest.mark.parametrize("levels", [2, 40, 10_000])
def test_top_items_of_long_rows_equal_a_sort(monkeypatch: pytest.MonkeyPatch, levels: int) -> None:
    monkeypatch.setattr("evaluation.beyond_accuracy.BLOCK", 8)
    scores = torch.randint(0, levels, (50, 403), generator=torch.Generator().manual_seed(5)).float()
    seen = torch.randint(0, 403, (50, 30), generator=torch.Generator().manual_seed(6))
    seen[0] = 7
    seen = torch.cat([seen, torch.arange(403).expand(50, -1) * (torch.arange(50) == 1)[:, None]], 1)  # row 1 has all
    for row, found in enumerate(top_items(scores, 5, seen).tolist()):
        free = sorted(set(range(1, 403)) - set(seen[row].tolist()), key=lambda item: (-scores[row, item].item(), item))
        assert found == (free + [0] * 5)[:5]


def test_top_items_are_padded_if_candidates_run_out() -> None:
    scores = torch.tensor([[0.0, 1.0, 3.0, 2.0]])
    assert top_items(scores, 6, torch.tensor([[1, 1, 0]])).tolist() == [[2, 3, 0, 0, 0, 0]]


def test_coverage_counts_each_listed_item_once() -> None:
    assert catalogue_coverage(torch.tensor([[1, 2], [2, 0]]), 4) == 0.5


def test_novelty_is_the_mean_self_information_in_bits() -> None:
    assert novelty(torch.tensor([[1, 2], [4, 0]]), COUNTS) == pytest.approx((1 + 2 + 4) / 3)


def test_popularity_lift_compares_with_the_catalogue() -> None:
    assert average_popularity_lift(torch.tensor([[1, 2], [4, 0]]), COUNTS) == pytest.approx(4 / 4)
    assert average_popularity_lift(torch.tensor([[1, 1]]), COUNTS) == pytest.approx(2.0)


def test_empty_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="all top-k lists are empty"):
        novelty(torch.zeros(2, 3, dtype=torch.int64), COUNTS)
