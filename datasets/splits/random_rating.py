"""Random ratings are held out and predicted (Sedhain et al. 2015): the protocol of RMSE and MAE."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from common.errors import UserError
from common.ragged import concatenated_ranges, offsets_of
from common.schema import Options
from datasets.sequence_data import Heldout, IntArray, SequenceData, Split
from datasets.splits.base import SplitMaker
from datasets.splits.select import select_interactions, users_of

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class RatingSplit(Split):
    """A split whose targets are ratings.

    Attributes
    ----------
    lowest, highest : the rating scale; predictions are clipped to it
    unseen : the prediction if the user or the item has no training rating
    """

    lowest: float
    highest: float
    unseen: float


class RandomRatingOptions(Options):
    """Options of split `random_rating`."""

    test_share: float = Field(0.1, gt=0, lt=1, description="share of all ratings for test")
    validation_share: float = Field(0.05, gt=0, lt=1, description="share of the other ratings for validation")
    unseen_rating: float | None = Field(
        3.0, description="prediction if the user or the item has no training rating; null = the mean training rating"
    )
    split_seed: int | None = Field(
        None, ge=0, description="random seed of the split; null = the run's seed, so that each seed has its own split"
    )


class RandomRating(SplitMaker[RandomRatingOptions]):
    """Each user's ratings are reordered: training, validation, test. The input of test includes validation ratings."""

    code = "random_rating"
    predicts_ratings = True
    Options = RandomRatingOptions
    description = "hold out random ratings and predict them (RMSE, MAE)"

    def make(self, data: SequenceData, options: RandomRatingOptions) -> RatingSplit:
        """Split by ratings. A `split_seed` of None counts as 0; runs put their own seed in its place.

        Raises UserError if the data has no ratings, or too few.
        """
        seed = options.split_seed or 0
        if data.ratings is None:
            raise UserError(
                f"split random_rating needs ratings, but {data.name} has none: use another split or dataset"
            )
        roles = _roles(data.num_interactions, options, seed)
        if (np.bincount(roles, minlength=3) == 0).any():
            raise UserError(f"{data.name} has too few ratings ({data.num_interactions}) for split random_rating")
        order = np.argsort(3 * users_of(data) + roles, kind="stable")
        data, roles = select_interactions(data, order), roles[order]
        assert data.ratings is not None
        counts = [np.bincount(users_of(data)[roles == role], minlength=data.num_users) for role in (TRAIN, VALIDATION)]
        start = np.asarray(data.offsets[:-1])
        validation_start = start + counts[TRAIN]
        test_start = validation_start + counts[VALIDATION]
        mean = float(data.ratings[roles == TRAIN].mean())
        return RatingSplit(
            code=self.code,
            data=data,
            train_start=start,
            train_end=validation_start,
            validation=_heldout(start, validation_start, test_start),
            test=_heldout(start, test_start, np.asarray(data.offsets[1:])),
            lowest=float(data.ratings.min()),
            highest=float(data.ratings.max()),
            unseen=mean if options.unseen_rating is None else options.unseen_rating,
            in_time=False,
            drawn_at=seed,
        )


def _roles(ratings: int, options: RandomRatingOptions, seed: int) -> IntArray:
    """TRAIN, VALIDATION or TEST of each rating."""
    order = np.random.default_rng(seed).permutation(ratings)
    test = round(options.test_share * ratings)
    validation = round(options.validation_share * (ratings - test))
    roles = np.full(ratings, TRAIN)
    roles[order[:test]] = TEST
    roles[order[test : test + validation]] = VALIDATION
    return roles


def _heldout(input_start: IntArray, start: IntArray, end: IntArray) -> Heldout:
    """Users with targets; a user's targets are the positions `start:end`."""
    users = np.flatnonzero(end > start)
    input_start, start, end = input_start[users], start[users], end[users]
    return Heldout(users, input_start, start, concatenated_ranges(start, end), offsets_of(end - start))
