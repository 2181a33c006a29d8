"""The options of `--mode report`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.schema import Options

Format = Literal["markdown", "csv", "latex", "html", "png"]


class ReportOptions(Options):
    """Which runs are compared, by what, and how the tables are given out."""

    experiments: tuple[str, ...] = Field(
        ("experiments/**/results.json",),
        min_length=1,
        description="the runs to report: files, folders or globs (`results` = the recorded reference runs)",
    )
    metrics: tuple[str, ...] = Field(("NDCG@10", "Recall@10"), min_length=1, description="the columns of the tables")
    candidates: tuple[str, ...] | None = Field(
        None, description="candidate sets that are shown: full, popular, random; null = all that the runs have"
    )
    phase: Literal["test", "validation"] = Field("test", description="the users' items that the numbers are about")
    baseline: str | None = Field(
        None, description="the label that gains and significance are against; null = against the best, without gains"
    )
    significance: Literal["paired_t", "wilcoxon", "bootstrap"] | None = Field(
        "paired_t", description="the paired test over users behind the marks; null = none"
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="a Holm-corrected p-value below it gets a mark"
    )
    intervals: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="level of bootstrap intervals of the means over users behind each value, say 0.95; null = none",
    )
    order: Literal["value", "label", "given"] = Field(
        "value", description="rows by the first column's value (best first), by label, or as the runs are given"
    )
    report_folder: str | None = Field(None, min_length=1, description="where tables are written to; null = nowhere")
    formats: tuple[Format, ...] = Field(
        ("markdown", "csv", "latex", "html", "png"),
        description="what is written to report_folder; html = one page with all of it",
    )
    stats: tuple[Path, ...] = Field((), description="files of --mode stats (stats_json) that the page shows as well")
    record_folder: Path | None = Field(
        None, description="where the runs are recorded: results, per-user values and learning curve of each; null = not"
    )
    markdown_block: Path | None = Field(
        None, description="Markdown file whose block from <!-- results --> to <!-- /results --> becomes the tables"
    )
    block_name: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = Field(
        None, description="NAME of the block, if the file has several: <!-- results:NAME --> to <!-- /results:NAME -->"
    )
    check_block: bool = Field(False, description="write no block; end with 1 if the file's differs from the tables")
