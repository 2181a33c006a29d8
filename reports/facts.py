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
from reports.collect import Run
from reports.layout import STOP_REASONS, devices
from reports.numbers import with_unit
from reports.page import RunFacts
from reports.table import Row, Table

FEW = 3  # datasets named in the title


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
    hardware = _several({with_unit(record.device or "unknown") for record in records})
    lines.append(
        f"Hardware: {hardware}. Code: {_several({str(record.versions.get('code', 'unknown')) for record in records})}."
    )
    words = [PurePath(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else []
    return [*lines, f"Page made by: {without_paths(shlex.join(['python', *words]))}"]


def _several(texts: set[str]) -> str:
    shown = sorted(map(printable, texts))
    return ", ".join(shown) if len(shown) <= FEW else f"{', '.join(shown[:FEW])} and {len(shown) - FEW} more"


def subtitle(table: Table) -> str:
    """Describe the phase, the protocol and the data of a table."""
    record = table.rows[0].runs[0].record
    words = record.protocol.get("in_words")
    seen = "seen items filtered" if table.filter_seen else "seen items not filtered"
    ranked = any(column.candidates != "ratings" for column in table.columns)
    protocol = printable(words) if isinstance(words, str) else seen if ranked else ""
    data = record.data
    size = f"{data.users:,} users, {data.items:,} items, {data.interactions:,} interactions"
    return "; ".join(part for part in (table.phase.capitalize(), protocol, f"{size} (data {data.hash[:8]})") if part)


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
    return re.sub(r"(?<![\w.:/])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])*([^\s'\"/\\]+)", r"\1", text)
