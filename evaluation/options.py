"""The options of evaluation: which users' items count, against which candidates, by which metrics."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from common.errors import nearest
from common.schema import Options

CUT_METRICS = ("Recall", "HR", "NDCG", "MRR", "MAP", "Precision")
RATING_METRICS = ("RMSE", "MAE")  # of predicted ratings; lower is better
Sampler = Literal["popular", "random"]


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
