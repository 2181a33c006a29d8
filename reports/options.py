"""The options of `--mode report`."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.schema import Options

Format = Literal["markdown", "csv", "latex", "html", "png", "svg", "pdf"]
Extra = Literal["seeds", "minutes", "parameters", "epochs", "memory", "device", "published"]
COSTS: dict[Extra, str] = {  # heading by name
    "seeds": "Seeds",
    "minutes": "Minutes",
    "parameters": "Parameters",
    "epochs": "Epochs",
    "memory": "Memory MiB",
    "device": "Device",
}


class ReportOptions(Options):
    """Which runs to compare, by which metrics, and what to write."""

    experiments: tuple[str, ...] = Field(
        ("experiments/**/results.json",),
        min_length=1,
        description="runs to report: files, folders or globs (`results` = the recorded reference runs)",
    )
    labels: tuple[Annotated[str, Field(pattern=r"^.+=[^=]+$")], ...] = Field(
        (),
        description="other names of rows, each OLD=NEW; OLD = a label, a run's folder or results file, or a row's name "
        "in the table",
    )
    metrics: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="metrics shown as columns; null = NDCG@10 and Recall@10 (or the largest k that was measured), RMSE "
        "and MAE",
    )
    columns: tuple[Extra, ...] | None = Field(
        None,
        description="columns beside the metrics; null = all, but on screen those that fit, and no published figures",
    )
    candidates: tuple[str, ...] | None = Field(
        None, description="candidate sets to show: full, popular, random; null = all that were evaluated"
    )
    phase: Literal["test", "validation"] = Field("test", description="test or validation metrics")
    baseline: str | None = Field(
        None, description="label to compare with in gains and significance tests; null = the best label, no gains"
    )
    significance: Literal["paired_t", "wilcoxon", "bootstrap"] | None = Field(
        "paired_t", description="paired significance test over users; null = none"
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="significance level of the Holm-corrected p-values"
    )
    intervals: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="level of the bootstrap confidence intervals of the means over users, e.g. 0.95; null = none",
    )
    order: Literal["value", "label", "given"] = Field(
        "value", description="order of rows: by the first column (best first), by label, or as the runs are given"
    )
    report_folder: str | None = Field(None, min_length=1, description="folder for the report; null = print it only")
    formats: tuple[Format, ...] = Field(
        ("markdown", "csv", "latex", "html"),
        description="what to write to report_folder; html = one page with everything; png, svg, pdf = its figures as "
        "pictures",
    )
    stats: tuple[Path, ...] = Field((), description="files written by --mode stats --stats_json to show on the page")
    record_folder: Path | None = Field(
        None, description="folder to copy results, per-user values and learning curves of the runs to; null = none"
    )
    markdown_block: Path | None = Field(
        None,
        description="Markdown file with a block from <!-- results --> to <!-- /results --> to fill with the tables",
    )
    block_name: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = Field(
        None, description="NAME of a named block: <!-- results:NAME --> to <!-- /results:NAME -->"
    )
    check_block: bool = Field(False, description="don't write the block; exit with status 1 if it is out of date")

    @property
    def new_labels(self) -> dict[str, str]:
        """The new label by the old name, of `labels`."""
        return {old: new for old, _, new in (each.rpartition("=") for each in self.labels)}


def default_metrics(measured: Collection[str]) -> list[str]:
    """Return the metrics of a table for which none were chosen: NDCG@10, Recall@10, RMSE and MAE, if measured.

    Where nothing was measured at 10, the largest measured k takes its place.
    """
    found = []
    for stem in ("NDCG", "Recall"):
        cuts = [int(name.partition("@")[2]) for name in measured if name.startswith(f"{stem}@") and name[-1].isdigit()]
        if cuts:
            found.append(f"{stem}@{10 if 10 in cuts else max(cuts)}")
    found += [name for name in ("RMSE", "MAE") if name in measured]
    return found or sorted(measured)[:2]
