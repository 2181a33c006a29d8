"""Metrics, candidate sets, the evaluation of models (`evaluation.evaluator`) and significance tests.

`METRICS` in `evaluation.metrics` lists the metrics.
"""

from evaluation.beyond_accuracy import average_popularity_lift, catalogue_coverage, novelty, top_items
from evaluation.metrics import MetricSums, per_user_metrics
from evaluation.negatives import TooFewItemsError, sample_negatives
from evaluation.ranking import ScoreError, check_scores, sampled_ranks, target_ranks, users_at_once

__all__ = [
    "MetricSums",
    "ScoreError",
    "TooFewItemsError",
    "average_popularity_lift",
    "catalogue_coverage",
    "check_scores",
    "novelty",
    "per_user_metrics",
    "sample_negatives",
    "sampled_ranks",
    "target_ranks",
    "top_items",
    "users_at_once",
]
