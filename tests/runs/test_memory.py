"""The memory that a run needs is estimated before it starts."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from common.errors import UserError
from models import MODELS, Dimensions
from runs import memory
from runs.api import configure

CPU = torch.device("cpu")
SMALL = Dimensions(1_000, 500, 20, steps_per_epoch=3, first_day=10, num_days=5)
LARGE = dataclasses.replace(SMALL, num_items=10_000_000)


def words(*more: str) -> list[str]:
    return ["--templates", "train_sas_large", "--dataset_code", "synthetic", *more]


@pytest.mark.parametrize("code", sorted(MODELS))
def test_weights_of_every_model_are_counted_without_making_them(code: str) -> None:
    config = configure(["--templates", f"train_{code}", "--dataset_code", "synthetic"])
    if config.run.split == "random_rating":
        pytest.skip("predicts ratings")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    counted = memory.estimate(config, SMALL).weights
    assert torch.equal(before, torch.get_rng_state())
    made = config.model_class(config.model, SMALL).state_dict().values()
    assert counted == sum(tensor.numel() * tensor.element_size() for tensor in made)


def test_a_run_that_needs_too_much_is_refused_with_advice() -> None:
    config = configure(words("--max_memory", "8", "--hidden_units", "128", "--item_optimizer", "dense"))
    with pytest.raises(UserError, match=r"on 10,000,000 items needs about .* --item_optimizer sparse") as refused:
        memory.check_memory(config, LARGE, CPU)
    fitting = str(refused.value).split("--hidden_units ")[1].split(",")[0]
    memory.check_memory(configure(words("--max_memory", "8", "--hidden_units", fitting)), LARGE, CPU)
    memory.check_memory(configure(words("--max_memory", "100", "--hidden_units", "128")), LARGE, CPU)


def test_free_memory_is_the_limit_unless_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 2.0**30)
    with pytest.raises(UserError, match=r"1.0 GiB are free.*--max_memory overrides"):
        memory.check_memory(configure(words()), LARGE, CPU)
    memory.check_memory(configure(words("--max_memory", "100")), LARGE, CPU)
    memory.check_memory(configure(words()), SMALL, CPU)
    monkeypatch.setattr(memory, "available", lambda device: None)
    memory.check_memory(configure(words()), LARGE, CPU)


def test_this_machine_has_free_memory() -> None:
    free = memory.available(CPU)
    assert free is None or free > 0
