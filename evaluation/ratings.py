"""Errors of predicted ratings."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rmse(predicted: Floats, actual: Floats) -> float:
    """Root of the mean squared error, over ratings."""
    return float(np.sqrt(np.mean(np.square(predicted - actual))))


def mae(predicted: Floats, actual: Floats) -> float:
    """Mean absolute error, over ratings."""
    return float(np.mean(np.abs(predicted - actual)))


def errors_by_user(predicted: Floats, actual: Floats, user: NDArray[np.int64], users: int) -> dict[str, Floats]:
    """RMSE and MAE of each user's own ratings: [users]; each user has at least one.

    predicted, actual : [n] ratings
    user : int64 [n], 0..users - 1, whose each is
    """
    counts = np.bincount(user, minlength=users)
    difference = predicted - actual
    return {
        "RMSE": np.sqrt(np.bincount(user, np.square(difference), users) / counts),
        "MAE": np.bincount(user, np.abs(difference), users) / counts,
    }
