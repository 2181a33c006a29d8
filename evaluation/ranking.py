"""Ranks of held-out targets, from the scores of a batch of users.

The tie rule is pessimistic: a target's rank is the number of candidates whose score is at least its own, itself
included, so that a model which scores everything alike puts every target last.
"""

import torch
from torch import Tensor

from common.errors import DivergedError

PAD = 0
# Up to this many targets per user, one compare-and-count pass per target costs less than sorting every row.
COUNTED_TARGETS = 8


class ScoreError(DivergedError):
    """A model produced a score that has no rank: NaN or infinite."""


def check_scores(scores: Tensor, model_name: str) -> None:
    """Raise `ScoreError` naming the model if a score is NaN or infinite.

    scores: float [B, V + 1]; the PAD column (0) is not looked at.
    """
    items = scores[:, 1:]
    if items.numel() == 0:
        return
    # The sum is the cheapest pass over all; it is finite only if every score is, but may overflow though they are.
    if bool(torch.isfinite(items.sum(dtype=torch.float32 if items.dtype != torch.float64 else None))):
        return
    bad = ~torch.isfinite(items)
    if not bool(bad.any()):
        return
    row, column = (int(index) for index in bad.nonzero()[0])
    value = float(items[row, column])
    raise ScoreError(
        f"model {model_name!r} gave {int(bad.sum())} of {items.numel()} scores that are NaN or infinite (the first: "
        f"{value} for item {column + 1} in row {row} of the batch), and such scores have no rank; the training has "
        "probably diverged: try a lower learning rate, gradient clipping or precision fp32"
    )


def count_at_least(values: Tensor, thresholds: Tensor) -> Tensor:
    """For each threshold, the number of values in its row that are greater or equal.

    values: float [B, N], thresholds: float [B, T] of the same dtype -> int64 [B, T].
    """
    if thresholds.shape[1] <= COUNTED_TARGETS:
        # Ones and zeros in float32 add up fastest, and exactly up to 2^24 of them.
        ones = torch.empty(values.shape, dtype=torch.float32, device=values.device)
        columns = [torch.ge(values, thresholds[:, i : i + 1], out=ones).sum(dim=1) for i in range(thresholds.shape[1])]
        return torch.stack(columns, dim=1).to(torch.int64)
    # float32 holds every half-precision value exactly, and sorting and searching are not made for those everywhere.
    if values.dtype in (torch.bfloat16, torch.float16):
        values, thresholds = values.float(), thresholds.float()
    ordered = values.sort(dim=1).values
    below: Tensor = torch.searchsorted(ordered, thresholds.contiguous())  # [B, T]: values strictly below
    return values.shape[1] - below


def _once(targets: Tensor) -> Tensor:
    """`targets` with repeated items of a row replaced by PAD after their first place (int64 [B, T])."""
    if targets.shape[1] == 1:
        return targets
    ordered, order = targets.sort(dim=1, stable=True)
    repeated = torch.zeros_like(targets, dtype=torch.bool)
    repeated.scatter_(1, order[:, 1:], ordered[:, 1:] == ordered[:, :-1])
    return targets.masked_fill(repeated, PAD)


def _seen_scores(scores: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Scores of what a user has seen: each item once, and -inf in the other places and where targets stand.

    scores: float [B, V + 1]; targets: int64 [B, T]; seen: int64 [B, S] -> float [B, S].

    Histories differ much in length, so the work is done on the filled places alone. Each of them writes its number
    to its item's cell and reads the cell back: of the places that share an item, one has won. Cells that nobody
    wrote are not read, so the table needs no clearing, and nothing needs sorting.
    """
    columns = scores.shape[1]
    places = (seen.reshape(-1) != PAD).nonzero().squeeze(1)  # [n] into [B * S]
    rows = torch.div(places, seen.shape[1], rounding_mode="floor")
    cells = rows * columns + seen.reshape(-1).index_select(0, places)  # [n] into [B * (V + 1)]
    numbers = torch.arange(len(places), dtype=torch.int32, device=seen.device)
    table = torch.empty(scores.numel(), dtype=torch.int32, device=seen.device)
    table.index_copy_(0, cells, numbers)
    table.view(scores.shape).scatter_(1, targets, -1)
    kept = (table.index_select(0, cells) == numbers).nonzero().squeeze(1)
    seen_scores = torch.full(seen.shape, float("-inf"), dtype=scores.dtype, device=scores.device)
    kept_scores = scores.reshape(-1).index_select(0, cells.index_select(0, kept))
    seen_scores.view(-1).index_copy_(0, places.index_select(0, kept), kept_scores)
    return seen_scores


@torch.no_grad()
def target_ranks(scores: Tensor, targets: Tensor, seen: Tensor | None = None, model_name: str = "unnamed") -> Tensor:
    """Rank of each target among all items but those that the user has seen.

    Args:
        scores: float [B, V + 1]; column 0 belongs to PAD and is ignored.
        targets: int64 [B, T], 0 = PAD. An item that is repeated in a row is one target.
        seen: int64 [B, S] items that are no candidates, 0 = PAD, in any order, repeats allowed; or None. A target
            stays a candidate though it is among them.
        model_name: for the error message.

    Returns:
        int64 [B, T]: the number of candidates with a score at least the target's own (1 = best, itself included);
        0 where `targets` is PAD, or repeats an earlier target of its row.

    Raises:
        ScoreError: a score is NaN or infinite.
    """
    check_scores(scores, model_name)
    targets = _once(targets)
    own = scores.gather(1, targets)  # [B, T]
    ranks = count_at_least(scores[:, 1:], own)
    if seen is not None and seen.shape[1] > 0:
        ranks -= count_at_least(_seen_scores(scores, targets, seen), own)
    return ranks.masked_fill_(targets == PAD, 0)


@torch.no_grad()
def sampled_ranks(scores: Tensor, targets: Tensor, negatives: Tensor, model_name: str = "unnamed") -> Tensor:
    """Rank of each target among its user's targets and sampled negatives, with the same tie rule.

    scores: float [B, V + 1]; targets: int64 [B, T], 0 = PAD; negatives: int64 [B, N], 0 = PAD, without targets or
    repeats -> int64 [B, T], 0 as in `target_ranks`. With one target: 1 + the negatives that score at least as high.

    Raises:
        ScoreError: a candidate's score is NaN or infinite.
    """
    targets = _once(targets)
    items = torch.cat([targets, negatives], dim=1)  # [B, T + N]
    candidates = scores.gather(1, items)
    padding = items == PAD
    check_scores(torch.nn.functional.pad(candidates.masked_fill(padding, 0.0), (1, 0)), model_name)
    own = candidates[:, : targets.shape[1]]
    ranks = count_at_least(candidates.masked_fill(padding, float("-inf")), own)
    return ranks.masked_fill_(targets == PAD, 0)
