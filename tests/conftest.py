"""What all tests share: one thread for torch, and a way to run main.py in processes of its own."""

from collections.abc import Iterator

import pytest
import torch
from helpers import Launcher

from common import rounding


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small tensors are slower on several threads, and tests may run beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def plain_numbers() -> Iterator[None]:
    """A run lets its process flush denormal numbers to zero (Hypothesis, for one, needs them) and may round factors."""
    yield
    torch.set_flush_denormal(False)
    rounding.by_hand = False


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Starts `main.py` in processes of its own, without the seconds that importing takes."""
    started = Launcher()
    yield started
    started.close()
