"""Command blend: rank by a weighted sum of finished runs, whose weights are found on validation."""

from __future__ import annotations

from collections.abc import Mapping

from common.schema import Options
from options import Resolved
from runs.blend import BlendOptions, blend
from runs.command import Command
from runs.screen import show_metrics


def _run(resolved: Resolved) -> int:
    results = blend(resolved)
    print("\n".join(f"{part['weight']:6.2f}  {part['label']}" for part in results["weights"]))
    show_metrics(results, "test", f"{results['label']} on {results['data']['name']}, test")
    return 0


def _conflict(sections: Mapping[str, Options]) -> str | None:
    options = sections.get("blend")
    if isinstance(options, BlendOptions) and not options.parts:
        return "command blend needs finished runs: give their folders with --parts"
    return None


BLEND = Command(
    ("run", "blend"),
    _run,
    BlendOptions,
    conflict=_conflict,
    description="rank by a weighted sum of finished runs",
)
