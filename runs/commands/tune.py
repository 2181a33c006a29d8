"""Command tune: search for better options; show the trials, and where the best options are."""

from __future__ import annotations

import shutil
from shlex import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from options import Resolved
from runs.command import Command
from runs.config import EXPERIMENT
from runs.tuning.config import TuneConfig
from runs.tuning.options import TuneOptions
from runs.tuning.resolve import resolve_tune

PIPED_WIDTH = 200  # columns, where neither a terminal nor COLUMNS says it


def _run(resolved: Resolved) -> int:
    from runs.tuning.search import search  # noqa: PLC0415  (it imports optuna, which nothing else needs)

    found = search(TuneConfig.of(resolved))
    head, *rows = found.table("{:.4f}".format)
    table = Table(*head, title=f"{found.metric} on validation")
    table.columns[-1].max_width = 60
    for trial, cells in zip(found.trials, rows, strict=True):
        table.add_row(*map(escape, cells), style="bold" if trial.number == found.best else None)
    piped_width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
    Console(width=None if Console().is_terminal else piped_width).print(table)
    for path in found.files:
        print(path)
    if found.best is not None:
        print(f"train and test the best options: python main.py --templates {quote(str(found.files[-1]))}")
    return 130 if found.interrupted else 0


TUNE = Command(
    (*EXPERIMENT, "tune"),
    _run,
    TuneOptions,
    resolve=resolve_tune,
    description="search for better options on the validation set",
)
