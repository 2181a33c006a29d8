"""Commands validate and test: evaluate trained weights again."""

from __future__ import annotations

from evaluation.evaluator import Phase
from options import Resolved
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.evaluate import evaluate
from runs.screen import show_metrics


def _run(resolved: Resolved, phase: Phase) -> int:
    results, file = evaluate(ExperimentConfig.of(resolved), phase)
    title = f"{results['label']} on {results['data']['name']}, {phase} ({results['weights']})"
    show_metrics(results, phase, title, file)
    return 0


VALIDATE = Command(
    EXPERIMENT,
    lambda resolved: _run(resolved, "validation"),
    description="evaluate trained weights on the validation set",
)
TEST = Command(
    EXPERIMENT, lambda resolved: _run(resolved, "test"), description="evaluate trained weights on the test set"
)
