"""Mode train: train one model, and show its test metrics."""

from __future__ import annotations

from options import Resolved
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.screen import show_metrics
from runs.train import train


def _run(resolved: Resolved) -> int:
    results = train(ExperimentConfig.of(resolved))
    title = f"{results['label']} on {results['data']['name']}, test"
    show_metrics(results["test"], title, results["protocol"]["in_words"])
    return 130 if results["stopped_by"] == "interrupted" else 0


TRAIN = Command(EXPERIMENT, _run, description="train a model, test its best weights and record the results")
