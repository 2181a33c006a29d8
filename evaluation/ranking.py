"""Ranks of held-out targets, from the scores of a batch of users.

Ties count against the target: its rank is the number of candidates that score at least as high, itself included. A
model that gives all items the same score ranks every target last.
"""

import torch
from torch import Tensor

from common.errors import DivergedError

PAD = 0
MAX_SCORES = 1 << 25  # in memory at once, about
COUNTED_TARGETS = 8  # up to this many targets per user, a counting pass for each is faster than sorting the rows


def users_at_once(batch_size: int, num_items: int) -> int:
    """How many users to score at a time: `batch_size`, or fewer if the catalogue is large."""
    return min(batch_size, max(1, MAX_SCORES // (num_items + 1)))


class ScoreError(DivergedError):
    """A model gave a score that can't be ranked: NaN or infinite."""


def check_scores(scores: Tensor, model_name: str) -> None:
    """Raise an error if a score is NaN or infinite.

    Parameters
    ----------
    scores : float [B, V + 1]; column 0 belongs to PAD and is ignored
    model_name : for the error message

    Raises
    ------
    ScoreError
        A score is NaN or infinite.
    """
    items = scores[:, 1:]
    if items.numel() == 0:
        return
    # The sum is the cheapest pass: if it is finite, all scores are; if not, it may also have overflowed.
    if bool(torch.isfinite(items.sum(dtype=torch.float32 if items.dtype != torch.float64 else None))):
        return
    bad = ~torch.isfinite(items)
    if not bool(bad.any()):
        return
    row, column = (int(index) for index in bad.nonzero()[0])
    value = float(items[row, column])
    raise ScoreError(
        f"model {model_name!r} gave scores that can't be ranked: {int(bad.sum())} of {items.numel()} are NaN or "
        f"infinite (the first: {value} for item {column + 1} in row {row} of the batch). Training has probably "
        "diverged: try a lower learning rate, gradient clipping or precision fp32"
    )


def count_at_least(values: Tensor, thresholds: Tensor) -> Tensor:
    """For each threshold, the number of values in its row that are greater or equal.

    Parameters
    ----------
    values : float [B, N]
    thresholds : [B, T], of the same dtype

    Returns
    -------
    Tensor
        int64 [B, T]
    """
    if thresholds.shape[1] <= COUNTED_TARGETS:
        # Summing ones in float32 is fastest, and exact up to 2^24.
        ones = torch.empty(values.shape, dtype=torch.float32, device=values.device)
        columns = [torch.ge(values, thresholds[:, i : i + 1], out=ones).sum(dim=1) for i in range(thresholds.shape[1])]
        return torch.stack(columns, dim=1).to(torch.int64)
    # Not every device can sort and search half precision. float32 holds the same values exactly.
    if values.dtype in (torch.bfloat16, torch.float16):
        values, thresholds = values.float(), thresholds.float()
    ordered = values.sort(dim=1).values
    below: Tensor = torch.searchsorted(ordered, thresholds.contiguous())  # [B, T]: values strictly below
    return values.shape[1] - below


def _once(targets: Tensor) -> Tensor:
    """`targets` int64 [B, T], in which PAD replaces each repetition of an item in its row."""
    if targets.shape[1] == 1:
        return targets
    ordered, order = targets.sort(dim=1, stable=True)
    repeated = torch.zeros_like(targets, dtype=torch.bool)
    repeated.scatter_(1, order[:, 1:], ordered[:, 1:] == ordered[:, :-1])
    return targets.masked_fill(repeated, PAD)


def _seen_scores(scores: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """The scores of the items that each user has seen, each item once.

    Histories differ much in length, so only entries that are not PAD are processed. To find repetitions without
    sorting, each entry writes its number to the cell of its item and reads it back: of the entries of one item, exactly
    one finds its own number. Cells that were not written are not read, so the table is not initialised.

    Parameters
    ----------
    scores : float [B, V + 1]
    targets : int64 [B, T]
    seen : int64 [B, S], 0 = PAD

    Returns
    -------
    Tensor
        float [B, S]; -inf for PAD, repetitions and targets.
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
    """The rank of each target among all items that the user hasn't seen.

    Parameters
    ----------
    scores : float [B, V + 1]; column 0 belongs to PAD and is ignored
    targets : int64 [B, T], 0 = PAD; an item that is repeated in a row is one target
    seen : int64 [B, S], items that are no candidates unless they are targets; 0 = PAD, in any order, repeats allowed.
        None = all items are candidates
    model_name : for the error message

    Returns
    -------
    Tensor
        int64 [B, T], the number of candidates that score at least as high as the target, itself included (1 = best);
        0 if the target is PAD or repeats an earlier one of its row.

    Raises
    ------
    ScoreError
        A score is NaN or infinite.
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
    """The rank of each target among its user's targets and sampled negatives; ties as in `target_ranks`.

    Parameters
    ----------
    scores : float [B, V + 1]
    targets : int64 [B, T], 0 = PAD
    negatives : int64 [B, N], 0 = PAD; distinct, and no targets
    model_name : for the error message

    Returns
    -------
    Tensor
        int64 [B, T], as in `target_ranks`. With one target: 1 + the negatives that score at least as high.

    Raises
    ------
    ScoreError
        A candidate's score is NaN or infinite.
    """
    targets = _once(targets)
    items = torch.cat([targets, negatives], dim=1)  # [B, T + N]
    candidates = scores.gather(1, items)
    padding = items == PAD
    check_scores(torch.nn.functional.pad(candidates.masked_fill(padding, 0.0), (1, 0)), model_name)
    own = candidates[:, : targets.shape[1]]
    ranks = count_at_least(candidates.masked_fill(padding, float("-inf")), own)
    return ranks.masked_fill_(targets == PAD, 0)
