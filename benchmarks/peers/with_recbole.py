"""One unit of work with RecBole's public interface, for `benchmarks/peers.py`: python with_recbole.py WORK.json"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from timing import Clock, peak_mib

MODELS = {"sasrec": "SASRec", "bert4rec": "BERT4Rec", "mult_vae": "MultiVAE"}


def main() -> None:
    """Train, evaluate, and print the figures."""
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(work["threads"])
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "log").mkdir()
        with (
            open(work["data"], encoding="utf-8") as lines,
            open(f"{folder}/log/log.inter", "w", encoding="utf-8") as out,
        ):
            out.write("user_id:token\titem_id:token\ttimestamp:float\n")
            for place, line in enumerate(lines):
                out.write("\t".join([*line.split(), str(place)]) + "\n")
        options = {
            "data_path": folder,
            "checkpoint_dir": folder,
            "use_gpu": False,
            "epochs": 1,
            "eval_step": 0,
            "train_batch_size": work["batch"],
            "eval_batch_size": 512,
            "learning_rate": work["lr"],
            "MAX_ITEM_LIST_LENGTH": work["length"],
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
            "train_neg_sample_args": None,
            "n_layers": work["blocks"],
            "n_heads": work["heads"],
            "hidden_size": work["width"],
            "inner_size": work["width"],
            "loss_type": "CE",
            "show_progress": False,
        }
        config = Config(model=MODELS[work["model"]], dataset="log", config_dict=options)
        init_seed(0, reproducibility=True)
        training, validation, _ = data_preparation(config, create_dataset(config))
        model = get_model(config["model"])(config, training.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        for _ in range(work["epochs"]):
            clock.begin()
            trainer.fit(training, saved=False, show_progress=False)  # one epoch
            clock.end("epoch")
            clock.begin()
            trainer.evaluate(validation, load_best_model=False, show_progress=False)
            clock.end("validation")
            trainer.start_epoch = 0
    print(json.dumps({**clock.figures, "peak_mib": peak_mib(), "version": f"RecBole {version('recbole')}"}))


if __name__ == "__main__":
    main()
