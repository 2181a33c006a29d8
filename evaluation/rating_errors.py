"""Error metrics of predicted ratings.

`mean` averages over all ratings or over each user's, see `evaluation.metrics.RatingMetric`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rmse(difference: Floats, mean: Callable[[Floats], Floats]) -> Floats:
    """Root mean squared error."""
    root: Floats = np.sqrt(mean(np.square(difference)))
    return root


def mae(difference: Floats, mean: Callable[[Floats], Floats]) -> Floats:
    """Mean absolute error."""
    return mean(np.abs(difference))
