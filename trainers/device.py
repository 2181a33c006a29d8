"""Device, numerical precision, threads and memory."""

from __future__ import annotations

import contextlib
import os
import sys

import torch

from common import rounding
from common.errors import UserError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

KERNELS_KEPT = 32  # by shape, over a megabyte each; torch's libraries keep 1,024 of each kind by themselves
FP32_ERROR = 1e-5  # largest relative error of a matrix product that still counts as float32


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA if there is one, else the CPU. Raises UserError for `cuda` without one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device is available to torch: use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def set_precision(precision: str, device: torch.device) -> None:
    """Let matrix products run in `fp32` or `bf16`; all that is stored is float32 in both.

    torch's "medium" lets the CPU use its fastest kernel for float32 products: on some processors that is one as exact
    as the default, on others it rounds factors to bfloat16. A trial shows which: `fp32` takes it only where it is
    exact, and where it is, `bf16` rounds by hand for the largest products, if the processor multiplies bfloat16.
    """
    torch.set_float32_matmul_precision("medium")
    exact = device.type == "cpu" and _product_error() <= FP32_ERROR
    if precision == "fp32" and not exact:
        torch.set_float32_matmul_precision("highest")
    rounding.by_hand = precision == "bf16" and exact and torch.cpu._is_avx512_bf16_supported()


def _product_error() -> float:
    """Relative error of a float32 matrix product with this process's settings, against float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(64, 512, generator=generator), torch.randn(512, 512, generator=generator)
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


def prepare_cpu(count: int | None) -> None:
    """Use `count` CPU threads (None: as many as torch thinks right), and what makes them fast.

    Numbers below 1e-38 become 0: weights that decay towards 0 would else spend hundreds of epochs in a range where the
    CPU computes many times slower. Call it before the first computation: that is when torch's worker threads inherit
    the setting, and its libraries look how many kernels to keep.
    """
    for cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(cache, str(KERNELS_KEPT))
    torch.set_flush_denormal(True)
    if count is not None:
        torch.set_num_threads(count)


def describe_device(device: torch.device) -> str:
    """The device for the results, e.g. "cpu, 2 threads"."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"cpu, {torch.get_num_threads()} threads"


def peak_memory_mib(device: torch.device) -> float:
    """Peak memory use in MiB: on CUDA what torch allocated there, else the process's resident set; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # since this exec
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    if resource is None:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak_memory() -> None:
    """Reset the peak memory use, where the system supports it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # resets VmHWM
