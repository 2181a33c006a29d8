"""Visits to web shops: RetailRocket by visitor, Yoochoose by session."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from common.errors import UserError
from datasets.base import RawInteractions
from datasets.download import Source
from datasets.raw_files import RawFileDataset, RawFileOptions, TableDataset
from datasets.raw_tables import Table, bad_raw_rows, read_table
from datasets.readers.values import to_interactions

EVENTS = ("view", "addtocart", "transaction")


class RetailRocketOptions(RawFileOptions):
    """Options of the `retailrocket` dataset."""

    visitor_events: Literal["view", "addtocart", "transaction", "all"] = Field(
        "view", description="which events count as interactions"
    )


class RetailRocket(RawFileDataset[RetailRocketOptions]):
    """events.csv: views, additions to the cart and purchases."""

    code = "retailrocket"
    Options = RetailRocketOptions
    description = "RetailRocket: 1,407,580 visitors, 235,061 items, 2,756,101 events from 2015"
    repeat_consumption = True
    raw_names = ("events.csv",)
    sources = (Source("https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset", needs="a Kaggle account"),)
    home = "https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset"
    table = Table(
        ",",
        ("timestamp", "user", "event", "item", "transaction"),
        header=("timestamp", "visitorid", "event", "itemid", "transactionid"),
    )
    licence = "CC BY-NC-SA 4.0"
    citation = (
        "Roman Zykov, Noskov Artem, and Anokhin Alexander. Retailrocket recommender system dataset. Kaggle (2022). "
        "https://doi.org/10.34740/KAGGLE/DSV/4471234"
    )
    size = "94 MB (in a zip of 305 MB)"

    def read(self, options: RetailRocketOptions) -> RawInteractions:
        """Read the events that the options select."""
        path = self.raw_file(options)
        lines = read_table(path, self.table, {"timestamp": 0, "user": 1, "event": 2, "item": 3})
        event = lines.columns.pop("event")
        known = pc.is_in(event, pa.array(EVENTS)).to_numpy()
        if not known.all():
            row = int(np.argmin(known))
            raise UserError(
                f"{path}, {lines.location(row)}: unknown event {event[row].as_py()!r}, expected one of "
                f"{', '.join(EVENTS)} ({bad_raw_rows(path).advice})"
            )
        if options.visitor_events != "all":
            chosen = np.asarray(pc.equal(event, options.visitor_events).to_numpy(), dtype=bool)
            lines = lines.keep(chosen, f"drop other events than {options.visitor_events} (visitor_events)")
        return to_interactions(lines, bad_raw_rows(path), time_format="ms", integer_ids=("user", "item"))


class YoochooseOptions(RawFileOptions):
    """Options of the `yoochoose` dataset."""

    min_uc: int = Field(2, ge=0, description="drop sessions with fewer clicks than this")


class Yoochoose(TableDataset[YoochooseOptions]):
    """yoochoose-clicks.dat: session, time, item, category. A user is a session."""

    code = "yoochoose"
    Options = YoochooseOptions
    description = "Yoochoose (RecSys Challenge 2015): 9,249,729 sessions, 52,739 items, 33,003,944 clicks from 2014"
    repeat_consumption = True
    raw_names = ("yoochoose-clicks.dat",)
    sources = (
        Source("https://s3-eu-west-1.amazonaws.com/yc-rdata/yoochoose-data.7z", needs="a program that unpacks 7z"),
        Source("https://www.kaggle.com/datasets/chadgostopp/recsys-challenge-2015", needs="a Kaggle account"),
    )
    home = "https://www.kaggle.com/datasets/chadgostopp/recsys-challenge-2015"
    table = Table(",", ("user", "timestamp", "item", "category"), integer_ids=("user", "item"), time_format="ISO8601")
    licence = "CC BY-NC-ND 4.0"
    citation = (
        "David Ben-Shimon, Alexander Tsikinovsky, Michael Friedmann, Bracha Shapira, Lior Rokach, and Johannes Hoerle. "
        "RecSys Challenge 2015 and the YOOCHOOSE Dataset. RecSys 2015, 357-358. https://doi.org/10.1145/2792838.2798723"
    )
    size = "1.5 GB (in a 7z of 276 MB)"
