"""The tables that commands print."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from reports import Report


def show_metrics(metrics: dict[str, dict[str, float]], title: str, protocol: str) -> None:
    """Print a table with a row per metric and a column per kind of candidates, and the protocol in words."""
    table = Table("metric", *metrics, title=title)
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add_row(name, *(f"{values[name]:.4f}" if name in values else "" for values in metrics.values()))
    Console(markup=False, emoji=False).print(table)
    print(f"protocol: {protocol}")


def show_report(report: Report) -> None:
    """Print a report's tables, as wide as the terminal."""
    console = Console()
    print(report.terminal(console.width if console.is_terminal else None, colour=console.is_terminal))
