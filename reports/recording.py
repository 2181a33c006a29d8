"""Copies the results, per-user values and learning curves of runs into one folder."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError
from common.files import write_bytes
from common.texts import path_part
from reports.collect import PER_USER, Run
from reports.learning import curve_text


def record_runs(runs: Sequence[Run], folder: Path, overwrite: bool) -> list[Path]:
    """Copy each run to `<folder>/<dataset>.<label>.seed<n>.json`, `.per_user.parquet` and `.curve.csv`.

    Returns the paths of the files. Existing files with the same content are not written again. Raises UserError, before
    anything is written, if two runs have the same name or, unless `overwrite`, if a file of another run would be
    replaced.
    """
    named: dict[str, Run] = {}
    for run in runs:
        other = named.setdefault(record_name(run), run)
        if other is not run:
            raise UserError(
                f"{other.path} and {run.path} would both be recorded as {record_name(run)}: record one of them, or "
                "train with different labels (--label)"
            )
    contents = {folder / f"{name}{end}": file for name, run in named.items() for end, file in _contents(run).items()}
    if not overwrite:
        for path, content in contents.items():
            if path.suffix == ".json" and path.is_file() and path.read_bytes() != content:
                raise UserError(
                    f"{path} is the record of another run ({_summary(path)}); pass --overwrite true to replace it"
                )
    # The results are written last, so that a run is found only when its other files are complete.
    for path, content in sorted(contents.items(), key=lambda file: file[0].suffix == ".json"):
        if content is None:
            path.unlink(missing_ok=True)  # left by the run that is replaced
        elif not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    return [path for path, content in contents.items() if content is not None]


def record_name(run: Run) -> str:
    """Return `<dataset>.<label>.seed<n>` in lower case, with the split after the dataset unless it is leave-one-out."""
    record = run.record
    split = "" if record.split == "leave_one_out" else record.split
    parts = [record.data.name, split, record.label]
    return ".".join([*(_safe(part) for part in parts if part), f"seed{record.seed}"])


def _safe(text: str) -> str:
    """Return the text as a part of a name without dots, which separate the parts."""
    return re.sub(r"[_.]*\.[_.]*", "_", path_part(text, "run")).strip("_").lower() or "run"


def _contents(run: Run) -> dict[str, bytes | None]:
    """Return the contents of a run's files by suffix, None for those it doesn't have."""
    curve = curve_text(run)
    return {
        ".json": run.path.read_bytes(),
        f".{PER_USER}": run.per_user_path.read_bytes() if run.per_user_path.is_file() else None,
        ".curve.csv": None if curve is None else curve.encode(),
    }


def _summary(path: Path) -> str:
    """Describe the recorded run at `path`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "damaged"
    return (
        f"finished {content.get('finished')}, {content.get('epochs')} epochs"
        if isinstance(content, dict)
        else "damaged"
    )
