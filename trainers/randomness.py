"""The random generators of a run. Each is seeded from the run's seed and its name; checkpoints hold their states."""

import hashlib

import torch
from torch import Tensor


def derived_seed(seed: int, name: str) -> int:
    """A 63-bit seed for the generator `name`, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little") >> 1


class Generators:
    """The generators of a run. Layers that take no generator use torch's global ones, which are seeded as well.

    Attributes
    ----------
    loader : on the CPU; order of batches, masks, negatives
    model : on the model's device; input dropout, latent noise
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.seed = seed
        self.loader = torch.Generator().manual_seed(derived_seed(seed, "loader"))
        self.model = torch.Generator(device=device).manual_seed(derived_seed(seed, "model"))
        torch.manual_seed(derived_seed(seed, "global"))

    def draw_for(self, piece: str) -> None:
        """Make the draws of the model and its layers depend on the seed and on this piece of work alone."""
        self.model.manual_seed(derived_seed(self.seed, f"model/{piece}"))
        torch.manual_seed(derived_seed(self.seed, f"global/{piece}"))

    def state(self) -> dict[str, Tensor]:
        """The states of all generators, uint8, by name."""
        state = {"loader": self.loader.get_state(), "model": self.model.get_state(), "global": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["global_cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned. States from another kind of device are skipped: they don't fit this one."""
        self.loader.set_state(state["loader"])
        torch.set_rng_state(state["global"])
        if self.device.type == "cuda" and "global_cuda" in state:
            torch.cuda.set_rng_state(state["global_cuda"], self.device)
        if state["model"].shape == self.model.get_state().shape:
            self.model.set_state(state["model"])
