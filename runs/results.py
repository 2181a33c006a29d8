"""The results of a run: the content of results.json and per_user.parquet."""

from __future__ import annotations

import datetime
import logging
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.errors import UserError
from common.json_files import read_json
from common.version import code_version
from datasets.funnel import as_records
from evaluation.evaluator import Evaluation, Evaluator, Phase
from evaluation.options import SAMPLED
from runs.experiment import Experiment
from trainers.device import describe_device, peak_memory_mib
from trainers.run_folder import write_per_user
from trainers.state import TrainingState

log = logging.getLogger(__name__)
SCHEMA = 1
TUNING = "tuning.json"  # in the folder of a search
PREDICTIONS = "clipped to the scale of ratings; a constant where user or item has no training rating"
NEGATIVES_FROM = {"popular": "training popularity", "random": "the catalogue, uniformly"}


def _now() -> str:
    """The time, ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def protocol(evaluator: Evaluator) -> dict[str, Any]:
    """How the metrics were computed."""
    options = evaluator.options
    last = {"selected_by": f"{evaluator.deciding_candidates}/{options.best_metric}", "in_words": in_words(evaluator)}
    if evaluator.predicts_ratings:
        return {"candidates": ["ratings"], "predictions": PREDICTIONS, **last}
    seen = {} if options.seen_targets == "rank" else {"seen_targets": options.seen_targets}
    sources = ", ".join(NEGATIVES_FROM[name] for name in evaluator.samplers)
    return {
        "candidates": ["full", *evaluator.samplers],
        "ties": "pessimistic: rank = number of candidates that score at least as high",
        "negatives": options.test_negative_sample_size if evaluator.samplers else 0,
        "negative_sampling_seed": options.test_negative_sampling_seed,
        "negatives_from": f"{sources}; none of the user's items up to the target" if sources else None,
        **seen,
        **last,
    }


def in_words(evaluator: Evaluator) -> str:
    """The protocol in a line: the split, the candidates, and what is done with items that users have had before."""
    options, split, data = evaluator.options, evaluator.loader.split.code, evaluator.loader.data
    if len(evaluator.loader.split.test.users) == 0:
        return "trained on all interactions, nothing is evaluated"
    if evaluator.predicts_ratings:
        return f"{split}, predicted ratings"
    sampled = [f"{options.test_negative_sample_size} {SAMPLED[name]} negatives" for name in evaluator.samplers]
    seen = "seen items filtered" if evaluator.filter_seen else "seen items not filtered"
    parts = [split, " and ".join(["full ranking", *sampled]), seen, f"{100 * data.repeat_rate:.1f} % repeats"]
    if data.copies:
        parts.append(f"{data.copies:,} exact {'copy' if data.copies == 1 else 'copies'}")
    share = evaluator.evaluated("test").seen_share
    if share:
        done = {"rank": "ranked among unseen items", "miss": "counted as not found", "skip": "left out"}
        parts.append(f"{100 * share:.1f} % of the test targets seen before ({done[options.seen_targets]})")
    return ", ".join(parts)


def tuning_of(folder: str | None) -> dict[str, Any] | None:
    """How the options were found: the folder of their search, with its summary if that still exists."""
    if folder is None:
        return None
    summary = Path(folder) / TUNING
    known = {}
    if summary.is_file():
        try:
            known = read_json(summary, dict[str, Any], "the results don't say how the options were found")
        except UserError as error:  # a damaged note mustn't stop the training
            log.warning("%s", error)
    return {"folder": folder, **known}


def describe(experiment: Experiment, workers: int = 1) -> dict[str, Any]:
    """Everything that is needed to understand and reproduce the results of an experiment run by `workers` processes."""
    config, evaluator = experiment.config.without_start_options(), experiment.evaluator
    options, data = config.run, experiment.loader.data
    return {
        "schema": SCHEMA,
        "label": config.label,
        "template": " ".join(config.templates) or None,
        "model_code": options.model_code,
        "dataset_code": options.dataset_code,
        "split": options.split,
        "filter_seen": evaluator.filter_seen,
        "seed": options.seed,
        "depends_on_seed": config.depends_on_seed,
        "options": config.values(),
        "tuned": tuning_of(options.tuned_by),
        "data": {
            "name": data.name,
            "hash": data.hash,
            "users": data.num_users,
            "items": data.num_items,
            "interactions": data.num_interactions,
            "repeat_rate": data.repeat_rate,
            "exact_copies": data.copies,
            "funnel": as_records(data.funnel),
        },
        "protocol": protocol(evaluator),
        "parameters": experiment.model.num_parameters(),
        "device": describe_device(experiment.device, workers),
        "precision": options.precision,
        "command": shlex.join(["python", "main.py", *sys.argv[1:]]),
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "finished": _now(),
    }


def results(
    description: dict[str, Any],
    state: TrainingState,
    device: torch.device,
    evaluations: Mapping[Phase, Evaluation],
) -> dict[str, Any]:
    """The content of results.json."""
    return {
        **description,
        "device": " then ".join(state.machines) or description["device"],
        "versions": {**description["versions"], **({"code": " then ".join(state.codes)} if state.codes else {})},
        "finished": _now(),
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "stopped_by": state.stopped_by or "interrupted",
        "minutes": round(state.seconds / 60, 3),
        "peak_memory_mib": max(state.peak_memory_mib, round(peak_memory_mib(device), 1)),
        **{phase: evaluation.metrics for phase, evaluation in evaluations.items()},
    }


def write_users(path: Path, evaluator: Evaluator, phase: Phase, evaluation: Evaluation) -> None:
    """Write each user's metrics and attributes."""
    users = evaluator.loader.data.user_ids[evaluator.heldout(phase).users]
    write_per_user(path, users, {**evaluator.user_attributes(phase), **evaluation.per_user})
