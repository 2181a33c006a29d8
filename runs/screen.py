"""The tables that commands print."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console
from rich.table import Table

from common.plurals import counted
from evaluation.evaluator import Phase
from reports import Report

PIPE_WIDTH = 100  # characters
ROWS = 10  # of metrics; the files have all
FIRST = (
    *("NDCG@10", "Recall@10", "NDCG@20", "Recall@20", "NDCG@5", "Recall@5"),
    *("MRR", "Recall@1", "Coverage@10", "Novelty@10", "NDCG@50", "Recall@50"),
)
ALIASES = {"HR": "Recall", "MAP": "MRR"}  # equal if every user has one target


def show_metrics(results: dict[str, Any], phase: Phase, title: str, file: Path | None = None) -> None:
    """Print the most important metrics, a row each with a column per kind of candidates, and the protocol in words.

    Parameters
    ----------
    results : the results of a run, with the metrics of the phase: kind of candidates -> metric -> value
    file : has all metrics; None = the results.json that was named before
    """
    metrics, best_metric = results[phase], results["options"]["best_metric"]
    protocol = results["protocol"]["in_words"]
    names = dict.fromkeys(name for values in metrics.values() for name in values)
    hidden = {one: other for one, other in ALIASES.items() if _are_equal(one, other, metrics)}
    distinct = [name for name in names if name.partition("@")[0] not in hidden or name == best_metric]
    ranked = sorted(distinct, key=lambda name: (name != best_metric, _place(name)))[:ROWS]
    notes = [protocol]
    if hidden:
        equal = " and ".join(f"{one} = {other}" for one, other in hidden.items())
        notes.append(f"{equal}, as each user has one target")
    if len(ranked) < len(names):
        notes.append(f"all {counted(len(names), 'metric')}: {file or 'results.json'}")
    print(title)
    table = Table("metric", *metrics)
    for name in sorted(ranked, key=list(names).index):
        table.add_row(name, *(f"{values[name]:.4f}" if name in values else "" for values in metrics.values()))
    Console(markup=False, emoji=False).print(table)
    print("\n".join(notes))


def _are_equal(one: str, other: str, metrics: dict[str, dict[str, float]]) -> bool:
    """Whether two metrics have the same values wherever both are reported, at least once."""
    pairs = [
        (value, values[f"{other}{name.removeprefix(one)}"])
        for values in metrics.values()
        for name, value in values.items()
        if name.partition("@")[0] == one and f"{other}{name.removeprefix(one)}" in values
    ]
    return bool(pairs) and all(abs(a - b) <= 1e-12 for a, b in pairs)


def _place(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def show_next_steps(folder: Path, tested: bool) -> None:
    """Print where a run's files are, and the commands that use them."""
    run = quote(str(folder))
    files = "results.json, per_user.parquet, tables, weights in models" if tested else "results.json, weights in models"
    export = f"export --pretrained_weights {run} --output {quote(f'{folder.name}-export')}"
    print(
        f"Files: {folder} ({files})\n"
        "Next:\n"
        f"  python main.py --mode {f'report --experiments {run}' if tested else export}\n"
        f"  python main.py --mode recommend --pretrained_weights {run} --users all\n"
        f"  tensorboard --logdir {run}"
    )


def show_report(report: Report) -> None:
    """Print a report's tables, as wide as the terminal; in a pipe, as wide as the variable COLUMNS says, or 100."""
    console = Console()
    width = console.width if console.is_terminal else shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    print(report.terminal(width, colour=console.is_terminal))
