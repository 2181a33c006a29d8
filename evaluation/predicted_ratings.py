"""Evaluates predicted ratings against held-out ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import DivergedError
from dataloaders import Dataloader
from dataloaders.ratings import RatingDataloader
from datasets import Heldout
from datasets.splits.random_rating import RatingSplit
from evaluation.metrics import rating_metrics, rating_metrics_by_user
from models.base import Model


def evaluate_ratings(
    model: Model, loader: Dataloader, heldout: Heldout, device: torch.device, batch_size: int
) -> tuple[dict[str, float], dict[str, NDArray[np.float32]]]:
    """The rating metrics over the held-out ratings, and each held-out user's own: float32 [n].

    Predictions are clipped to the rating scale. Where the user or the item has no training rating, the prediction is
    the split's `unseen`.

    Raises
    ------
    DivergedError
        A predicted rating is NaN or infinite.
    """
    split = loader.split
    assert isinstance(split, RatingSplit) and split.data.ratings is not None
    assert isinstance(loader, RatingDataloader), "EvaluationOptions.conflict checks this"
    predicted = _predictions(model, loader, heldout, device, batch_size)
    user = np.repeat(np.arange(len(heldout.users)), np.diff(heldout.target_offsets))
    known_item = loader.training_item_counts()[np.asarray(split.data.items)[heldout.targets]] > 0
    known_user = (split.train_end > split.train_start)[heldout.users][user]
    predicted = np.clip(predicted, split.lowest, split.highest)
    predicted[~(known_item & known_user)] = split.unseen
    actual = np.asarray(split.data.ratings)[heldout.targets].astype(np.float64)
    by_user = rating_metrics_by_user(predicted, actual, user, len(heldout.users))
    return (
        rating_metrics(predicted, actual),
        {name: values.astype(np.float32) for name, values in by_user.items()},
    )


def _predictions(
    model: Model, loader: RatingDataloader, heldout: Heldout, device: torch.device, batch_size: int
) -> NDArray[np.float64]:
    """The model's rating for each of the held-out set's targets: [m]."""
    predicted = np.zeros(len(heldout.targets))
    model.eval()
    with torch.inference_mode():
        for batch in loader.rating_batches(heldout, batch_size):
            ratings = model.scores(batch.inputs.to(device), batch.columns.to(device)).double().cpu()
            asked = batch.columns > 0
            predicted[batch.places[asked].numpy()] = ratings[asked].numpy()
    if not np.isfinite(predicted).all():
        raise DivergedError(
            f"model {model.code} predicted ratings that are NaN or infinite: try a lower learning rate, or a smaller "
            "clip_grad_norm"
        )
    return predicted
