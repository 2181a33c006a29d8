"""Filters of sequences that look back only: an output is a weighted sum of the inputs so far.

A filter of the discrete Fourier transform of a window of N positions multiplies its frequencies; that is a circular
convolution with the filter's kernel of N values. For the window's last position, with zeros before the sequence, it is
the sum of kernel[d] times the input d positions before. Here every position is the last one of its window.
"""

from __future__ import annotations

import torch
from torch import Tensor


def kernel_of(response: Tensor, length: int) -> Tensor:
    """The kernel [length, ...] of a real filter whose response at each frequency is complex [length // 2 + 1, ...]."""
    kernel: Tensor = torch.fft.irfft(response, n=length, dim=0)
    return kernel


def low_pass_kernel(length: int, frequencies: int) -> Tensor:
    """The kernel [length] of the filter that keeps the lowest frequencies, the mean included."""
    kept = torch.arange(length // 2 + 1) < frequencies
    return kernel_of(kept.to(torch.complex64), length)


def filter_by_one(x: Tensor, kernel: Tensor) -> Tensor:
    """y_i = sum over d <= i of kernel[d] x_(i - d), the same kernel [N] in all channels: [B, T, H] -> [B, T, H]."""
    return (x.transpose(1, 2) @ _matrix(x.shape[1], kernel).T).transpose(1, 2)  # [B, H, T] x [T, T]


def filter_by_channel(x: Tensor, kernels: Tensor) -> Tensor:
    """y_i = sum over d <= i of kernels[d] * x_(i - d), a kernel [N, H] for each channel: [B, T, H] -> [B, T, H].

    By fast Fourier transforms of twice the length, at which nothing wraps around.
    """
    length = x.shape[1]
    if torch.compiler.is_exporting():  # of any length
        return torch.einsum("ijh,bjh->bih", _matrix(length, kernels), x)
    spectrum = torch.fft.rfft(x, n=2 * length, dim=1) * torch.fft.rfft(kernels[:length], n=2 * length, dim=0)
    filtered: Tensor = torch.fft.irfft(spectrum, n=2 * length, dim=1)[:, :length]
    return filtered


def _matrix(length: int, kernel: Tensor) -> Tensor:
    """kernel[i - j] of kernel [N, ...] at i, j, and 0 where j > i: [length, length, ...]"""
    place = torch.arange(length, device=kernel.device)
    distance = place[:, None] - place
    past = (distance >= 0).view(length, length, *[1] * (kernel.dim() - 1))
    return kernel[distance.clamp_min(0)] * past
