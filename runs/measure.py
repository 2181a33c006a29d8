"""Modes validate and test: measure trained weights again."""

from __future__ import annotations

import itertools
import json
import logging
import time
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from common.files import write_text
from evaluation.evaluator import Phase
from options.request import Request
from runs.build import (
    check_needs,
    load_data,
    make_evaluator,
    make_loader,
    make_model,
    make_split,
    prepare_machine,
    run_options,
)
from runs.folders import computed, is_config_of_run, plain_values, read_config, run_folder
from runs.results import describe, write_users
from runs.weights import read_weights
from trainers.checkpoint import load_model
from trainers.device import peak_memory_mib, reset_peak_memory
from trainers.progress import Progress

log = logging.getLogger(__name__)


def _compare_options(request: Request, source: Path) -> None:
    """Say so if weights of a run are measured with other options of the model or its batches than it was trained with:
    they fit, but it is another model."""
    config = (source if source.is_dir() else source.parent.parent) / "config.yaml"
    if not config.is_file():
        return
    trained = read_config(config)
    defaults = {  # what was so before there was an option for it
        key: to_jsonable_python(field.get_default(call_default_factory=True))
        for part in ("model", "dataloader")
        for key, field in type(request.sections[part]).model_fields.items()
    }
    own = plain_values(request)
    there = {key: trained.get(key, default) for key, default in defaults.items()}
    other = [f"{key} {there[key]} there, {own[key]} here" for key in defaults if there[key] != own[key]]
    if other:
        log.warning(
            "%s was trained with other options: %s. These are the metrics of another model than that run's; its own "
            "are measured by --templates %s",
            source,
            "; ".join(other),
            config,
        )


def _source(request: Request, folder: Path) -> str:
    """Whose weights are measured: those of `--pretrained_weights`, or the run's with these options. Where a run's own
    `config.yaml` is the template, its `pretrained_weights` are what that run began with, and its own best are meant."""
    given = run_options(request).pretrained_weights
    if given is None:
        return str(folder)
    template = Path(request.origins["pretrained_weights"].rpartition(":")[0])
    return str(template.parent) if is_config_of_run(template) else given


def _place(folder: Path, phase: Phase, measured: dict[str, Any]) -> Path:
    """Where a measurement belongs: in place of the same one made before, beside those of other options or weights."""
    paths = (folder / f"{phase}{'' if number == 1 else f'-{number}'}.json" for number in itertools.count(1))
    return next(path for path in paths if not path.exists() or _is_again(path, measured))


def _is_again(path: Path, measured: dict[str, Any]) -> bool:
    """Whether a file holds the same measurement."""
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        before, now = computed(there["options"]), computed(json.loads(json.dumps(measured["options"])))
        of_this_data = there["data"]["hash"] == measured["data"]["hash"]
        of_these_weights = Path(there["weights"]).resolve() == Path(measured["weights"]).resolve()
    except (ValueError, KeyError, TypeError):  # damaged: left as it is
        return False
    shared = before.keys() & now.keys() - {"pretrained_weights"}  # what one alone has, the other's code didn't have yet
    return of_this_data and of_these_weights and all(before[key] == now[key] for key in shared)


def measure(request: Request, phase: Phase) -> dict[str, Any]:
    """Evaluate `--pretrained_weights`, or the best weights of the run with these options; returns and records it."""
    device = prepare_machine(request)
    data = load_data(request)
    check_needs(request, data)
    loader = make_loader(request, make_split(request, data))
    evaluator = make_evaluator(request, loader)
    model, _ = make_model(request, loader, device)
    folder = run_folder(request)
    source = _source(request, folder.path)
    load_model(model, read_weights(source, loader.split, measured=True), source)
    _compare_options(request, Path(source))
    progress, began = Progress(), time.perf_counter()
    reset_peak_memory()
    evaluation = evaluator.evaluate(
        model, device, phase, detailed=True, progress=lambda batches, total: progress.shown(batches, total, phase)
    )
    measured = {
        **describe(request, loader, evaluator, model, device),
        "weights": source,
        "minutes": round((time.perf_counter() - began) / 60, 3),
        "peak_memory_mib": round(peak_memory_mib(device), 1),
        phase: evaluation.metrics,
    }
    path = _place(folder.path / "evaluation", phase, measured)
    of_users = path.with_suffix(".per_user.parquet")
    write_users(of_users, evaluator, phase, evaluation)
    write_text(path, json.dumps(measured, indent=1) + "\n")
    log.info("the numbers are in %s, those of each user in %s", path, of_users.name)
    return measured
