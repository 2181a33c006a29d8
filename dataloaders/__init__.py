"""Dataloaders: how interactions become training and evaluation batches."""

from dataloaders.bag import BagDataloader
from dataloaders.base import Dataloader, DataloaderOptions
from dataloaders.batch import Batch, EvalBatch
from dataloaders.bert import BertDataloader
from dataloaders.pairwise import PairwiseDataloader
from dataloaders.plain import PlainDataloader
from dataloaders.ratings import ItemRatingsDataloader, UserRatingsDataloader
from dataloaders.sas import SASDataloader
from dataloaders.vae import VAEDataloader

DATALOADERS: dict[str, type[Dataloader]] = {
    "bag": BagDataloader,
    "item_ratings": ItemRatingsDataloader,
    "bert": BertDataloader,
    "pairwise": PairwiseDataloader,
    "plain": PlainDataloader,
    "sas": SASDataloader,
    "user_ratings": UserRatingsDataloader,
    "vae": VAEDataloader,
}

__all__ = ["DATALOADERS", "Batch", "Dataloader", "DataloaderOptions", "EvalBatch"]
