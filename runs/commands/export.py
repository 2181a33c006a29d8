"""Mode export: write a trained model for other programs."""

from __future__ import annotations

from shlex import quote

from options import Resolved
from runs.command import Command
from runs.export import ExportOptions, export


def _run(resolved: Resolved) -> int:
    written = export(resolved)
    script = quote(str(written.folder / "serve.py"))
    print(
        f"{written.label}: {written.folder}, accepts histories of {written.length} length; scores match the "
        f"trained model (largest difference {written.difference:.0e}). Try it: python {script} ITEM ..."
    )
    return 0


EXPORT = Command(("run", "export"), _run, ExportOptions, description="write a trained model for other programs")
