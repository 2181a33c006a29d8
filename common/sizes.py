"""Padded sizes of arrays whose length differs between batches."""


def round_up(size: int) -> int:
    """Round up to one of 16 sizes per power of two (200 -> 200, 201 -> 208); sizes up to 32 stay unchanged.

    Matmul kernels are compiled and cached for each shape, so a few percent of padding costs less than many shapes.
    """
    step = 1 << max(0, size.bit_length() - 5)
    return -(-size // step) * step
