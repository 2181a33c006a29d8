"""What a run logs about itself: a box when it starts, and a line when it ends."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

from common.plurals import counted
from runs.experiment import Experiment

WIDTH = 100  # columns at most
NOT_EVALUATED = "trained on all interactions, so nothing is evaluated"
HEADLINES = ("NDCG@10", "Recall@10", "RMSE", "MAE")
ENDS = {  # `stopped_by` in results -> how the training ended
    "saturation": "early stopping",
    "num_epochs": "num_epochs reached",
    "max_minutes": "max_minutes reached",
    "interrupted": "interrupted",
    "pruned": "pruned",
    "diverged": "diverged",
}


def opening(experiment: Experiment, description: dict[str, Any], folder: Path) -> str:
    """The data, the model, the protocol and the hardware of a run, in a box."""
    config, loader = experiment.config, experiment.loader
    data = loader.data
    counts = [(data.num_users, "user"), (data.num_items, "item"), (data.num_interactions, "interaction")]
    parts = ", ".join(counted(*count) for count in counts)
    rows = [("data", f"{parts}; {counted(len(loader.windows), 'training window')}")]
    rows += [("" if number else "from", str(step)) for number, step in enumerate(data.funnel)]
    parameters = counted(description["parameters"], "parameter")
    parts = f"dataloader {config.run.dataloader_code}, trainer {config.run.trainer_code}"
    rows.append(("model", f"{config.run.model_code}, {parameters}; {parts}"))
    rows.append(("protocol", description["protocol"]["in_words"]))
    rows.append(("selected by", description["protocol"]["selected_by"]))
    rows += [("device", description["device"]), ("folder", str(folder))]
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    head = f"-- {description['label']} on {data.name} "
    lines = [head.ljust(width, "-")]
    for name, text in rows:
        indent = f"  {name:<12}"
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join([*lines, "-" * width])


def ending(written: dict[str, Any]) -> str:
    """How the training ended, and the most important metrics."""
    phase = "test" if "test" in written else "validation"
    metrics, minutes = written.get(phase, {}), f"{written['minutes']:.1f} minutes"
    wanted = dict.fromkeys((*HEADLINES, written["options"]["best_metric"]))
    shown = ", ".join(f"{c} {name} {metrics[c][name]:.4f}" for c in metrics for name in wanted if name in metrics[c])
    stopped_by = written["stopped_by"]
    if stopped_by == "fitted":
        return f"{written['label']}: fitted in {minutes}; {f'{phase}: {shown}' if metrics else NOT_EVALUATED}"
    end = f"{ENDS.get(stopped_by, stopped_by)} after {counted(written['epochs'], 'epoch')} and {minutes}"
    evaluated = f"{phase} of epoch {written['best_epoch']}: {shown}"
    return f"{written['label']}: {end}; {evaluated if metrics else NOT_EVALUATED}"
