"""The device, and how much memory a process used."""

import builtins
from collections.abc import Callable
from typing import Any

import pytest
import torch

from trainers import device


@pytest.mark.parametrize("known", [True, False])
def test_peak_memory_without_proc_and_resource(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open: Callable[..., Any] = open

    def no_proc(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file).startswith("/proc/"):
            raise FileNotFoundError(file)
        return really_open(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", no_proc)
    if not known:
        monkeypatch.setattr(device, "resource", None)
    assert (device.peak_memory_mib(torch.device("cpu")) > 10) == known
    device.reset_peak_memory()
