"""What a GPU does: its tests, then the training of four models, in less than ten minutes.

    python benchmarks/gpu.py --data ml-1m-order.txt.gz --output gpu.json [OPTION OF main.py ...]

Runs `tests/gpu`, then trains SASRec-CE, HSTU, BERT4Rec and ESAPR for `--minutes` each, and writes for each seconds an
epoch, interactions a second, peak memory and the test's NDCG@10. `--device cpu` tries the script itself. It has not met
a GPU yet.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.files import write_text

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ["train_sas_ce", "train_hstu", "train_bert", "train_vae"]


def main() -> None:
    """Test, train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="file of interactions, such as ml-1m-order.txt.gz")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="file to write (default: gpu.json)")
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--minutes", type=float, default=1.5, help="training time of a model (default: 1.5)")
    parser.add_argument("--test_minutes", type=float, default=3, help="limit of the tests; 0 = leave them out")
    parser.add_argument("--templates", nargs="+", default=TEMPLATES, help=f"default: {' '.join(TEMPLATES)}")
    arguments, options = parser.parse_known_args()
    data = arguments.data.resolve()
    record: dict[str, Any] = {"tests": run_tests(arguments.device, arguments.test_minutes), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        for template in arguments.templates:
            found = train(template, data, arguments.device, arguments.minutes, Path(folder), options)
            record["runs"].append(found)
            print(json.dumps(found), flush=True)
            write_text(arguments.output, json.dumps(record, indent=1) + "\n")


def run_tests(device: str, minutes: float) -> str:
    """The last line of the tests' output."""
    if minutes == 0:
        return "left out"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/gpu"]
    environment = {**os.environ, "GPU_TESTS_DEVICE": device}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60 * minutes, check=False
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {minutes:g} minutes"
    print(done.stdout[-3000:], flush=True)
    return done.stdout.strip().rpartition("\n")[2]


def train(
    template: str, data: Path, device: str, minutes: float, folder: Path, options: list[str]
) -> dict[str, str | float]:
    """The figures of a run."""
    command = [sys.executable, str(ROOT / "main.py"), "--templates", template, "--device", device]
    command += ["--dataset_code", "file", "--dataset_path", str(data), "--local_data_folder", str(folder / "Data")]
    command += ["--experiment_root", str(folder), "--experiment_group", "gpu", "--experiment_name", template]
    subprocess.run([*command, "--max_minutes", str(minutes), *options], check=True)
    found = json.loads((folder / "gpu" / template / "results.json").read_text(encoding="utf-8"))
    seconds = 60 * found["minutes"] / max(1, found["epochs"])
    return {
        "template": template,
        "device": found["device"],
        "epochs": found["epochs"],
        "seconds_per_epoch": seconds,  # with validation
        "interactions_per_second": found["data"]["interactions"] / seconds,
        "peak_memory_mib": found["peak_memory_mib"],
        "NDCG@10": found["test"]["full"]["NDCG@10"],
    }


if __name__ == "__main__":
    main()
