"""The options of evaluation: metrics, candidates, sampled negatives, and model selection."""

from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, field_validator, model_validator

from common.errors import nearest
from common.schema import Options
from evaluation.metrics import CUT_METRICS, RATING_METRICS, UNCUT_METRICS

Sampler = Literal["popular", "random"]
SAMPLED: dict[str, str] = {"popular": "popularity-sampled", "random": "uniformly sampled"}  # negatives, in words
SeenTargets = Literal["rank", "miss", "skip"]


class Loader(Protocol):
    """A dataloader's abilities: predicting ratings, ranking items, or both."""

    code: ClassVar[str]
    predicts_ratings: ClassVar[bool]
    ranks: ClassVar[bool]


class EvaluationOptions(Options):
    """The evaluation on the validation and test sets, and the metric that selects the best model."""

    filter_seen: bool | None = Field(
        None,
        description="exclude items that the user has already consumed; null = the dataset's default",
    )
    seen_targets: SeenTargets = Field(
        "rank",
        description="how to count targets that the user has consumed before, where filter_seen excludes such items: "
        "rank = ranked among the unseen items; miss = not found, as in recommended lists; skip = not at all",
    )
    metric_ks: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 5, 10, 20, 50), min_length=1, max_length=100, description="the cutoffs k of the ranking metrics"
    )
    best_metric: str = Field("NDCG@10", description="the validation metric for model selection and early stopping")
    validation_candidates: Literal["full", "popular", "random"] = Field(
        "full", description="the candidates for best_metric: all items (full), or the target and sampled negatives"
    )
    test_negative_sampler_code: tuple[Sampler, ...] = Field(
        ("popular",), description="negative samplers evaluated in addition to the full ranking; [] = none"
    )
    test_negative_sample_size: int = Field(100, ge=1, description="sampled negatives per user")
    test_negative_sampling_seed: int = Field(98765, ge=0, description="random seed of the negative sampling")
    eval_batch_size: int = Field(
        512, ge=1, description="users per evaluation batch; fewer are ranked at a time if the catalogue is large"
    )
    eval_users: int | None = Field(
        None,
        ge=2,
        description="validate on this many users, drawn once with a fixed seed, to save time; null = all. The test "
        "always uses all users",
    )
    beyond_accuracy: bool = Field(True, description="also compute catalogue coverage, novelty and popularity lift")

    @field_validator("metric_ks", "test_negative_sampler_code")
    @classmethod
    def _each_once(cls, values: tuple[int | str, ...]) -> tuple[int | str, ...]:
        if len(set(values)) < len(values):
            raise ValueError("should name each value once")
        return values

    @model_validator(mode="after")
    def _seen_items_are_filtered(self) -> Self:
        if self.filter_seen is False and self.seen_targets != "rank":
            raise ValueError(f"seen_targets {self.seen_targets} has no effect with filter_seen false: use rank")
        return self

    def ranking_metrics(self) -> list[str]:
        """The names of the ranking metrics that are computed of each user."""
        return [*(f"{name}@{k}" for k in self.metric_ks for name in CUT_METRICS), *UNCUT_METRICS]

    @model_validator(mode="after")
    def _best_metric_is_computed(self) -> Self:
        computed = [*self.ranking_metrics(), *RATING_METRICS]
        if self.best_metric not in computed:
            hint = nearest(self.best_metric, computed)
            raise ValueError(
                f"best_metric {self.best_metric} is not computed{f'; {hint}' if hint else '.'} Available: "
                f"{', '.join(CUT_METRICS)}, each with @k for a k of metric_ks "
                f"({', '.join(map(str, self.metric_ks))}); {', '.join(UNCUT_METRICS)}; for predicted ratings "
                f"{', '.join(RATING_METRICS)}"
            )
        return self

    def filters_seen(self, repeat_consumption: bool) -> bool:
        """Whether seen items are excluded: filter_seen, or its default for data with or without repeat consumption."""
        return not repeat_consumption if self.filter_seen is None else self.filter_seen

    def conflict(self, split: str, predicts_ratings: bool, loader: Loader | type[Loader]) -> str | None:
        """Why a split, a dataloader and best_metric don't work together, with a fix; None if they do.

        Parameters
        ----------
        split : the split's code
        predicts_ratings : whether the split evaluates predicted ratings instead of rankings
        loader : the dataloader
        """
        if predicts_ratings and not loader.predicts_ratings:
            return (
                f"split {split} evaluates predicted ratings, but a model with dataloader {loader.code} predicts none: "
                "use autorec, autorec_user or bias, or another split"
            )
        if not predicts_ratings and not loader.ranks:
            return (
                f"split {split} evaluates rankings for users, but a model with dataloader {loader.code} predicts "
                "ratings of items: use split random_rating, or a model of users' ratings (autorec_user)"
            )
        if predicts_ratings != (self.best_metric in RATING_METRICS):
            fitting = " or ".join(RATING_METRICS) if predicts_ratings else "a ranking metric such as NDCG@10"
            return f"best_metric {self.best_metric} is not computed under split {split}: use {fitting}"
        return None
