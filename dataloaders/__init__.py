"""How interactions become batches."""

from dataloaders.bag import BagDataloader
from dataloaders.base import Dataloader, DataloaderOptions
from dataloaders.batch import Batch, EvalBatch
from dataloaders.plain import PlainDataloader
from dataloaders.vae import VAEDataloader

DATALOADERS: dict[str, type[Dataloader]] = {
    "bag": BagDataloader,
    "plain": PlainDataloader,
    "vae": VAEDataloader,
}

__all__ = ["DATALOADERS", "Batch", "Dataloader", "DataloaderOptions", "EvalBatch"]
