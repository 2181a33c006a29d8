"""What the page says of its runs: where, when and how they were made, without paths of a machine."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from common.schema import options_with_role
from common.texts import printable
from evaluation.options import SAMPLED
from reports.collect import Run, RunRecord
from reports.figures import versus
from reports.layout import STOP_REASONS, devices
from reports.numbers import with_unit
from reports.page import RunFacts
from reports.table import Row, Table

FEW = 3  # datasets named in the title
SPLITS = {  # in words; other splits are named by their code
    "leave_one_out": "leave-one-out: each user's last item is the test target, the one before it is for validation",
    "global_time": "split by time: training before a first date, validation up to a second one, test after it",
    "ratio": "each user's history is cut by shares into training, validation and test",
    "strong_generalization": "test users are not in training; most of their items are input, the others targets",
    "random_rating": "random ratings are held out and predicted",
    "files": "the split that came with the data",
}


def page_title(tables: Sequence[Table]) -> str:
    """Return the page's title: what was compared on what."""
    datasets = list(dict.fromkeys(table.dataset for table in tables))
    models = {row.label for table in tables for row in table.rows}
    on = ", ".join(datasets) if len(datasets) <= FEW else f"{len(datasets)} datasets"
    return (
        f"Comparison of {len(models)} models on {on}" if len(models) > 1 else f"{next(iter(models), 'No runs')} on {on}"
    )


def page_facts(runs: Sequence[Run]) -> list[str]:
    """Return lines on the runs of a page: dates, hardware, version, and the command that made the page."""
    records = [run.record for run in runs]
    days = sorted({(record.finished or "")[:10] for record in records} - {""})
    finished = f", finished {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    lines = [with_unit(f"{len(runs)} runs{finished}.")]
    hardware = versus(sorted({record.device or "unknown" for record in records}), "or")
    lines.append(f"Hardware: {hardware}. Code: {_versions(records)}.")
    words = [PurePath(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else []
    return [*lines, f"Page made by: {without_paths(shlex.join(['python', *words]))}"]


def _versions(records: Sequence[RunRecord]) -> str:
    """Return the versions of the code that made the runs, each with its commits in order of the runs' dates."""
    by_date = sorted(records, key=lambda record: record.finished or "")
    commits: dict[str, dict[str, None]] = {}
    for record in by_date:
        version, _, commit = printable(str(record.versions.get("code", "unknown"))).partition(" ")
        commits.setdefault(version, {}).update({commit.strip("()"): None} if commit else {})
    return ", ".join(f"{version}{_commits(list(those))}" for version, those in commits.items())


def _commits(commits: Sequence[str]) -> str:
    if len(commits) <= FEW:
        return f" ({', '.join(commits)})" if commits else ""
    return f" ({len(commits)} commits, {commits[0]} to {commits[-1]})"


def subtitle(table: Table) -> str:
    """Describe the protocol and the data of a table: what is held out, what is ranked, on how much data."""
    record = table.rows[0].runs[0].record
    words = record.protocol.get("in_words")
    seen = "seen items filtered" if table.filter_seen else "seen items not filtered"
    ranked = any(column.candidates != "ratings" for column in table.columns)
    split, said = SPLITS.get(table.split, table.split), printable(words) if isinstance(words, str) else ""
    said = re.sub(r"\b(popular|random) negatives", lambda match: f"{SAMPLED[match[1]]} negatives", said)  # early runs
    rest = said.removeprefix(f"{table.split}, ") or (seen if ranked else "")
    data = record.data
    size = f"{data.users:,} users, {data.items:,} items, {data.interactions:,} interactions"
    sentences = (f"{table.phase} values; {split}", rest, f"{size} (data {data.hash[:8]}).")
    return ". ".join(each[0].upper() + each[1:] for each in sentences if each)


def run_facts(table: Table) -> tuple[RunFacts, ...]:
    """Return the details of each row: its seeds, template, hardware, version, command, and options."""
    return tuple(RunFacts(row.label, tuple(_facts(row)), _options(row.runs[0])) for row in table.rows)


def _facts(row: Row) -> Iterable[tuple[str, str]]:
    first = row.runs[0].record
    template = first.template if isinstance(first.template, str) else " ".join(first.template or ())
    yield "model", first.model_code
    if template:
        yield "template", without_paths(template)
    for run in row.runs:
        record = run.record
        parts = [
            with_unit(f"{record.epochs:,} epochs") if record.epochs is not None else "",
            f"best {record.best_epoch:,}" if record.best_epoch is not None else "",
            STOP_REASONS.get(record.stopped_by or "", record.stopped_by or ""),
        ]
        yield f"seed {record.seed}", ", ".join(part for part in parts if part)
    yield "hardware", devices(row)
    if row.peak_memory_mib is not None:
        yield "memory", f"{row.peak_memory_mib:,.0f} MiB"
    yield "code", printable(str(first.versions.get("code", "unknown")))
    if first.command:
        yield "command", without_paths(printable(first.command))


def _options(run: Run) -> dict[str, str]:
    hidden = options_with_role("location", "per_run", "record")
    return {
        printable(key): _value(value)
        for key, value in run.record.options.items()
        if key not in hidden and key != "mode"
    }


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return without_paths(printable(text))[:300]


def without_paths(text: str) -> str:
    """Return the text with absolute paths reduced to their last part."""
    return re.sub(r"(?<![\w.:/*?\]])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])*([^\s'\"/\\]+)", r"\1", text)
