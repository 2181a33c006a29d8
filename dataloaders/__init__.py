"""How interactions become batches."""

from dataloaders.base import Dataloader, DataloaderOptions
from dataloaders.batch import Batch, EvalBatch
from dataloaders.plain import PlainDataloader
from dataloaders.vae import VAEDataloader

DATALOADERS: dict[str, type[Dataloader]] = {
    "plain": PlainDataloader,
    "vae": VAEDataloader,
}

__all__ = ["DATALOADERS", "Batch", "Dataloader", "DataloaderOptions", "EvalBatch"]
