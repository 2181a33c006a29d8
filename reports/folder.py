"""The folder of a report: no report replaces one of other runs."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError
from common.files import write_text

CONTENTS = "report.json"  # which runs the report is about
REPORTS = ("report.md", "report.csv", "report.tex", "report.html")


def holds_other_runs(folder: Path, runs: Iterable[Path]) -> bool:
    """Return whether the folder has a report that is about runs other than `runs`, given as paths."""
    try:
        known = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))["runs"]
        return not set(known) <= _names(folder, runs)
    except FileNotFoundError:
        return any((folder / name).exists() for name in REPORTS)
    except (OSError, ValueError, RecursionError, KeyError, TypeError):  # damaged, so nobody's
        return True


def check_folder(folder: Path, runs: Iterable[Path]) -> None:
    """Raise UserError if a report in `folder` would replace one of other runs."""
    if holds_other_runs(folder, runs):
        raise UserError(
            f"{folder} has a report of other runs: give another --report_folder, or --overwrite true to replace it"
        )


def free_folder(folder: Path, runs: Iterable[Path]) -> Path:
    """Return `folder`, or `folder-2`, `folder-3`, ...: the first without a report of other runs."""
    runs, found, number = list(runs), folder, 1
    while holds_other_runs(found, runs):
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


def write_contents(folder: Path, runs: Iterable[Path]) -> None:
    """Note which runs the report in `folder` is about."""
    write_text(folder / CONTENTS, json.dumps({"schema": 1, "runs": sorted(_names(folder, runs))}, indent=1) + "\n")


def _names(folder: Path, runs: Iterable[Path]) -> set[str]:
    """Return the runs' paths, relative to the folder, so that both can be moved together."""
    return {Path(os.path.relpath(run.absolute(), folder.absolute())).as_posix() for run in runs}
