"""Blends: items ranked by a weighted sum of the scores of finished runs. The weights are found on validation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor

from common.errors import UserError
from common.schema import Options
from common.texts import path_part, value_hash
from dataloaders import Batch
from datasets import Heldout, Split
from evaluation import per_user_metrics, target_ranks
from evaluation.evaluator import Evaluation, Phase
from models import Model
from options import Resolved
from runs.results import describe, write_users
from runs.run_options import RunOptions
from runs.trained import TrainedRun, load_run
from runs.trained_options import execution_options
from trainers.device import peak_memory_mib, reset_peak_memory
from trainers.run_folder import RunFolder

log = logging.getLogger(__name__)

SEARCH_ENTRIES = 2**28  # scores of all parts for the users on whom weights are tried: 1 GiB
DRAW_OF_USERS = 20240  # seed of the draw of these users
RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack et al. 2009)
STEPS = (0.2, 0.05, 0.01)  # of the search for weights, one after another


class BlendOptions(Options):
    """The runs to combine, and how."""

    parts: list[str] = Field(
        default_factory=list, description="folders of finished runs on the same data and split: at least two"
    )
    blend_by: Literal["scores", "ranks"] = Field(
        "scores",
        description="what is added: scores = each user's scores, standardised; ranks = 1 / (60 + rank)",
    )

    @field_validator("parts")
    @classmethod
    def _several(cls, parts: list[str]) -> list[str]:
        if len(parts) == 1 or len(set(parts)) != len(parts):
            raise ValueError("should be the folders of two or more different runs")
        return parts


def standardised(scores: Tensor) -> Tensor:
    """Scores [B, V + 1] with mean 0 and deviation 1 over the items of each row; column 0 (PAD) is 0."""
    items = scores[:, 1:]
    centred = items - items.mean(1, keepdim=True)
    spread = centred.square().mean(1, keepdim=True).sqrt().clamp_min(1e-12)
    return F.pad(centred / spread, (1, 0))


def reciprocal_ranks(scores: Tensor) -> Tensor:
    """1 / (60 + rank) of scores [B, V + 1], rank = 1 + the number of items that score higher; column 0 (PAD) is 0."""
    items = scores[:, 1:].contiguous()
    at_most = torch.searchsorted(items.sort(1).values, items, right=True)  # items that score as high or less
    return F.pad(1 / (RANK_OFFSET + 1 + items.shape[1] - at_most.to(scores.dtype)), (1, 0))


COMPARABLE: dict[str, Callable[[Tensor], Tensor]] = {"scores": standardised, "ranks": reciprocal_ranks}


def find_weights(count: int, value: Callable[[Tensor], float]) -> Tensor:
    """Weights of `count` parts, each at least 0, that sum to 1 and make `value` large: float32 [count].

    Starts from the best single part. Each part in turn gets the share of the total that is best for it, in steps of .2,
    then .05 and .01, as long as that helps. So the result is never worse than the best part.
    """
    corners = torch.eye(count)
    values = [value(corner) for corner in corners]
    best_value = max(values)
    best = corners[values.index(best_value)]
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for part in range(count):
                for move in (-2, -1, 1, 2):
                    share, rest = round(float(best[part]) + step * move, 6), 1 - float(best[part])
                    if not 0 <= share < 1 or rest <= 0:
                        continue
                    tried = best * ((1 - share) / rest)
                    tried[part] = share
                    reached = value(tried)
                    if reached > best_value:
                        best, best_value, improved = tried, reached, True
    return best


class Blend(Model):
    """score = sum over the parts of weight * comparable(score). `heldout` has the input of each user."""

    code = "blend"
    Options = BlendOptions

    def __init__(self, parts: Sequence[TrainedRun], blend_by: str, heldout: Heldout, weights: Tensor) -> None:
        first = parts[0].experiment
        super().__init__(None, first.model.dimensions)
        self.parts = parts
        self.comparable = COMPARABLE[blend_by]
        self.heldout = heldout
        self.weights = weights
        self.rows = np.zeros(first.loader.data.num_users, dtype=np.int64)
        self.rows[heldout.users] = np.arange(len(heldout.users))

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Raises TypeError: a blend isn't trained."""
        raise TypeError("a blend isn't trained")

    def scores_of_parts(self, batch: Batch) -> Tensor:
        """[P, B, V + 1], comparable."""
        users = batch.users.cpu().numpy()
        rows = self.rows[users]
        start, end = self.heldout.input_start[rows], self.heldout.input_end[rows]
        scores = []
        for part in self.parts:
            inputs = part.experiment.loader.inputs(users, start, end).to(part.experiment.device)
            scores.append(self.comparable(part.experiment.model.scores_in_parts(inputs).float()))
        return torch.stack(scores)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        scores = torch.einsum("p,pbv->bv", self.weights.to(batch.items.device), self.scores_of_parts(batch))
        return scores if candidates is None else scores.gather(1, candidates)


def load_parts(resolved: Resolved) -> list[TrainedRun]:
    """Load the runs. Raises UserError if they can't be combined."""
    names = resolved.section("blend", BlendOptions).parts
    parts = [load_run(name, execution_options(resolved)) for name in names]
    first = parts[0].experiment
    for name, part in zip(names, parts, strict=True):
        experiment = part.experiment
        if experiment.evaluator.predicts_ratings or not experiment.loader.ranks:
            raise UserError(f"{name} predicts ratings, and a blend ranks items: leave it out")
        if not _same_heldout(experiment.loader.split, first.loader.split):
            raise UserError(
                f"{name} and {names[0]} were trained on other data or another split, so their users can't be compared"
            )
        if experiment.evaluator.filter_seen != first.evaluator.filter_seen:
            raise UserError(f"{name} and {names[0]} differ in filter_seen: evaluate both in the same way")
    return parts


def _same_heldout(one: Split, other: Split) -> bool:
    if one.code != other.code or one.data.hash != other.data.hash:
        return False
    return all(
        np.array_equal(getattr(ours, name), getattr(theirs, name))
        for ours, theirs in ((one.validation, other.validation), (one.test, other.test))
        for name in ("users", "input_start", "input_end", "targets")
    )


def fitted_weights(parts: Sequence[TrainedRun], blend_by: str) -> Tensor:
    """The weights with the best `best_metric` of the first part, in the full ranking of validation users."""
    evaluator, loader = parts[0].experiment.evaluator, parts[0].experiment.loader
    heldout = evaluator.heldout("validation")
    columns = loader.data.num_items + 1
    most = max(1, SEARCH_ENTRIES // (len(parts) * columns))
    if most < len(heldout.users):
        log.info("the weights are found on %d of %d validation users", most, len(heldout.users))
        heldout = heldout.sample(most, DRAW_OF_USERS)
    blend = Blend(parts, blend_by, heldout, torch.ones(len(parts)))
    metric, cutoffs = evaluator.options.best_metric, evaluator.options.metric_ks
    with torch.inference_mode():
        batches = [
            (blend.scores_of_parts(batch.inputs).cpu(), batch.targets, batch.seen if evaluator.filter_seen else None)
            for batch in loader.evaluation(heldout, evaluator.options.eval_batch_size)
        ]

        def value(weights: Tensor) -> float:
            values = [
                per_user_metrics(target_ranks(torch.einsum("p,pbv->bv", weights, scores), targets, seen), cutoffs)[
                    metric
                ]
                for scores, targets, seen in batches
            ]
            mean = float(torch.cat(values).mean())
            return mean if evaluator.higher_is_better else -mean

        return find_weights(len(parts), value)


def blend(resolved: Resolved) -> dict[str, Any]:
    """Find the weights, test the blend and record its results, as those of a run."""
    options, run_options = resolved.section("blend", BlendOptions), resolved.section("run", RunOptions)
    began = time.perf_counter()
    reset_peak_memory()
    parts = load_parts(resolved)
    first = parts[0].experiment
    names = [part.experiment.config.label for part in parts]
    label = run_options.label or " + ".join(names)
    folder = _folder(run_options, first.config.run.experiment_group or first.loader.data.name, label, options)
    if folder.results.exists() and not run_options.overwrite:
        raise UserError(f"{folder.path} has results already: pass --overwrite true to replace them")
    weights = fitted_weights(parts, options.blend_by)
    evaluations: dict[Phase, Evaluation] = {}
    for phase in ("validation", "test"):
        model = Blend(parts, options.blend_by, first.evaluator.heldout(phase), weights)
        evaluations[phase] = first.evaluator.evaluate(model, first.device, phase, detailed=True)
    own = {"parts": options.parts, "blend_by": options.blend_by}
    task: dict[str, Any] = {}
    for section in ("run", "dataset", "split", "evaluation"):
        task.update(first.config.sections[section].model_dump(mode="json"))
    results: dict[str, Any] = {
        **describe(first),
        "label": label,
        "template": None,
        "model_code": Blend.code,
        "options": {**task, **own, "model_code": Blend.code, "mode": "blend", "label": label},
        "weights": [
            {"label": name, "run": run, "weight": round(float(weight), 4)}
            for name, run, weight in zip(names, options.parts, weights, strict=True)
        ],
        "tuned": None,
        "parameters": sum(part.experiment.model.num_parameters() for part in parts),
        "minutes": round((time.perf_counter() - began) / 60, 3),
        "peak_memory_mib": round(peak_memory_mib(first.device), 1),
        "stopped_by": "fitted",
        **{phase: evaluation.metrics for phase, evaluation in evaluations.items()},
    }
    folder.path.mkdir(parents=True, exist_ok=True)
    write_users(folder.per_user, first.evaluator, "test", evaluations["test"])
    folder.write_results(results)
    log.info("%s: %s; results are in %s", label, _in_words(results["weights"]), folder.path)
    return results


def _in_words(weights: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{part['weight']:g} {part['label']}" for part in weights)


def _folder(run_options: RunOptions, group: str, label: str, options: BlendOptions) -> RunFolder:
    digest = value_hash([sorted(options.parts), options.blend_by], 8)
    name = run_options.experiment_name or path_part(f"{label}-{digest}", "blend")
    return RunFolder(
        Path(run_options.experiment_root) / (run_options.experiment_group or path_part(group, "run")) / name
    )
