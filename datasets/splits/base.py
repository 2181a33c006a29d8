"""The base class of splits."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from common.schema import Options
from datasets.sequence_data import SequenceData, Split

AnySplitOptions = TypeVar("AnySplitOptions", bound=Options)


class SplitMaker(ABC, Generic[AnySplitOptions]):
    """An evaluation protocol: which interactions are for training, and which are validation and test targets."""

    code: ClassVar[str]
    predicts_ratings: ClassVar[bool] = False  # whether its targets are ratings rather than items
    Options: ClassVar[type[Options]]
    description: ClassVar[str]

    @abstractmethod
    def make(self, data: SequenceData, options: AnySplitOptions) -> Split:
        """Split `data`. Raises UserError if nothing can be held out."""
