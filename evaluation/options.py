"""The options of evaluation: which users' items count, against which candidates, by which metrics."""

from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, field_validator, model_validator

from common.errors import nearest
from common.schema import Options

CUT_METRICS = ("Recall", "HR", "NDCG", "MRR", "MAP", "Precision")
RATING_METRICS = ("RMSE", "MAE")  # of predicted ratings; lower is better
Sampler = Literal["popular", "random"]


class Loader(Protocol):
    """What a dataloader is good for: predicting ratings, ranking items, or both."""

    code: ClassVar[str]
    rates: ClassVar[bool]
    ranks: ClassVar[bool]


class EvaluationOptions(Options):
    """What is measured on validation and test, and which of it decides the best model."""

    filter_seen: bool | None = Field(
        None, description="leave out of the ranking what a user had before; null = the dataset's default"
    )
    metric_ks: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 5, 10, 20, 50), min_length=1, description="cutoffs k of the metrics"
    )
    best_metric: str = Field("NDCG@10", description="the validation metric that decides the best model and saturation")
    validation_candidates: Literal["full", "popular", "random"] = Field(
        "full", description="the candidates that best_metric is measured on: every item, or sampled negatives"
    )
    test_negative_sampler_code: tuple[Sampler, ...] = Field(
        ("popular",), description="sampled protocols beside the full ranking; [] = none"
    )
    test_negative_sample_size: int = Field(100, ge=1, description="negatives per user of the sampled protocols")
    test_negative_sampling_seed: int = Field(98765, ge=0, description="where the draw of the negatives starts")
    eval_batch_size: int = Field(512, ge=1, description="users per evaluation batch")
    beyond_accuracy: bool = Field(True, description="also measure coverage, novelty and popularity bias")

    @field_validator("metric_ks", "test_negative_sampler_code")
    @classmethod
    def _each_once(cls, values: tuple[int | str, ...]) -> tuple[int | str, ...]:
        if len(set(values)) < len(values):
            raise ValueError("should name each value once")
        return values

    @model_validator(mode="after")
    def _best_metric_is_measured(self) -> Self:
        measured = [f"{name}@{k}" for k in self.metric_ks for name in CUT_METRICS]
        measured += ["MRR", *RATING_METRICS]
        if self.best_metric not in measured:
            hint = nearest(self.best_metric, measured)
            raise ValueError(
                f"best_metric {self.best_metric} is not measured{f'; {hint}' if hint else '.'} There are: "
                f"{', '.join(CUT_METRICS)}, then @ and a k of metric_ks ({', '.join(map(str, self.metric_ks))}); MRR; "
                "for ratings RMSE and MAE"
            )
        return self

    def conflict(self, split: str, rates: bool, loader: Loader | type[Loader]) -> str | None:
        """What of a split, a dataloader and best_metric can't go together; None = nothing. It names the options.

        rates: whether ratings are predicted under the split, and not what comes next.
        """
        if rates and not loader.rates:
            return (
                f"split {split} measures predicted ratings, and a model with dataloader {loader.code} predicts none: "
                "use autorec, autorec_user or bias, or another split"
            )
        if not rates and not loader.ranks:
            return (
                f"a model of items' ratings (dataloader {loader.code}) makes no lists for users, as split {split} "
                "asks for: use split random_rating, or a model of users' ratings (autorec_user)"
            )
        if rates != (self.best_metric in RATING_METRICS):
            measured = "RMSE or MAE" if rates else "a ranking metric such as NDCG@10"
            return f"best_metric {self.best_metric} isn't measured under split {split}: give {measured}"
        return None
