"""The report of a set of recorded runs, in all output formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from common.files import write_text
from common.texts import path_part
from reports import render
from reports.build_tables import build_tables
from reports.chart import COLOURED, Figure
from reports.citations import WORKS, bibliography
from reports.collect import Run, collect, relabelled, tidy_frame
from reports.facts import page_facts, page_title, run_facts, subtitle
from reports.figures import colours_of, figures_of
from reports.folder import write_contents
from reports.forest import forest_svg
from reports.funnel import funnel_grid
from reports.latex import caption_of, latex, models_by_datasets
from reports.layout import Grid, appendix_of, grid_of, published_of
from reports.notes import notes_of
from reports.options import ReportOptions
from reports.page import Section, draw_page
from reports.pictures import draw
from reports.ranks import ranks_figure
from reports.stats_file import read_stats, stats_figure, stats_grid
from reports.table import Table
from reports.verdict import verdict_of


@dataclass(frozen=True)
class Report:
    """Comparison tables of `runs`, one per dataset and split."""

    runs: tuple[Run, ...]
    tables: tuple[Table, ...]
    options: ReportOptions

    @property
    def reported(self) -> list[Run]:
        """The runs in the tables, without pilot runs."""
        return [run for table in self.tables for row in table.rows for run in row.runs]

    def frame(self) -> pd.DataFrame:
        """Return every recorded value of the runs, one per row."""
        return tidy_frame(self.runs)

    def terminal(self, width: int | None = None, colour: bool = False) -> str:
        """Render the tables for a terminal of `width` characters (None = no limit)."""
        chosen = self.options.columns
        tables = self._tables if colour else self._laid_out(emphasis=False)
        grids = self._grids(tables) if chosen is not None and "published" in chosen else tables
        return render.terminal(grids, width, colour, costs_first=chosen is not None)

    def block(self) -> str:
        """Render the tables as Markdown, without p-values."""
        return render.markdown(self._grids(self._tables))

    def markdown(self) -> str:
        """Render the tables as Markdown, then their p-values."""
        text = self.block()
        appendices = self._appendices()
        return f"{text}\n## p-values\n\n{render.markdown(appendices)}" if appendices else text

    def csv(self) -> str:
        """Return the numbers of the tables with full precision, one row per dataset, split and label."""
        return render.csv_text(self.tables)

    def latex(self) -> str:
        """Render the tables as LaTeX, models by datasets first, then p-values; needs booktabs, graphicx, siunitx."""
        pairs = list(zip(self.tables, self._tables, strict=True))
        splits = dict.fromkeys(table.split for table in self.tables)
        joint = [models_by_datasets([pair for pair in pairs if pair[0].split == split]) for split in splits]
        grids = [grid for each in joint for grid in each]
        for table, own in pairs:
            grids.append((own, caption_of(table)))
            grids += [(grid, f"{grid.title}.") for grid in self._published(table)]
        return latex([*grids, *((grid, f"{grid.title}.") for grid in self._appendices())], self._cited)

    def bibliography(self) -> str:
        """Return the BibTeX entries of the works that the LaTeX tables cite, "" if there are none."""
        return bibliography(run.record.model_code for run in self.reported)

    @property
    def _cited(self) -> dict[str, str]:
        codes = {row.label: row.runs[0].record.model_code for table in self.tables for row in table.rows}
        return {label: WORKS[code].key for label, code in codes.items() if code in WORKS}

    def html(self) -> str:
        """Return a self-contained page with tables, p-values, figures and the statistics of the datasets in `stats`."""
        sections = []
        for table, own, figures in zip(self.tables, self._tables, self._figures, strict=True):
            funnel = funnel_grid(run.record.data for row in table.rows for run in row.runs)
            grids = [each for each in (own, *self._published(table), appendix_of(table), funnel) if each is not None]
            sections.append(
                Section(
                    f"{table.name}, {table.split}",
                    subtitle(table),
                    tuple(grids),
                    tuple(figures),
                    forest_svg(table),
                    run_facts(table),
                )
            )
        if self._ranks.charts:
            sections.append(Section(self._ranks.title, "", (), (self._ranks,)))
        datasets = read_stats(self.options.stats)
        if datasets:
            labels = {label: number % COLOURED for number, label in enumerate(dict.fromkeys(d.label for d in datasets))}
            grid, figure = stats_grid(datasets), stats_figure(datasets, labels)
            sections.append(Section("Data", "Statistics of the preprocessed datasets.", (grid,), (figure,)))
        return draw_page(page_title(self.tables), page_facts(self.reported), sections)

    def pictures(self, folder: Path, forms: Sequence[str]) -> list[Path]:
        """Draw each figure into `<dataset>.<split>.<figure>.png` (`.svg`, `.pdf`), and the ranks into `ranks.png`."""
        named = [
            (path_part(f"{table.name}.{table.split}.{figure.name}", "data"), f"{table.name}, {table.split}", figure)
            for table, figures in zip(self.tables, self._figures, strict=True)
            for figure in figures
        ]
        named.append((self._ranks.name, "", self._ranks))
        written = []
        for name, title, figure in named:
            if figure.charts:
                paths = [folder / f"{name}.{form}" for form in forms]
                draw(figure, title, paths)
                written += paths
        return written

    def write(self) -> list[Path]:
        """Write the options' `formats` to `report_folder` and return the files (none without a folder)."""
        if self.options.report_folder is None:
            return []
        folder = Path(self.options.report_folder)
        forms: dict[str, tuple[str, Callable[[], str]]] = {
            "markdown": ("report.md", self.markdown),
            "csv": ("report.csv", self.csv),
            "latex": ("report.tex", self.latex),
            "html": ("report.html", self.html),
        }
        written = []
        write_contents(folder, [run.path for run in self.runs])
        for form in self.options.formats:
            if form in forms:
                name, draw_text = forms[form]
                write_text(folder / name, draw_text())
                written.append(folder / name)
        if "latex" in self.options.formats and (works := self.bibliography()):
            write_text(folder / "report.bib", works)
            written.append(folder / "report.bib")
        drawn = [form for form in self.options.formats if form not in forms]
        return written + (self.pictures(folder, drawn) if drawn else [])

    @cached_property
    def _tables(self) -> list[Grid]:
        return self._laid_out(emphasis=True)

    def _laid_out(self, emphasis: bool) -> list[Grid]:
        columns = self.options.columns
        return [grid_of(table, notes_of(table, emphasis), verdict_of(table), columns) for table in self.tables]

    def _published(self, table: Table) -> list[Grid]:
        if self.options.columns is not None and "published" not in self.options.columns:
            return []
        found = published_of(table)
        return [] if found is None else [found]

    def _grids(self, tables: Sequence[Grid]) -> list[Grid]:
        """Each of the laid out tables, followed by the published figures for it."""
        return [grid for table, own in zip(self.tables, tables, strict=True) for grid in (own, *self._published(table))]

    def _appendices(self) -> list[Grid]:
        return [grid for grid in map(appendix_of, self.tables) if grid is not None]

    @cached_property
    def _figures(self) -> list[list[Figure]]:
        colours = colours_of(self.tables)
        return [figures_of(table, self.options, own) for table, own in zip(self.tables, colours, strict=True)]

    @cached_property
    def _ranks(self) -> Figure:
        return ranks_figure(self.tables, self.options.alpha)


def report(paths: Sequence[str], options: ReportOptions, labels: Mapping[str, str] | None = None) -> Report:
    """Read the recorded runs at `paths` (files, folders, globs) and compare them.

    `labels` maps results files to labels other than the recorded ones. Raises UserError for a path without runs, a
    damaged file, and a metric, candidate set, label or baseline that no run has.
    """
    runs, _ = relabelled(collect(paths), labels or {})
    return Report(tuple(runs), tuple(build_tables(runs, options)), options)
