"""What a computation by torch makes on its way."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class LargestResult(TorchDispatchMode):
    """Entries of the largest tensor that is computed within; views of others aren't counted twice, nor more."""

    entries = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.entries = max(self.entries, result.untyped_storage().nbytes() // result.element_size())
        return result


class Waits(TorchDispatchMode):
    """The operations within that make the CPU wait for a GPU, as their results' shapes or values are needed."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_", "_unsafe_index") and any(
            place is not None and place.dtype == torch.bool for place in args[1]
        )
        counted = name == "repeat_interleave" and (kwargs or {}).get("output_size") is None
        if name in self.NAMES or masked or counted:
            self.found.append(name)
        return func(*args, **(kwargs or {}))
