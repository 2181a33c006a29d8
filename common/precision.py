"""The arithmetic of products with the whole catalogue, which are most of what a training step computes on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_PRECISION = ContextVar("catalogue_products", default="highest")


def set_catalogue_products(precision: str) -> None:
    """How float32 products run inside `catalogue_products`, in the words of `torch.set_float32_matmul_precision`."""
    _PRECISION.set(precision)


@contextmanager
def catalogue_products() -> Iterator[None]:
    """Products of a row per prediction with a row per item belong in here.

    The setting doesn't hold elsewhere, since it makes torch's attention on the CPU several times slower.
    """
    outside = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(_PRECISION.get())
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(outside)
