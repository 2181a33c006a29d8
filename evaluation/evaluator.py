"""Evaluates a model on the held-out users: the full ranking and, in the same pass, sampled candidates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import UserError
from common.ragged import concatenated_ranges, offsets_of, rows_of
from common.workers import ALONE, Workers
from dataloaders import Dataloader, EvalBatch
from datasets import Heldout
from datasets.splits.random_rating import RatingSplit
from evaluation.beyond_accuracy import average_popularity_lift, catalogue_coverage, novelty, top_items
from evaluation.distributed import Ranked, exchanged
from evaluation.evaluated_targets import EvaluatedTargets, evaluated_targets
from evaluation.metrics import UNRANKED, MetricSums, higher_is_better, per_user_metrics
from evaluation.negatives import TooFewItemsError, sample_negatives
from evaluation.options import EvaluationOptions
from evaluation.predicted_ratings import evaluate_ratings
from evaluation.ranking import sampled_ranks, target_ranks, users_at_once
from models.base import Model

log = logging.getLogger(__name__)
Phase = Literal["validation", "test"]
PHASES: tuple[Phase, ...] = ("validation", "test")
DRAW_OF_USERS = 20_260_000  # seed of option eval_users: all runs validate on the same users
LIST_LENGTH = 10  # of the top-k lists for coverage, novelty and popularity lift


@dataclass
class Evaluation:
    """Metrics of one phase.

    Attributes
    ----------
    metrics : metrics[candidates][metric], means over users
    per_user : per_user["candidates/metric"], float32 [n], in the order of the held-out set
    standard_errors : as `metrics`, the standard error of each mean; empty for predicted ratings
    """

    metrics: dict[str, dict[str, float]]
    per_user: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    standard_errors: dict[str, dict[str, float]] = field(default_factory=dict)

    def value(self, candidates: str, metric: str) -> float:
        """One metric on one set of candidates."""
        return self.metrics[candidates][metric]


class Evaluator:
    """Evaluates models on the held-out sets of a dataloader's split, with the same candidates each time."""

    def __init__(self, loader: Dataloader, options: EvaluationOptions) -> None:
        self.loader = loader
        self.options = options
        self.filter_seen = options.filters_seen(loader.data.repeat_consumption)
        self.samplers: list[str] = list(options.test_negative_sampler_code)
        if options.validation_candidates not in ("full", *self.samplers):
            self.samplers.append(options.validation_candidates)
        self._negatives: dict[tuple[str, str], torch.Tensor] = {}
        self._evaluated: dict[Phase, EvaluatedTargets] = {}
        self._counts = torch.from_numpy(loader.training_item_counts())
        self.predicts_ratings = isinstance(loader.split, RatingSplit)
        conflict = options.conflict(loader.split.code, self.predicts_ratings, loader)
        if conflict is not None:
            raise UserError(conflict)

    def heldout(self, phase: Phase) -> Heldout:
        """The users of a phase that are evaluated, with all targets that count."""
        heldout = self._of_split(phase)
        return self.evaluated(phase).heldout if self.options.seen_targets == "skip" else heldout

    def _of_split(self, phase: Phase) -> Heldout:
        if phase == "test":
            return self.loader.split.test
        validation, wanted = self.loader.split.validation, self.options.eval_users
        if wanted is None or self.predicts_ratings:
            return validation
        return validation.sample(wanted, DRAW_OF_USERS)

    def evaluated(self, phase: Phase) -> EvaluatedTargets:
        """The users and targets of a phase that are evaluated with the option `seen_targets`."""
        if phase not in self._evaluated:
            heldout, items = self._of_split(phase), np.asarray(self.loader.data.items)
            excludes_seen = self.filter_seen and not self.predicts_ratings
            how = self.options.seen_targets
            self._evaluated[phase] = (
                evaluated_targets(items, heldout, how) if excludes_seen else EvaluatedTargets(heldout)
            )
        return self._evaluated[phase]

    def _warn_of_seen_targets(self, phases: Sequence[Phase]) -> None:
        """Warn if recommended lists are worse than the metrics say, since they never have seen items."""
        shares = {phase: self.evaluated(phase).seen_share for phase in phases}
        if any(shares.values()) and self.options.seen_targets == "rank":
            log.warning(
                "%s targets are items that the user has had before. As filter_seen is true, recommended lists leave "
                "out such items, but here these targets compete with unseen items, so the metrics are higher than "
                "those of the lists. To count them as not found: --seen_targets miss; to leave them out: "
                "--seen_targets skip; to rank seen items too, in lists as well: --filter_seen false",
                " and ".join(f"{100 * share:.1f} % of the {phase}" for phase, share in shares.items()),
            )

    def check(self, phases: Sequence[Phase] = PHASES) -> None:
        """Raise UserError before training if a phase has no users, or a user too few items to sample negatives from."""
        few: list[TooFewItemsError] = []
        for phase in phases:
            self._filled(phase)
            for sampler in () if self.predicts_ratings else self.samplers:
                try:
                    self.negatives(phase, sampler)
                except TooFewItemsError as error:
                    few.append(error)
        if few:
            raise min(few, key=lambda error: error.left)  # its advice fits all of them
        self._warn_of_seen_targets(phases)

    def _filled(self, phase: Phase) -> Heldout:
        """The held-out set of a phase. Raises UserError if it is empty."""
        heldout = self.heldout(phase)
        if len(heldout.users) == 0 and len(self._of_split(phase).users):
            raise UserError(
                f"seen_targets skip leaves no {phase} users: each target is an item that its user has had before. Use "
                "--filter_seen false, or --seen_targets miss"
            )
        if len(heldout.users) == 0:
            raise UserError(
                f"the {phase} set is empty, so there are no users to evaluate on: lower min_uc or use more data"
            )
        return heldout

    @property
    def deciding_candidates(self) -> str:
        """The candidates of best_metric: "full", "popular" or "random"; "ratings" if ratings are predicted."""
        return "ratings" if self.predicts_ratings else self.options.validation_candidates

    @property
    def higher_is_better(self) -> bool:
        """The direction of best_metric."""
        return higher_is_better(self.options.best_metric)

    def deciding_value(self, evaluation: Evaluation) -> float:
        """best_metric on the deciding candidates, which selects the best model."""
        return evaluation.value(self.deciding_candidates, self.options.best_metric)

    def margin(self, evaluation: Evaluation) -> float | None:
        """Half the width of the 95 % interval of a validation's `deciding_value`; None if all users are evaluated."""
        if self.options.eval_users is None or not evaluation.standard_errors:
            return None
        return 1.96 * evaluation.standard_errors[self.deciding_candidates][self.options.best_metric]

    def evaluate(
        self,
        model: Model,
        device: torch.device,
        phase: Phase,
        detailed: bool = False,
        batch_limit: int | None = None,
        progress: Callable[[Iterable[EvalBatch], int], Iterable[EvalBatch]] | None = None,
        workers: Workers = ALONE,
    ) -> Evaluation:
        """The metrics of `model` on a phase.

        Parameters
        ----------
        model : the model, on `device`
        device : where to compute
        phase : "validation" or "test"
        detailed : add the per-user values and, with option beyond_accuracy, coverage, novelty and popularity lift
        batch_limit : evaluate only this many batches (pilot runs)
        progress : wraps the batches, given their number, to show progress
        workers : the processes that share the batches; each gets all metrics, whose bits don't depend on their number

        Raises
        ------
        UserError
            The phase has no users.
        DivergedError
            A score or a predicted rating is NaN or infinite.
        """
        heldout = self._filled(phase)
        if self.predicts_ratings:
            errors, by_user = evaluate_ratings(model, self.loader, heldout, device, self.options.eval_batch_size)
            return Evaluation({"ratings": errors}, {f"ratings/{name}": v for name, v in by_user.items()})
        names = ("full", *self.samplers)
        sums: dict[str, MetricSums] = {name: MetricSums() for name in names}
        per_user: dict[str, NDArray[np.float32]] = {}
        lists: list[torch.Tensor] = []
        size = users_at_once(self.options.eval_batch_size, self.loader.data.num_items)
        total = -(-len(heldout.users) // size)
        total = total if batch_limit is None else min(total, batch_limit)
        ranked: Iterable[Ranked] = self._ranked(model, device, phase, detailed, size, total, progress, workers)
        if workers.count > 1:
            ranked = exchanged(ranked, workers, total, names)
        for batch in ranked:
            for name, ranks in batch.ranks.items():
                values = per_user_metrics(ranks, self.options.metric_ks)
                sums[name].add(values)
                if detailed:
                    _store(per_user, name, values, batch.rows, len(heldout.users))
            if batch.top.shape[1]:
                lists.append(batch.top)
        metrics = {name: total.result() for name, total in sums.items()}
        if lists:
            metrics["full"].update(self._beyond_accuracy(torch.cat(lists), phase))
        return Evaluation(metrics, per_user, {name: total.standard_errors() for name, total in sums.items()})

    def _ranked(
        self,
        model: Model,
        device: torch.device,
        phase: Phase,
        with_lists: bool,
        size: int,
        total: int,
        progress: Callable[[Iterable[EvalBatch], int], Iterable[EvalBatch]] | None,
        workers: Workers,
    ) -> Iterator[Ranked]:
        """The ranks in those of the first `total` batches that belong to this worker; `size` users a batch."""
        batches: Iterable[EvalBatch] = self.loader.evaluation(
            self.evaluated(phase).heldout, size, workers.rank, workers.count
        )
        if progress is not None:
            batches = progress(batches, -(-total // workers.count))
        model.eval()
        with torch.inference_mode():
            for number, fetched in zip(range(workers.rank, total, workers.count), batches, strict=False):
                batch = fetched.to(device)
                scores = model.scores_in_parts(batch.inputs)  # [B, V + 1]
                seen = batch.seen if self.filter_seen else None
                ranks = self._ranks(model, scores, batch, seen, phase)
                listed = LIST_LENGTH if with_lists and self.options.beyond_accuracy else 0
                top = top_items(scores, LIST_LENGTH, seen).cpu() if listed else batch.rows.new_empty(len(batch.rows), 0)
                yield Ranked(number, batch.rows, ranks, top)

    def _ranks(
        self, model: Model, scores: torch.Tensor, batch: EvalBatch, seen: torch.Tensor | None, phase: Phase
    ) -> dict[str, torch.Tensor]:
        """Ranks of the targets, int64 [B, T], in the full ranking and in each sampled one."""
        ranks = {"full": target_ranks(scores, batch.targets, seen, model.code)}
        for name in self.samplers:
            negatives = self.negatives(phase, name)[batch.rows.cpu()].to(scores.device)
            ranks[name] = sampled_ranks(scores, batch.targets, negatives, model.code)
        missed = self.evaluated(phase).missed
        if missed is None:
            return ranks
        counts = torch.from_numpy(missed)[batch.rows.cpu()].to(scores.device)  # [B]
        places = torch.arange(int(counts.max()), device=scores.device)
        not_found = torch.where(places < counts[:, None], UNRANKED, 0)  # [B, missed]
        return {name: torch.cat([own, not_found], dim=1) for name, own in ranks.items()}

    def user_attributes(self, phase: Phase) -> dict[str, NDArray[np.float32]]:
        """Attributes of a phase's users to group them by, float32 [n] each.

        `history_length`: number of input interactions. `target_popularity`: training interactions of the target item,
        averaged over the user's targets.
        """
        heldout = self._filled(phase)
        counts = self._counts.numpy()[np.asarray(self.loader.data.items)[heldout.targets]]  # [m]
        totals = np.concatenate([[0], np.cumsum(counts)])[heldout.target_offsets]
        return {
            "history_length": (heldout.input_end - heldout.input_start).astype(np.float32),
            "target_popularity": (np.diff(totals) / np.diff(heldout.target_offsets)).astype(np.float32),
        }

    def negatives(self, phase: Phase, sampler: str) -> torch.Tensor:
        """Sampled negatives of a phase's users, int64 [n, size], drawn once and then kept.

        "popular" samples in proportion to the training interactions, "random" uniformly from the catalogue. The user's
        input items and targets are excluded.
        """
        key = phase, sampler
        if key not in self._negatives:
            heldout, data = self.heldout(phase), self.loader.data
            counts = self._counts.numpy()
            weights = counts.astype(np.float64) if sampler == "popular" else np.ones(len(counts))
            weights[0] = 0  # PAD
            exclude, offsets = _inputs_and_targets(np.asarray(data.items), heldout)
            seed = [self.options.test_negative_sampling_seed, PHASES.index(phase), ("popular", "random").index(sampler)]
            size, generator = self.options.test_negative_sample_size, np.random.default_rng(seed)
            names = np.asarray(data.user_ids)[heldout.users]
            drawn = sample_negatives(weights, exclude, offsets, size, generator, names)
            self._negatives[key] = torch.from_numpy(drawn)
        return self._negatives[key]

    def _beyond_accuracy(self, lists: torch.Tensor, phase: Phase) -> dict[str, float]:
        if not lists.any():
            log.warning("coverage, novelty and popularity are left out: each %s user has seen all items", phase)
            return {}
        return {
            f"Coverage@{LIST_LENGTH}": catalogue_coverage(lists, self.loader.data.num_items),
            f"Novelty@{LIST_LENGTH}": novelty(lists, self._counts),
            f"PopularityLift@{LIST_LENGTH}": average_popularity_lift(lists, self._counts),
        }


def _inputs_and_targets(items: NDArray[np.int32], heldout: Heldout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The input items and targets of all held-out users: flat int64 items, and int64 [n + 1] offsets of the users."""
    input_lengths = heldout.input_end - heldout.input_start
    target_lengths = np.diff(heldout.target_offsets)
    lengths = input_lengths + target_lengths
    positions = concatenated_ranges(heldout.input_start, heldout.input_start + lengths)
    is_target = positions >= heldout.input_end[rows_of(lengths)]
    positions[is_target] = heldout.targets  # these are ordered by user, too
    return items[positions].astype(np.int64), offsets_of(lengths)


def _store(
    per_user: dict[str, NDArray[np.float32]], name: str, values: dict[str, torch.Tensor], rows: torch.Tensor, users: int
) -> None:
    where = rows.cpu().numpy()
    for metric, value in values.items():
        column = per_user.setdefault(f"{name}/{metric}", np.full(users, np.nan, dtype=np.float32))
        column[where] = value.cpu().numpy()
