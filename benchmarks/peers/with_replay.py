"""One unit of work with RePlay's public interface, for `benchmarks/peers.py`: python with_replay.py WORK.json"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import lightning
import pandas as pd
import torch
from replay.data import Dataset as Log
from replay.data import FeatureHint, FeatureInfo, FeatureSchema, FeatureSource, FeatureType
from replay.data.nn import SequenceTokenizer, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.models.nn.sequential import Bert4Rec, SasRec
from replay.models.nn.sequential.bert4rec import Bert4RecPredictionDataset, Bert4RecTrainingDataset
from replay.models.nn.sequential.sasrec import SasRecPredictionDataset, SasRecTrainingDataset
from timing import Clock, TimedEpochs, peak_mib
from torch.utils.data import DataLoader

MODELS = {
    "sasrec": (SasRec, SasRecTrainingDataset, SasRecPredictionDataset),
    "bert4rec": (Bert4Rec, Bert4RecTrainingDataset, Bert4RecPredictionDataset),
}


class Epochs(TimedEpochs, lightning.Callback):
    """Times the epochs of a training."""


def main() -> None:
    """Train, score all items for all users, and print the figures."""
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(work["threads"])
    clock = Clock()
    frame = pd.read_csv(work["training"], sep=" ", names=["user_id", "item_id"])
    frame["timestamp"] = frame.index
    features = FeatureSchema(
        [
            FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
            FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
            FeatureInfo("timestamp", FeatureType.NUMERICAL, FeatureHint.TIMESTAMP),
        ]
    )
    schema = TensorSchema(
        TensorFeatureInfo(
            name="item_id",
            is_seq=True,
            feature_type=FeatureType.CATEGORICAL,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
            feature_hint=FeatureHint.ITEM_ID,
            embedding_dim=work["width"],
        )
    )
    sequences = SequenceTokenizer(schema).fit_transform(Log(feature_schema=features, interactions=frame))
    model_class, training_set, prediction_set = MODELS[work["model"]]
    model = model_class(
        sequences.schema,
        block_count=work["blocks"],
        head_count=work["heads"],
        hidden_size=work["width"],
        max_seq_len=work["length"],
        dropout_rate=work["dropout"],
        loss_type="CE",
    )
    trainer = lightning.Trainer(
        max_epochs=work["epochs"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[Epochs(clock)],
    )
    loader = DataLoader(training_set(sequences, work["length"]), batch_size=work["batch"], shuffle=True)
    trainer.fit(model, loader)
    users = DataLoader(prediction_set(sequences, work["length"]), batch_size=512)
    for _ in range(work["epochs"]):
        clock.begin()
        for scores in trainer.predict(model, users):
            scores.topk(10, dim=-1)
        clock.end("validation")
    print(json.dumps({**clock.figures, "peak_mib": peak_mib(), "version": f"RePlay {version('replay-rec')}"}))


if __name__ == "__main__":
    main()
