"""The table of `benchmarks/peers.py`: other libraries and this repository on the same work."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OURS = "ours"
KINDS = ("epoch", "validation")


def peers_table(recorded: Path) -> str:
    """The table of a recorded comparison in Markdown."""
    return "\n".join(lines_of(json.loads(recorded.read_text(encoding="utf-8"))))


def lines_of(record: Mapping[str, Any]) -> list[str]:
    """What was compared, a table of medians with ratios, and the machine's limits."""
    lines = [
        f"{record['data']}, {record['users']:,} users, {record['rows']:,} interactions; threads: {record['threads']}; "
        f"processes of each, in turns: {record['rounds']}; load of the machine: {record['load']:.0f}",
        "",
        "| work | library | epoch: s, CPU s | times ours | validation: s, CPU s | times ours | MiB | times ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    runs = record["runs"]
    for model, library in dict.fromkeys((run["work"], run["library"]) for run in runs):
        own, ours = (_medians(runs, model, name) for name in (library, OURS))
        cells = [model, f"this repository, {own['version']}" if library == OURS else own["version"]]
        for kind in KINDS:
            cells.append(f"{own[kind]:.2f}, {own[f'{kind}_cpu']:.2f}")
            ratio, cpu = (own[key] / ours[key] for key in (kind, f"{kind}_cpu"))
            cells.append("" if library == OURS else f"{ratio:.1f}, CPU {cpu:.1f}")
        cells += [f"{own['peak_mib']:,.0f}", "" if library == OURS else f"{own['peak_mib'] / ours['peak_mib']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    limits = [run["figures"]["limits"] for run in runs if "limits" in run["figures"]]
    best = {key: max(each[key] for each in limits) for key in limits[0]}
    lines += [
        "",
        f"The machine's limits, measured beside: fp32 products {best['fp32_gflops']:,.0f} GFLOP/s, bf16 "
        f"{best['bf16_gflops']:,.0f} GFLOP/s, memory {best['copy_gb_per_s']:.1f} GB/s.",
    ]
    return lines


def _medians(runs: list[dict[str, Any]], model: str, library: str) -> dict[str, Any]:
    """The medians over the processes of a library."""
    own = [run["figures"] for run in runs if (run["work"], run["library"]) == (model, library)]
    keys = [key for kind in KINDS for key in (kind, f"{kind}_cpu")]
    found: dict[str, Any] = {key: statistics.median([value for each in own for value in each[key]]) for key in keys}
    return {**found, "peak_mib": statistics.median([each["peak_mib"] for each in own]), "version": own[0]["version"]}
