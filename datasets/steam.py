"""Steam: game reviews by players, in three versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from datasets.base import RawInteractions
from datasets.download import Source
from datasets.raw_files import RawFile, RawFileDataset, RawFileOptions
from datasets.raw_tables import Table, bad_raw_rows
from datasets.readers.python_lines import Row, read_python_lines
from datasets.readers.table import BadRows, RawTable
from datasets.readers.tokens import read_rows
from datasets.readers.values import to_interactions

UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data/steam"
FILES = {
    "reviews": RawFile(
        ("steam_reviews.json", "steam_new.json"),
        (
            Source(f"{UCSD}/steam_reviews.json.gz"),
            Source("https://cseweb.ucsd.edu/~wckang/steam_reviews.json.gz"),
        ),
        Path("steam"),
    ),
    "australian": RawFile(
        ("australian_user_reviews.json",),
        (Source(f"{UCSD}/australian_user_reviews.json.gz"),),
        Path("steam"),
    ),
    "sasrec": RawFile(
        ("Steam.txt", "steam.txt"),
        (
            Source("https://raw.githubusercontent.com/FeiSun/BERT4Rec/master/data/steam.txt"),
            Source("https://raw.githubusercontent.com/WhiteGiveFive/SASRecAE/HEAD/data/Steam.txt"),
        ),
        Path("steam"),
        Table(" ", ("user", "item"), integer_ids=("user", "item")),
    ),
}


class SteamOptions(RawFileOptions):
    """Options of the `steam` dataset."""

    steam_version: Literal["reviews", "australian", "sasrec"] = Field(
        "reviews",
        description="reviews: 7.8 million with dates; australian: 59,305 by Australian players, with dates; "
        "sasrec: as preprocessed by SASRec's authors, in time order but without timestamps",
    )


class Steam(RawFileDataset[SteamOptions]):
    """Reviews as Python literals, one line per review or per player, or SASRec's rows of user and item."""

    code = "steam"
    Options = SteamOptions
    description = "Steam: 2,567,538 players, 15,474 games, 7,793,069 reviews from 2010-2018; or a subset of them"
    home = "https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data"
    licence = "research use (no licence is stated)"
    citation = (
        "Wang-Cheng Kang and Julian McAuley. Self-Attentive Sequential Recommendation. ICDM 2018, 197-206. "
        "https://doi.org/10.1109/ICDM.2018.00035"
    )
    size = "1.3 GB (australian: 7 MB)"

    def name(self, options: SteamOptions) -> str:
        """The code and, unless it is reviews, the version."""
        return self.code if options.steam_version == "reviews" else f"{self.code}-{options.steam_version}"

    def declaration(self, options: SteamOptions) -> RawFile:
        """One file per version."""
        return FILES[options.steam_version]

    def read(self, options: SteamOptions) -> RawInteractions:
        """Read player, game and, except from SASRec's file, the date."""
        path = self.raw_file(options)
        bad_rows = bad_raw_rows(path)
        if options.steam_version == "sasrec":
            table = read_rows(path, 2, {"user": 0, "item": 1}, False, bad_rows)
            return to_interactions(table, bad_rows, integer_ids=("user", "item"))
        # Player names are arbitrary, even `NULL`; the few that can't be ids are dropped and counted.
        odd_names = BadRows(skip=True)
        if options.steam_version == "reviews":
            table = read_python_lines(path, _review, ("user", "item", "timestamp"), bad_rows)
            return to_interactions(table, odd_names, time_format="ISO8601")
        table = _drop_undated(read_python_lines(path, _reviews_of_player, ("user", "item", "timestamp"), bad_rows))
        return to_interactions(table, odd_names, time_format="Posted %B %d, %Y.")


def _review(line: dict[str, Any]) -> Iterator[Row]:
    """The row of a line, which is a review."""
    yield line["username"], line["product_id"], line["date"]


def _reviews_of_player(line: dict[str, Any]) -> Iterator[Row]:
    """The rows of a line, which is a player with a list of reviews."""
    for review in line["reviews"]:
        yield line["user_id"], review["item_id"], review["posted"]


def _drop_undated(table: RawTable) -> RawTable:
    """Drop reviews from the year of collection, whose dates have no year."""
    posted = table.columns["timestamp"]
    yearless = np.asarray(pc.match_substring_regex(posted, r"^Posted \w+ \d+\.$").to_numpy(), dtype=bool)
    return table.keep(~yearless, "drop reviews whose dates have no year")
