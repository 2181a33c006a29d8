"""Command datasets: list the datasets, their licences, and what is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.schema import LOCATION, Options
from datasets import DATASETS
from datasets.raw_files import RawFileDataset
from options import Resolved
from runs.command import Command


class DatasetsOptions(Options):
    """Options of the list of datasets."""

    local_data_folder: Path = Field(
        Path("Data"), description="folder of raw files and prepared datasets", json_schema_extra=LOCATION
    )
    show_citations: bool = Field(True, description="list the citations under the table")


def _run(resolved: Resolved) -> int:
    """List all datasets; downloads and reads nothing."""
    options = resolved.section("datasets", DatasetsOptions)
    table = Table("dataset_code", "what", "download", "on disk", show_lines=True)
    table.columns[0].no_wrap = True
    table.columns[2].max_width = table.columns[3].max_width = 14
    citations: dict[str, list[str]] = {}
    for code, dataset in DATASETS.items():
        if not issubclass(dataset, RawFileDataset):
            table.add_row(code, dataset.description, "none", "")
            continue
        repeat = "; repeat consumption" if dataset.repeat_consumption else ""
        what = f"{dataset.description}{repeat}\n[dim]licence: {escape(dataset.licence or 'unknown')}[/dim]"
        table.add_row(code, what, dataset.size or "unknown size", escape(on_disk(dataset, options.local_data_folder)))
        if dataset.citation:
            citations.setdefault(dataset.citation, []).append(code)
    console = Console()
    console.print(table)
    if options.show_citations:
        for citation, codes in citations.items():
            console.print(f"{', '.join(codes)}: {citation}", markup=False, highlight=False)
    return 0


def on_disk(dataset: type[RawFileDataset[Any]], data_folder: Path) -> str:
    """The files in a dataset's folder with their sizes; if there are none, what its source needs."""
    found = dataset.files_on_disk(data_folder)
    if found:
        return ", ".join(f"{path.name} ({path.stat().st_size / 1e6:,.1f} MB)" for path in found)
    sources = dataset().declaration(dataset.Options()).sources
    if not sources:
        return "no; no source is known"
    needs = [source.needs for source in sources if source.needs]
    return f"no; needs {needs[0]}" if len(needs) == len(sources) else "no"


DATASETS_COMMAND = Command(
    ("run", "datasets"),
    _run,
    DatasetsOptions,
    needs_torch=False,
    description="list the datasets, their licences, and what is on disk",
)
