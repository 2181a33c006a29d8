"""One loop for all models; saturation, transfer, checkpoints, precision, devices."""

from trainers.base import BaseTrainer, TrainerSetup
from trainers.fit import FitTrainer
from trainers.trainer import Trainer
from trainers.transfer import TransferTrainer

TRAINERS: dict[str, type[BaseTrainer]] = {
    "fit": FitTrainer,
    "generic": Trainer,
    "vae": TransferTrainer,
}

__all__ = ["TRAINERS", "BaseTrainer", "TrainerSetup"]
