"""Modes validate and test: measure trained weights again."""

from __future__ import annotations

import json
import logging
from typing import Any

from common.files import write_text
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
from runs.folders import run_folder
from runs.results import describe
from runs.weights import read_weights
from trainers.checkpoint import load_model
from trainers.evaluate import Phase
from trainers.progress import Progress

log = logging.getLogger(__name__)


def measure(request: Request, phase: Phase) -> dict[str, Any]:
    """Evaluate `--pretrained_weights`, or the best weights of the run with these options; returns and records it."""
    device = prepare_machine(request)
    data = load_data(request)
    check_needs(request, data)
    loader = make_loader(request, make_split(request, data))
    evaluator = make_evaluator(request, loader)
    model, _ = make_model(request, loader, device)
    folder = run_folder(request)
    source = run_options(request).pretrained_weights or str(folder.path)
    load_model(model, read_weights(source, loader.split), source)
    progress = Progress()
    evaluation = evaluator.evaluate(
        model, device, phase, detailed=True, progress=lambda batches, total: progress.shown(batches, total, phase)
    )
    measured = {**describe(request, loader, evaluator, model, device), "weights": source, phase: evaluation.metrics}
    path = folder.path / "evaluation" / f"{phase}.json"
    write_text(path, json.dumps(measured, indent=1) + "\n")
    log.info("the numbers are in %s", path)
    return measured
