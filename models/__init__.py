"""One file per published model; adding one = a module, a line here, a template."""

from models.base import Dimensions, FittedModel, Model, Stage
from models.pop import Pop
from models.vae import VAE

MODELS: dict[str, type[Model]] = {
    "pop": Pop,
    "vae": VAE,
}

__all__ = ["MODELS", "Dimensions", "FittedModel", "Model", "Stage"]
