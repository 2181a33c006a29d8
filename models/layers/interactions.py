"""Training interactions as a sparse matrix, for fitted models."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from torch import Tensor


def interaction_matrix(items: Tensor, offsets: Tensor, columns: int) -> sparse.csr_matrix:
    """X float32 [users, columns]: 1 where a user had an item, however often.

    items : int64 [nnz], users one after another
    offsets : int64 [users + 1]
    """
    values = np.ones(len(items), dtype=np.float32)
    matrix = sparse.csr_matrix(
        (values, items.cpu().numpy(), offsets.cpu().numpy()), shape=(len(offsets) - 1, columns), dtype=np.float32
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
