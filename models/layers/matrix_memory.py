"""Models that hold items x items matrices refuse a catalogue for which the matrices are too large."""

from __future__ import annotations

from pydantic import Field

from common.errors import UserError
from common.schema import Options


class MatrixOptions(Options):
    """Options of models with items x items matrices."""

    max_matrix_gib: float = Field(8.0, gt=0, description="memory limit of the items x items matrices, in GiB")


def check_matrix_memory(name: str, size: int, bytes_per_cell: int, options: MatrixOptions) -> None:
    """Raise UserError if matrices of `size` x `size` take more than `max_matrix_gib` at this many bytes per cell."""
    needed = bytes_per_cell * size**2 / 2**30
    if needed > options.max_matrix_gib:
        raise UserError(
            f"{name} needs matrices of {size:,} x {size:,}, about {needed:.1f} GiB for this catalogue, and "
            f"max_matrix_gib allows {options.max_matrix_gib:g}: raise it if the machine has the memory, or keep "
            "fewer items with min_sc"
        )
