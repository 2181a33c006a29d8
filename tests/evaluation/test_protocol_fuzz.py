"""Random data, splits, models and candidates against a plain computation; `benchmarks/fuzz_protocols.py` runs more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from helpers import ROOT

sys.path.append(str(ROOT / "benchmarks"))

from fuzz_protocols import trial

TRIALS = 12


def test_random_protocols_equal_the_plain_computation(tmp_path: Path) -> None:
    ends = [trial(seed, tmp_path) for seed in range(TRIALS)]
    assert ends.count("checked") > TRIALS // 3, ends


@pytest.mark.parametrize(
    "place",
    ["evaluation.evaluator.target_ranks", "evaluation.evaluator.sampled_ranks", "evaluation.evaluated_targets.is_seen"],
)
def test_planted_faults_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A rank that is one too high, or a target taken for an unseen one."""
    module, _, name = place.rpartition(".")
    function = getattr(sys.modules[module], name)

    def wrong(*given: object, **more: object) -> object:
        found = function(*given, **more)
        return found + 1 if isinstance(found, torch.Tensor) else found & False

    monkeypatch.setattr(place, wrong)
    with pytest.raises(AssertionError):
        for seed in range(60):
            trial(seed, tmp_path)
