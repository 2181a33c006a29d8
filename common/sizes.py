"""Sizes of arrays that differ from batch to batch."""


def round_up(size: int) -> int:
    """The next size of a small choice: a multiple of a 16th of the power of two below it (200 -> 200, 201 -> 208).

    Processors' kernels are made, and kept, for each shape apart: so few different sizes cost less than a few percent
    of padding. Up to 32 every size is one.
    """
    step = 1 << max(0, size.bit_length() - 5)
    return -(-size // step) * step
