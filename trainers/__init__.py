"""One loop for all models; saturation, transfer, checkpoints, precision, devices."""

from trainers.fit import FitTrainer
from trainers.trainer import Parts, Trainer, TransferTrainer

TRAINERS: dict[str, type[Trainer] | type[FitTrainer]] = {
    "fit": FitTrainer,
    "generic": Trainer,
    "vae": TransferTrainer,
}

__all__ = ["TRAINERS", "Parts"]
