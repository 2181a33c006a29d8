"""The report of a set of recorded runs, in every form that it is given out in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.files import write_text
from reports import render
from reports.collect import Run, collect, tidy_frame
from reports.layout import Grid, appendix_of, grid_of
from reports.options import ReportOptions
from reports.table import Table, build_tables


@dataclass(frozen=True)
class Report:
    """Comparison tables of `runs`, one per dataset and split."""

    runs: tuple[Run, ...]
    tables: tuple[Table, ...]
    options: ReportOptions

    def frame(self) -> pd.DataFrame:
        """Every recorded value of the runs, one per row."""
        return tidy_frame(self.runs)

    def terminal(self, width: int | None = None, colour: bool = False) -> str:
        """The tables for a terminal that is `width` columns wide (None = as wide as it takes)."""
        return render.terminal(self._grids(), width, colour)

    def markdown(self) -> str:
        """The tables, then the p-values behind their marks."""
        text = render.markdown(self._grids())
        appendices = self._appendices()
        return f"{text}\n## p-values\n\n{render.markdown(appendices)}" if appendices else text

    def csv(self) -> str:
        """The tables' numbers with full precision, one row per dataset, split and label."""
        return render.csv_text(self.tables)

    def latex(self) -> str:
        """The tables, then the p-values behind their marks; needs the package booktabs."""
        return render.latex([*self._grids(), *self._appendices()])

    def write(self) -> list[Path]:
        """Write the options' `formats` to `report_folder`; returns the files (none without a folder)."""
        if self.options.report_folder is None:
            return []
        forms: dict[str, tuple[str, Callable[[], str]]] = {
            "markdown": ("report.md", self.markdown),
            "csv": ("report.csv", self.csv),
            "latex": ("report.tex", self.latex),
        }
        written = []
        for form in self.options.formats:
            name, draw = forms[form]
            path = Path(self.options.report_folder) / name
            write_text(path, draw())
            written.append(path)
        return written

    def _grids(self) -> list[Grid]:
        return [grid_of(table) for table in self.tables]

    def _appendices(self) -> list[Grid]:
        return [grid for grid in map(appendix_of, self.tables) if grid is not None]


def report(paths: Sequence[str], options: ReportOptions) -> Report:
    """Read the recorded runs at `paths` (files, folders, globs) and compare them.

    Raises UserError for a path without runs, a damaged or foreign file, runs that can't share a table, and for a
    metric, candidate set or baseline that no run has.
    """
    runs = collect(paths)
    return Report(tuple(runs), tuple(build_tables(runs, options)), options)
