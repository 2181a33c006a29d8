"""The base class of datasets: options, reading raw interactions, preparing and caching them."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

import pandas as pd
from pydantic import Field, model_validator

from common.files import remove_abandoned
from common.log_handlers import captured_records
from common.schema import LOCATION, Options
from common.texts import value_hash
from datasets import cache
from datasets.funnel import Funnel, as_text
from datasets.prepare import PREPARE_VERSION, Rules, encode_rows, prepare
from datasets.rows import Rows
from datasets.sequence_data import SequenceData
from datasets.time_options import TimeOption, to_seconds

log = logging.getLogger(__name__)
# Messages of these loggers describe the data; they are cached and logged again at each load.
CACHED_LOGGERS = tuple(f"datasets.{module}" for module in ("file", "readers", "appended", "prepare"))


class DatasetOptions(Options):
    """Options of every dataset."""

    of_data: ClassVar[bool] = True

    local_data_folder: Path = Field(
        Path("Data"), description="folder for raw files and prepared datasets", json_schema_extra=LOCATION
    )
    min_rating: float | None = Field(0, description="drop interactions rated below this; null = keep all")
    min_uc: int = Field(5, ge=0, description="drop users with fewer interactions than this")
    min_sc: int = Field(5, ge=0, description="drop items with fewer interactions than this")
    filter_mode: Literal["core", "once"] = Field(
        "core",
        description="core: apply min_sc and min_uc until both hold; once: filter items, then users (MEANTIME's code)",
    )
    repeats: Literal["keep", "first", "last", "sum"] = Field(
        "keep",
        description="how to merge a user's interactions with the same item: keep = not at all; first, last = keep that "
        "one; sum = keep the last one, with the sum of their ratings (without ratings, their number)",
    )
    drop_copies: bool = Field(
        False, description="drop exact copies: rows with the user, the item and the second of an earlier row"
    )
    tie_order: Literal["file", "item", "random"] = Field(
        "file",
        description="order of a user's interactions with equal timestamps: as in the file, by item id, or random",
    )
    tie_seed: int = Field(0, ge=0, description="random seed of tie_order random")
    since: TimeOption | None = Field(
        None, description="drop interactions before this time: a date such as 2003-02-28, or Unix seconds"
    )
    until: TimeOption | None = Field(None, description="drop interactions at or after this time")
    subsample_users: int | None = Field(None, ge=1, description="keep only this many randomly drawn users")
    subsample_seed: int = Field(0, ge=0, description="random seed of subsample_users")
    max_items: int | None = Field(None, ge=1, description="keep only this many items, the most popular ones")

    @model_validator(mode="after")
    def _check_times(self) -> DatasetOptions:
        if self.since is not None and self.until is not None and to_seconds(self.since) >= to_seconds(self.until):
            raise ValueError("since must be earlier than until")
        return self

    @property
    def scratch(self) -> Path | None:
        """Folder for the files of long arrays while the data is prepared; None = they are kept in memory."""
        return None

    def rules(self) -> Rules:
        """The preparation rules that these options stand for."""
        values = {field.name: getattr(self, field.name) for field in fields(Rules)}
        times = {key: None if values[key] is None else to_seconds(values[key]) for key in ("since", "until")}
        return Rules(**{**values, **times})


@dataclass(frozen=True)
class RawInteractions:
    """Interactions as read from the raw file, in file order.

    Attributes
    ----------
    frame : columns `user` and `item` (int64 or str) and, if available, `rating` (float32), `timestamp` (int64) and
        `part` (0 training, 1 validation, 2 test)
    ticks_per_second : unit of `timestamp`: 1 = seconds, 1000 = milliseconds, ...
    funnel : the steps of reading that dropped rows
    """

    frame: pd.DataFrame
    ticks_per_second: int = 1
    funnel: Funnel = ()


AnyOptions = TypeVar("AnyOptions", bound=DatasetOptions)


class Dataset(ABC, Generic[AnyOptions]):
    """A source of interactions. Subclasses define where the raw data is and how to read it.

    Attributes
    ----------
    code : name of the dataset in `--dataset_code`
    description : one line for `--mode datasets` and `--help`
    reader_version : increased when `read` changes, so that cached data is prepared again
    repeat_consumption : whether users consume items repeatedly
    location_options : options that only locate the data, and so are not part of the cache key
    """

    code: ClassVar[str]
    Options: ClassVar[type[DatasetOptions]]
    description: ClassVar[str]
    reader_version: ClassVar[int] = 1
    repeat_consumption: ClassVar[bool] = False
    location_options: ClassVar[frozenset[str]] = frozenset({"local_data_folder"})

    def name(self, options: AnyOptions) -> str:
        """The dataset's name in results."""
        return self.code

    @abstractmethod
    def content_key(self, options: AnyOptions) -> str:
        """A string that changes with the raw data, such as its hash. Downloads the raw data if it is missing."""

    @abstractmethod
    def read(self, options: AnyOptions) -> RawInteractions:
        """Read the raw interactions.

        Raises
        ------
        UserError
            A file is missing, damaged or not the expected one.
        """

    def rows(self, options: AnyOptions) -> tuple[Rows, Funnel]:
        """The encoded rows, and the steps of reading them."""
        raw = self.read(options)
        return encode_rows(raw.frame, raw.ticks_per_second, options.scratch), raw.funnel

    def has_repeat_consumption(self, options: AnyOptions, data: SequenceData) -> bool:
        """Whether users consume items repeatedly; `data` is the prepared dataset."""
        return self.repeat_consumption

    def cache_key(self, options: AnyOptions) -> str:
        """Name of the cache folder: 20 hex digits that depend on the raw data, the code's versions and the options."""
        identity = {
            "cache": cache.CACHE_VERSION,
            "content": self.content_key(options),
            "reader": f"{self.code}/{self.reader_version}",
            "prepare": PREPARE_VERSION,
            "options": options.model_dump(mode="json", exclude=set(self.location_options)),
        }
        return value_hash(identity, 20)

    def load(self, options: AnyOptions) -> SequenceData:
        """Load the dataset from the cache; if it isn't there or is damaged, read, filter, order and cache it first."""
        name = self.name(options)
        folder = options.local_data_folder / "prepared" / self.cache_key(options)
        remove_abandoned(folder.parent, *cache.TEMPORARY)
        cached = cache.load(folder, name=name)
        if cached is not None:
            log.debug("%s: %s", name, as_text(cached.funnel))
            return cached
        with captured_records(CACHED_LOGGERS) as notes:
            rows, funnel = self.rows(options)
            data = prepare(rows, options.rules(), name=name, funnel=funnel)
            del rows
            consumption = options.repeats == "keep" and self.has_repeat_consumption(options, data)
            data = replace(data, repeat_consumption=consumption)
        cache.store(folder, data, [(note.levelno, _with_placeholder(note)) for note in notes])
        log.info("%s: prepared, and cached in %s", name, folder)
        log.debug("%s: %s", name, as_text(data.funnel))
        return cache.load(folder, name=name, log_notes=False) or data


def _with_placeholder(note: logging.LogRecord) -> str:
    """The message with a placeholder for the path or name at its start."""
    if isinstance(note.args, tuple) and note.msg.startswith("%s"):
        return str(note.msg % (cache.NAME_PLACEHOLDER, *note.args[1:]))
    return note.getMessage()
