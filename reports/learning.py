"""Learning curves, read from the tables of a run folder or from the `.curve.csv` of a recorded run."""

import csv
import io
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from reports.collect import RESULTS, Run

KEPT = ("NDCG", "Recall", "RMSE", "MAE")  # metrics of a recorded curve
DIGITS = 6  # significant digits of a recorded value


@dataclass(frozen=True)
class LearningCurve:
    """Validation metrics by epoch; all tuples have the length of `epochs`.

    Attributes
    ----------
    minutes : training and validation time from the start of the run to the end of the epoch; NaN if not recorded
    values : validation metrics by "<candidates>/<metric>"
    """

    epochs: tuple[int, ...]
    minutes: tuple[float, ...]
    stages: tuple[str, ...]
    values: dict[str, tuple[float, ...]]

    def stage_starts(self) -> list[int]:
        """Return the indices in `epochs` at which the second and later stages start."""
        return [place for place in range(1, len(self.epochs)) if self.stages[place] != self.stages[place - 1]]


def read_curve(run: Run) -> LearningCurve | None:
    """Read a run's learning curve up to the last epoch of its results; None if none was recorded.

    Raises UserError if the file is damaged.
    """
    is_folder = run.path.name == RESULTS
    path = _validation_table(run) if is_folder else run.curve_path
    rows = _rows(path, run)
    if not rows:
        return None
    if is_folder:
        taken = _column(path.parent / "time_log.csv", run, "seconds")
        rows = [{**row, "seconds": taken.get(row.get("epoch", ""), "")} for row in rows]
    try:
        seconds = [float(row.get("seconds") or math.nan) for row in rows]
        return LearningCurve(
            epochs=tuple(int(row["epoch"]) for row in rows),
            minutes=tuple(total / 60 for total in itertools.accumulate(seconds)),
            stages=tuple(row["stage"] for row in rows),
            values={name: tuple(float(row[name]) for row in rows) for name in rows[0] if "/" in name},
        )
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is not a learning curve ({error!r}): it is damaged; delete it") from error


def curve_text(run: Run) -> str | None:
    """Return the curve as CSV: epoch, stage, training loss, seconds and the main metrics; None if there is no curve.

    Raises UserError if the run's tables are damaged.
    """
    if run.path.name != RESULTS:
        return run.curve_path.read_text(encoding="utf-8") if run.curve_path.is_file() else None
    curve = read_curve(run)
    if curve is None:
        return None
    tables = _validation_table(run).parent
    beside = {
        "loss": _column(tables / "train_log.csv", run, "loss"),
        "seconds": _column(tables / "time_log.csv", run, "seconds"),
    }
    names = [name for name in curve.values if name.split("/")[1].split("@")[0] in KEPT]
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["epoch", "stage", *beside, *names])
    for place, epoch in enumerate(curve.epochs):
        facts = [values.get(str(epoch), "") for values in beside.values()]
        measured = [f"{curve.values[name][place]:.{DIGITS}g}" for name in names]
        writer.writerow([epoch, curve.stages[place], *facts, *measured])
    return output.getvalue()


def _validation_table(run: Run) -> Path:
    return run.path.parent / "tables" / "val_log.csv"


def _column(path: Path, run: Run, name: str) -> dict[str, str]:
    """Read a column of a table by epoch, rounded to DIGITS; empty if the table doesn't exist."""
    rows = [row for row in _rows(path, run) if row.get(name)]
    return {row["epoch"]: f"{float(row[name]):.{DIGITS}g}" for row in rows}


def _rows(path: Path, run: Run) -> list[dict[str, str]]:
    """Read the rows up to the last epoch of the results: an interrupted run may have been resumed since."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't read {path}: {error}") from error
    whole = [line for line in lines if line.endswith("\n")]  # the last line may be incomplete
    last = run.record.epochs
    try:
        return [row for row in csv.DictReader(whole) if last is None or int(row["epoch"]) <= last]
    except (KeyError, ValueError, csv.Error) as error:
        raise UserError(f"{path} is not a table of a run ({error!r}): it is damaged; delete it") from error
