"""One unit of work with RecTools' public interface, for `benchmarks/peers.py`: python with_rectools.py WORK.json"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import BERT4RecModel, SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet
from timing import Clock, TimedEpochs, peak_mib

MODELS = {"sasrec": SASRecModel, "bert4rec": BERT4RecModel}


class Epochs(TimedEpochs, Callback):
    """Times the epochs of a training."""


def main() -> None:
    """Train, recommend to all users, and print the figures."""
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(work["threads"])
    clock = Clock()
    frame = pd.read_csv(work["training"], sep=" ", names=[Columns.User, Columns.Item])
    frame[Columns.Weight] = 1
    frame[Columns.Datetime] = pd.Timestamp("2000-01-01") + pd.to_timedelta(frame.index, unit="s")
    dataset = Dataset.construct(frame)

    def trainer() -> Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        return Trainer(
            max_epochs=work["epochs"],
            accelerator="cpu",
            enable_checkpointing=False,
            callbacks=[Epochs(clock)],
            **quiet,
        )

    model = MODELS[work["model"]](
        n_blocks=work["blocks"],
        n_heads=work["heads"],
        n_factors=work["width"],
        session_max_len=work["length"],
        batch_size=work["batch"],
        dropout_rate=work["dropout"],
        lr=work["lr"],
        loss="softmax",
        epochs=work["epochs"],
        item_net_block_types=(IdEmbeddingsItemNet,),
        get_trainer_func=trainer,
    )
    model.fit(dataset)
    clock = next(each.clock for each in model.fit_trainer.callbacks if isinstance(each, Epochs))  # of a copy
    for _ in range(work["epochs"]):
        clock.begin()
        model.recommend(frame[Columns.User].unique(), dataset, k=10, filter_viewed=True)
        clock.end("validation")
    print(json.dumps({**clock.figures, "peak_mib": peak_mib(), "version": f"RecTools {version('rectools')}"}))


if __name__ == "__main__":
    main()
