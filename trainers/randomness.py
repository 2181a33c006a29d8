"""Every random draw of a run comes from a named generator, seeded from the run's seed; their states are saved."""

import hashlib

import torch
from torch import Tensor


def derived_seed(seed: int, name: str) -> int:
    """A 63-bit seed for the draws called `name`, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little") >> 1


class Generators:
    """The generators of a run.

    loader : CPU; the order of batches, masks, negatives
    model : the model's device; dropout of inputs, latent noise
    and torch's global ones, for layers that can't take a generator.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.loader = torch.Generator().manual_seed(derived_seed(seed, "loader"))
        self.model = torch.Generator(device=device).manual_seed(derived_seed(seed, "model"))
        torch.manual_seed(derived_seed(seed, "global"))

    def state(self) -> dict[str, Tensor]:
        """uint8 states by name."""
        state = {"loader": self.loader.get_state(), "model": self.model.get_state(), "global": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["global_cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from `state`. A state of another kind of device is left out: its draws can't be continued here."""
        self.loader.set_state(state["loader"])
        torch.set_rng_state(state["global"])
        if self.device.type == "cuda" and "global_cuda" in state:
            torch.cuda.set_rng_state(state["global_cuda"], self.device)
        if state["model"].shape == self.model.get_state().shape:
            self.model.set_state(state["model"])
