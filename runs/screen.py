"""The tables that commands print."""

from __future__ import annotations

import shutil

from rich.console import Console
from rich.table import Table

from reports import Report

PIPE_WIDTH = 100  # characters


def show_metrics(metrics: dict[str, dict[str, float]], title: str, protocol: str) -> None:
    """Print a table with a row per metric and a column per kind of candidates, and the protocol in words."""
    table = Table("metric", *metrics, title=title)
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add_row(name, *(f"{values[name]:.4f}" if name in values else "" for values in metrics.values()))
    Console(markup=False, emoji=False).print(table)
    print(f"protocol: {protocol}")


def show_report(report: Report) -> None:
    """Print a report's tables, as wide as the terminal; in a pipe, as wide as the variable COLUMNS says, or 100."""
    console = Console()
    width = console.width if console.is_terminal else shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    print(report.terminal(width, colour=console.is_terminal))
