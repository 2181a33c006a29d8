"""Mode train: train one model, and show its test metrics."""

from __future__ import annotations

from options import Resolved
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.folders import run_folder
from runs.screen import show_metrics, show_next_steps
from runs.train import train


def _run(resolved: Resolved) -> int:
    config = ExperimentConfig.of(resolved)
    results, folder = train(config), run_folder(config)
    show_metrics(
        results["test"],
        f"{results['label']} on {results['data']['name']}, test",
        results["protocol"]["in_words"],
        config.evaluation.best_metric,
        folder.results,
    )
    if results["stopped_by"] == "interrupted":
        print("Interrupted: to resume it, add --resume_training true to the same command")
        return 130
    show_next_steps(folder.path)
    return 0


TRAIN = Command(EXPERIMENT, _run, description="train a model, test its best weights and record the results")
