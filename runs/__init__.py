"""What main can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.schema import Options
from options.request import Request
from reports import ReportOptions
from runs import commands
from runs.compare import CompareOptions
from runs.datasets import DatasetsOptions, show_datasets
from runs.export import ExportOptions
from runs.logs import log_to_screen
from runs.recommend import RecommendOptions
from runs.stats import StatsOptions, listed_codes, stats
from runs.status import status
from runs.tuning import TuneOptions

ONE_RUN = ("run", "dataset", "split", "dataloader", "model", "trainer", "evaluation")


@dataclass(frozen=True)
class Mode:
    """What `--mode` can name: the sections of options that it uses, its own schema if it has one, and what it does.

    listed: from its own options and dataset_code to the codes of the datasets that they list; None where they can't.
    """

    sections: tuple[str, ...]
    run: Callable[[Request], int]
    Options: type[Options] | None = None
    listed: Callable[[Any, str], list[str]] | None = None


MODES: dict[str, Mode] = {
    "train": Mode(ONE_RUN, commands.train),
    "validate": Mode(ONE_RUN, commands.validate),
    "test": Mode(ONE_RUN, commands.test),
    "stats": Mode(("run", "dataset", "stats"), stats, StatsOptions, listed_codes),
    "datasets": Mode(("run", "datasets"), show_datasets, DatasetsOptions),
    "tune": Mode((*ONE_RUN, "tune"), commands.tune, TuneOptions),
    "compare": Mode(("run", "compare"), commands.compare, CompareOptions),
    "status": Mode(("run", "compare"), status, CompareOptions),
    "export": Mode(("run", "export"), commands.export, ExportOptions),
    "recommend": Mode(("run", "recommend"), commands.recommend, RecommendOptions),
    "report": Mode(("run", "report"), commands.report, ReportOptions),
}


def run(request: Request) -> int:
    """Do what the request asks for; returns the exit code."""
    verbose = bool(request.values.get("verbose", False))
    log_to_screen(verbose)
    return MODES[request.mode].run(request)
