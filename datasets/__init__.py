"""Datasets and splits: download, read, filter, order and split interactions -> flat arrays."""

from dataclasses import replace
from typing import Any

from common.schema import Options
from datasets.amazon import Amazon2023, Beauty, Game
from datasets.base import Dataset, DatasetOptions
from datasets.ecommerce import Ecommerce
from datasets.file import File
from datasets.gowalla import Gowalla
from datasets.movielens import (
    MovieLens1M,
    MovieLens10M,
    MovieLens20M,
    MovieLens25M,
    MovieLens32M,
    MovieLens100K,
)
from datasets.sequence_data import PAD, Heldout, SequenceData, Split, with_hash
from datasets.sessions import RetailRocket, Yoochoose
from datasets.splits.base import SplitMaker
from datasets.splits.files import Files
from datasets.splits.global_time import GlobalTime
from datasets.splits.leave_one_out import LeaveOneOut
from datasets.splits.random_rating import RandomRating
from datasets.splits.ratio import Ratio
from datasets.splits.strong_generalization import StrongGeneralization
from datasets.stats import statistics
from datasets.steam import Steam
from datasets.synthetic import Synthetic

__all__ = ["DATASETS", "PAD", "SPLITS", "Heldout", "SequenceData", "Split", "load", "split", "statistics"]

DATASETS: dict[str, type[Dataset[Any]]] = {
    "ml-100k": MovieLens100K,
    "ml-1m": MovieLens1M,
    "ml-10m": MovieLens10M,
    "ml-20m": MovieLens20M,
    "ml-25m": MovieLens25M,
    "ml-32m": MovieLens32M,
    "beauty": Beauty,
    "game": Game,
    "amazon-2023": Amazon2023,
    "steam": Steam,
    "gowalla": Gowalla,
    "ecommerce": Ecommerce,
    "retailrocket": RetailRocket,
    "yoochoose": Yoochoose,
    "synthetic": Synthetic,
    "file": File,
}

SPLITS: dict[str, type[SplitMaker[Any]]] = {
    "leave_one_out": LeaveOneOut,
    "global_time": GlobalTime,
    "ratio": Ratio,
    "random_rating": RandomRating,
    "files": Files,
    "strong_generalization": StrongGeneralization,
}


def name(code: str, options: DatasetOptions) -> str:
    """The name of dataset `code` in results.

    Parameters
    ----------
    code : key of `DATASETS`
    options : instance of the dataset's `Options`
    """
    return DATASETS[code]().name(options)


def load(code: str, options: DatasetOptions) -> SequenceData:
    """Load the prepared dataset `code`.

    Parameters
    ----------
    code : key of `DATASETS`
    options : instance of the dataset's `Options`

    Raises
    ------
    UserError
        The raw data is missing or damaged, or the filters leave no interactions.
    """
    return DATASETS[code]().load(options)


def split(data: SequenceData, code: str, options: Options) -> Split:
    """Hold out validation and test interactions.

    Parameters
    ----------
    data : the prepared dataset
    code : key of `SPLITS`, the evaluation protocol
    options : instance of the split's `Options`

    Returns
    -------
    Split
        Its `data` differs from `data`, and has its own hash, if the protocol drops or reorders interactions.
    """
    made = SPLITS[code]().make(data, options)
    return made if made.data is data else replace(made, data=with_hash(made.data))
