"""Device, numerical precision, threads and memory."""

from __future__ import annotations

import contextlib
import os
import sys

import torch

from common import rounding
from common.errors import UserError
from common.plurals import counted

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

KERNELS_KEPT = 32  # cached kernels, one per shape, over 1 MB each; by default torch's libraries keep 1,024 of a kind
FP32_ERROR = 1e-5  # largest relative error of a matmul that still counts as float32


def choose_device(name: str) -> torch.device:
    """The device `cpu`, `cuda`, `cuda:<number>` or `auto` (CUDA if available, else the CPU).

    Raises UserError if there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError("no CUDA device is available to torch: use --device cpu or auto")
        count = torch.cuda.device_count()
        if device.index is not None:
            if device.index >= count:
                raise UserError(f"there is no device {name}: the last of {count} is cuda:{count - 1}")
            torch.cuda.set_device(device)  # the default of calls that name no device
    return device


def set_precision(precision: str, device: torch.device) -> None:
    """Compute matmuls in `fp32` or `bf16`. What is stored is float32 in both.

    With torch's precision "medium", the CPU uses its fastest kernel for float32 matmuls: on some processors it is as
    exact as the default, on others it rounds the inputs to bfloat16. A small matmul shows which. `fp32` uses "medium"
    only if it is exact. In that case `bf16` rounds the inputs of the largest matmuls itself, if the processor has
    instructions for bfloat16.
    """
    torch.set_float32_matmul_precision("medium")
    exact = device.type == "cpu" and _product_error() <= FP32_ERROR
    if precision == "fp32" and not exact:
        torch.set_float32_matmul_precision("highest")
    rounding.by_hand = precision == "bf16" and exact and torch.cpu._is_avx512_bf16_supported()


def _product_error() -> float:
    """The relative error of a float32 matmul under the current settings, compared with float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(64, 512, generator=generator), torch.randn(512, 512, generator=generator)
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


def prepare_cpu(count: int | None) -> None:
    """Set the number of CPU threads (None = torch's default), and settings that speed them up.

    Numbers below 1e-38 are flushed to 0. Otherwise weights that decay towards 0 spend hundreds of epochs in a range in
    which the CPU is many times slower. Call this before the first computation, when torch's worker threads inherit the
    setting and its libraries read how many kernels to cache.
    """
    for cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(cache, str(KERNELS_KEPT))
    torch.set_flush_denormal(True)
    if count is not None:
        torch.set_num_threads(count)


def describe_device(device: torch.device, workers: int = 1) -> str:
    """The device as it is recorded in results, e.g. "cpu, 2 threads" or "cpu, 1 thread, 4 workers"."""
    threads = counted(torch.get_num_threads(), "thread")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {threads}"
    return str(name) if workers == 1 else f"{name}, {workers} workers"


def peak_memory_mib(device: torch.device) -> float:
    """Peak memory in MiB: torch's allocations on CUDA, the process's resident set on the CPU; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):  # unlike ru_maxrss, not inherited through exec
                return int(line.split()[1]) / 2**10
    if resource is None:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak_memory() -> None:
    """Start a new measurement of peak memory use, if the system supports it."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # resets VmHWM
