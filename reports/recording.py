"""Records runs: their results, per-user values and learning curves, as files of one folder."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError
from common.files import write_bytes
from reports.collect import PER_USER, Run
from reports.learning import curve_text


def record_runs(runs: Sequence[Run], folder: Path, overwrite: bool) -> list[Path]:
    """Copy each run to `<folder>/<dataset>.<label>.seed<n>.json`, `.per_user.parquet` and `.curve.csv`; returns these.

    A file that is there already with the same content is left alone. Raises UserError, before anything is written, for
    two runs of one name and, unless `overwrite`, for a different run under the name.
    """
    named: dict[str, Run] = {}
    for run in runs:
        other = named.setdefault(record_name(run), run)
        if other is not run:
            raise UserError(
                f"{other.path} and {run.path} would both be recorded as {record_name(run)}: record one of them, or "
                "give them different labels"
            )
    contents = {folder / f"{name}{end}": file for name, run in named.items() for end, file in _contents(run).items()}
    if not overwrite:
        for path, content in contents.items():
            if path.suffix == ".json" and path.is_file() and path.read_bytes() != content:
                raise UserError(f"{path} holds another run ({_told(path)}); --overwrite true replaces it")
    # What is read first, the results, is written last: nobody finds a run whose other files are still to come.
    for path, content in sorted(contents.items(), key=lambda file: file[0].suffix == ".json"):
        if content is None:
            path.unlink(missing_ok=True)  # of the run that was there before
        elif not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    return [path for path, content in contents.items() if content is not None]


def record_name(run: Run) -> str:
    """`<dataset>.<label>.seed<n>`, with the split after the dataset where it isn't leave-one-out; in lower case."""
    record = run.record
    split = "" if record.split == "leave_one_out" else record.split
    parts = [record.data.name, split, record.label]
    return ".".join([*(_safe(part) for part in parts if part), f"seed{record.seed}"])


def _safe(text: str) -> str:
    return re.sub(r"[^\w+-]+", "_", text).strip("_").lower() or "run"


def _contents(run: Run) -> dict[str, bytes | None]:
    """A run's files by the end of their names; None where it has none."""
    curve = curve_text(run)
    return {
        ".json": run.path.read_bytes(),
        f".{PER_USER}": run.per_user_path.read_bytes() if run.per_user_path.is_file() else None,
        ".curve.csv": None if curve is None else curve.encode(),
    }


def _told(path: Path) -> str:
    """When the run that is recorded there was finished."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "damaged"
    return f"finished {content.get('finished')}, {content.get('epochs')} epochs" if isinstance(content, dict) else "?"
