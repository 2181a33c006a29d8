"""Command export: write a trained model for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from common.schema import Options
from options import Resolved
from runs.command import Command
from runs.export import ExportOptions, export
from runs.trained_options import missing_run


def _run(resolved: Resolved) -> int:
    written = export(resolved)
    script = quote(str(written.folder / "serve.py"))
    print(
        f"{written.label}: {written.folder}, accepts histories of {written.length} length; scores match the "
        f"trained model (largest difference {written.difference:.0e}). Try it: python {script} ITEM ..."
    )
    return 0


def _conflict(sections: Mapping[str, Options]) -> str | None:
    return missing_run(sections) if "export" in sections else None


EXPORT = Command(
    ("run", "export"), _run, ExportOptions, conflict=_conflict, description="write a trained model for other programs"
)
