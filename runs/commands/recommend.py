"""Command recommend: generate top-k recommendations, by original ids, as a table on disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator

from common.errors import UserError
from common.files import expanded
from common.schema import Options
from datasets.file_options import FileFormat
from options import Resolved
from runs.approximate import ApproximateSearch, SearchOptions
from runs.command import Command
from runs.histories import History, known_users, new_users
from runs.id_files import first_few, listed_items
from runs.run_options import RunOptions
from runs.top_k_lists import measured_recall, open_table, write_lists
from runs.trained import TrainedRun, load_run
from runs.trained_options import MovedFiles, execution_options, missing_run

log = logging.getLogger(__name__)
SUFFIXES = (".parquet", ".csv")
EITHER = "give either --users (all, or a file of ids) or --histories (a file of interactions)"


class RecommendOptions(SearchOptions, MovedFiles):
    """The users, the number of items per user, and the file to write."""

    users: str | None = Field(
        None,
        min_length=1,
        description="all, or a file of user ids (one per line, or a column of a .csv, .tsv or .parquet file)",
    )
    histories: Path | None = Field(
        None, description="instead of `users`: a file of interactions of new users, in a format of dataset `file`"
    )
    file_format: FileFormat = Field("auto", description="the format of `histories`, see dataset `file`")
    items: Path | None = Field(None, description="a file of item ids, in the formats of `users`: recommend only these")
    exclude_items: Path | None = Field(None, description="a file of item ids, as `items`: never recommend these")
    topk: int = Field(20, ge=1, description="items per user; fewer if fewer are left")
    output: Path | None = Field(
        None, description="the file to write: .parquet or .csv; null = recommendations.parquet in the run's folder"
    )
    history: History = Field(
        "all",
        description="the model's input for a user in the data: all interactions, the training interactions, or the "
        "input of the test set",
    )
    filter_seen: bool | None = Field(
        None, description="leave out the items of a user's history; null = as in the run's evaluation"
    )
    empty_histories: Literal["nothing", "popular"] = Field(
        "nothing",
        description="recommendations for users without a known item: nothing, or the most popular items",
    )
    batch_size: int | None = Field(None, ge=1, description="users per batch; null = the run's eval_batch_size")

    @field_validator("output")
    @classmethod
    def _known_suffix(cls, path: Path | None) -> Path | None:
        if path is not None and path.suffix not in SUFFIXES:
            raise ValueError(f"should end in {' or '.join(SUFFIXES)}")
        return path

    @field_validator("users", "histories", "items", "exclude_items")
    @classmethod
    def _listed_file_is_there(cls, value: str | Path | None) -> str | Path | None:
        if value not in (None, "all") and not expanded(Path(str(value))).is_file():
            raise ValueError("there is no such file")
        return value

    @model_validator(mode="after")
    def _users_or_histories(self) -> RecommendOptions:
        if self.users is not None and self.histories is not None:
            raise ValueError(EITHER)
        if self.histories is not None and self.history != "all":
            raise ValueError("history is for users in the data (--users), not for new histories (--histories)")
        if self.users is not None and self.file_format != "auto":
            raise ValueError("file_format is the format of --histories, not of --users")
        return self


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    users, served : number of users, and of those who got any item
    rows : number of recommendations
    seconds : time for scoring and writing
    recall : share of the exact lists that approximate search found, and the number of users it is measured on; None if
        the search was exact
    """

    label: str
    output: Path
    users: int
    served: int
    rows: int
    seconds: float
    recall: tuple[float, int] | None


def recommend(resolved: Resolved) -> Written:
    """Write top-k recommendations. Raises UserError for users or models that can't have any."""
    options, run_options = resolved.section("recommend", RecommendOptions), resolved.section("run", RunOptions)
    output = options.output or _in_run(Path(str(run_options.pretrained_weights)))
    if output.exists() and not run_options.overwrite:
        raise UserError(f"{output} exists: give another --output, or --overwrite true to replace it")
    changes = {"filter_seen": options.filter_seen, "eval_batch_size": options.batch_size}
    run = load_run(
        str(run_options.pretrained_weights),
        execution_options(resolved),
        **options.moved(),
        **{key: value for key, value in changes.items() if value is not None},
    )
    _check_model(run, new=options.histories is not None)
    barred = _barred(run, options)
    if options.histories is not None:
        recipients = new_users(run, options.histories, options.file_format)
    else:
        recipients = known_users(run, options.users or "all", options.history)
    empty = recipients.end == recipients.start
    if empty.any():
        log.warning(
            "%d of %d users have no item that the model knows and get %s: %s",
            np.count_nonzero(empty),
            len(empty),
            "the most popular items" if options.empty_histories == "popular" else "nothing (see empty_histories)",
            first_few(recipients.ids[empty]),
        )
    search = ApproximateSearch.of(run, options.search_cells, barred) if options.search == "approximate" else None
    began = time.perf_counter()
    item_ids, fill_empty = np.asarray(run.experiment.loader.data.item_ids), options.empty_histories == "popular"
    with open_table(output, recipients.ids, item_ids) as write:
        lists = write_lists(run, recipients, options.topk, fill_empty, barred, write, search)
    without = (lists == 0) & ~empty
    if without.any():
        log.warning(
            "%d of %d users get nothing, as they have seen all items%s (filter_seen is true): %s",
            np.count_nonzero(without),
            len(without),
            "" if barred is None else " that may be recommended",
            first_few(recipients.ids[without]),
        )
    label, seconds = run.experiment.config.label, time.perf_counter() - began
    served = int(np.count_nonzero(lists))
    recall = None if search is None else measured_recall(run, recipients, options.topk, barred, search)
    return Written(label, output, len(lists), served, int(lists.sum()), seconds, recall)


def _in_run(weights: Path) -> Path:
    """The file for the lists of a run, given its folder or its weights, in its folder."""
    return (weights if weights.is_dir() else weights.parent.parent) / "recommendations.parquet"


def _barred(run: TrainedRun, options: RecommendOptions) -> torch.Tensor | None:
    """Which items are never recommended: bool [V + 1] on the run's device; None if all may be.

    Raises UserError if no item is left.
    """
    if options.items is None and options.exclude_items is None:
        return None
    data = run.experiment.loader.data
    barred = torch.zeros(data.num_items + 1, dtype=torch.bool)
    if options.items is not None:
        barred[:] = True
        barred[torch.from_numpy(listed_items(options.items, data.item_ids, data.name)) + 1] = False
    if options.exclude_items is not None:
        barred[torch.from_numpy(listed_items(options.exclude_items, data.item_ids, data.name)) + 1] = True
    if bool(barred[1:].all()):
        listed = [str(path) for path in (options.items, options.exclude_items) if path is not None]
        raise UserError(f"{' and '.join(listed)} leave no item to recommend")
    return barred.to(run.experiment.device)


def _check_model(run: TrainedRun, new: bool) -> None:
    """Refuse a model that can't rank items for users, or for `new` users."""
    code = run.experiment.model.code
    if run.experiment.loader.code == "item_ratings":
        raise UserError(
            f"model {code} predicts the ratings of an item and can't rank items for users; use autorec_user"
        )
    refusal = run.experiment.model.new_user_refusal
    if new and refusal is not None:
        raise UserError(f"model {code} can't serve new histories: {refusal}. Give --users, or another model's run")


def _run(resolved: Resolved) -> int:
    written = recommend(resolved)
    print(
        f"{written.label}: {written.rows:,} rows for {written.served:,} of {written.users:,} users in {written.output} "
        f"({written.users / written.seconds:,.0f} users per second)"
    )
    if written.recall is not None:
        share, users = written.recall
        print(f"approximate search found {share:.1%} of the items in the exact lists of {users} users")
    return 0


def _conflict(sections: Mapping[str, Options]) -> str | None:
    options = sections.get("recommend")
    if not isinstance(options, RecommendOptions):
        return None
    return EITHER if options.users is None and options.histories is None else missing_run(sections)


RECOMMEND = Command(
    ("run", "recommend"),
    _run,
    RecommendOptions,
    conflict=_conflict,
    description="write top-k recommendations of a trained model",
)
