"""Mode compare: many runs under one protocol, then their table."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from common.errors import UserError
from common.schema import Options
from options.request import Request
from runs.build import load_data, make_split, run_options
from runs.folders import label_of, run_folder
from runs.train import train
from trainers.run_folder import RunFolder

log = logging.getLogger(__name__)
Outcome = Literal["reused", "trained", "failed", "interrupted"]


class RunEntry(Options):
    """One row of a comparison."""

    template: str | tuple[str, ...] = Field(description="template, or templates in order")
    label: str | None = Field(None, description="the row's name; null = the template's label, or the model's code")
    overrides: dict[str, Any] = Field(default_factory=dict, description="options that differ from the template's")


class CompareOptions(Options):
    """Which runs to compare, on which datasets, with which seeds."""

    runs: tuple[str | RunEntry, ...] = Field(min_length=1, description="templates, or {template, label, overrides}")
    datasets: tuple[str | dict[str, Any], ...] = Field(
        (), description="dataset codes, or {dataset_code, options}; [] = the templates' own"
    )
    seeds: tuple[int, ...] = Field((), description="seeds; [] = the templates' own")
    metrics: tuple[str, ...] = Field(("NDCG@10", "Recall@10"), min_length=1, description="the columns of the table")
    afterword: str | None = Field(None, description="what to tell the reader after the table")


def run_cells(request: Request) -> tuple[list[RunFolder], dict[str, Outcome]]:
    """Do what is missing: finished runs are reused, interrupted ones resumed; a failure doesn't stop the others.

    Returns the folders with results, and what became of each run, by folder.
    """
    _check_folders(request.cells)
    done: list[RunFolder] = []
    outcomes: dict[str, Outcome] = {}
    for number, cell in enumerate(request.cells, 1):
        folder = run_folder(cell)
        log.info("run %d of %d: %s", number, len(request.cells), folder.path)
        outcome = _run_cell(cell, folder)
        outcomes[str(folder.path)] = outcome
        if outcome == "interrupted":
            break
        if outcome != "failed":
            done.append(folder)
    return done, outcomes


def _run_cell(cell: Request, folder: RunFolder) -> Outcome:
    options = run_options(cell)
    go_on = replace(cell, sections={**cell.sections, "run": options.model_copy(update={"resume_training": True})})
    try:
        if not options.overwrite and _is_finished(cell, folder):
            log.info("finished before: its results are reused")
            return "reused"
        written = train(go_on)
    except KeyboardInterrupt:
        return "interrupted"
    except UserError as error:
        log.error("%s failed: %s", label_of(cell), error)
        return "failed"
    except Exception:  # a run that breaks, out of memory say, must not take the others with it
        log.exception("%s failed", label_of(cell))
        return "failed"
    return "interrupted" if written["stopped_by"] == "interrupted" else "trained"


def _is_finished(cell: Request, folder: RunFolder) -> bool:
    """Whether the folder holds this run's results. Raises UserError if the data has changed since."""
    if folder.status().get("state") != "finished" or not folder.results.is_file():
        return False
    recorded = json.loads(folder.results.read_text(encoding="utf-8"))["data"]["hash"]
    if recorded != make_split(cell, load_data(cell)).data.hash:
        raise UserError(f"the data has changed since {folder.path} was run: --overwrite true runs it again")
    return True


def _check_folders(cells: tuple[Request, ...]) -> None:
    """Refuse two runs in one folder."""
    paths = [str(run_folder(cell).path) for cell in cells]
    shared = sorted({path for path in paths if paths.count(path) > 1})
    if shared:
        raise UserError(
            f"several runs of the comparison would share a folder: {', '.join(shared)}; drop experiment_name"
        )
