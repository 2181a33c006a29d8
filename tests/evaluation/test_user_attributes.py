"""What is recorded of each test user beside the metrics."""

import numpy as np
from helpers import leave_one_out, sequence_data

from dataloaders import DATALOADERS
from evaluation.evaluator import Evaluator
from evaluation.options import EvaluationOptions


def test_history_length_and_training_count_of_the_target() -> None:
    histories = [[1, 2, 3, 4], [2, 1, 2, 3, 1], [1, 3, 2]]
    data = sequence_data(histories, num_items=4, repeat_consumption=True)
    loader = DATALOADERS["plain"](DATALOADERS["plain"].Options(), leave_one_out(data))
    options = EvaluationOptions.model_validate({"test_negative_sampler_code": (), "validation_candidates": "full"})
    facts = Evaluator(loader, options).user_attributes("test")
    # All but a user's last two train: 1 2, 2 1 2 and 1.
    np.testing.assert_array_equal(facts["history_length"], [3, 4, 2])
    np.testing.assert_array_equal(facts["target_popularity"], [0, 3, 3])
    assert {values.dtype for values in facts.values()} == {np.dtype(np.float32)}
