"""Random small data x splits x models x candidates x filter_seen x repeats, checked against a plain computation.

    python benchmarks/fuzz_protocols.py --trials 1000

Each trial writes a random file, prepares and splits it, scores it with a model, and compares with
`plain_protocol.py`: what is trained on, each user's input and targets, the metrics of each user for all candidates, and
the lists that command recommend would write, whose hit rate must be the measured one. Data that can't be used must be
refused with a UserError. Prints a line for each trial that fails and the counts at the end; exits 1 if one failed.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import plain_protocol as plain  # noqa: E402

from common.errors import UserError  # noqa: E402
from models import FittedModel  # noqa: E402
from runs.api import configure  # noqa: E402
from runs.experiment import Experiment  # noqa: E402
from runs.histories import known_users  # noqa: E402
from runs.top_k_lists import write_lists  # noqa: E402
from runs.trained import TrainedRun  # noqa: E402

CPU, KS, START = torch.device("cpu"), (1, 3, 10), 1_600_000_000
MODELS: dict[str, dict[str, Any]] = {
    "pop": {},
    "ease": {"l2": 5},
    "itemknn": {"neighbours": 5},
    "vae": {"max_len": 6, "hidden_layers": [8], "latent_size": 4},
    "sas": {"max_len": 6, "hidden_units": 8, "num_blocks": 1, "num_heads": 1},
    "gru4rec": {"max_len": 6, "hidden_units": 8, "gru_units": 8},
}


def draw_options(draw: random.Random) -> dict[str, Any]:
    """Random options that go together."""
    first = START + draw.randrange(300, 600)
    filter_seen = draw.choice([None, None, True, False])
    code = draw.choice(["leave_one_out", "ratio", "global_time", "files"])
    own: dict[str, dict[str, Any]] = {
        "leave_one_out": {},
        "ratio": {"validation_share": draw.choice([0.1, 0.3]), "test_share": draw.choice([0.1, 0.4])},
        "global_time": {
            "validation_time": first,
            "test_time": first + draw.randrange(50, 300),
            "cold_users": draw.choice(["drop", "keep"]),
            "cold_items": draw.choice(["drop", "keep"]),
        },
        "files": {"split_column": "part"},
    }
    targets = {} if code == "leave_one_out" else {"targets": draw.choice(["last", "all", "next"])}
    return {
        "split": code,
        **own[code],
        **targets,
        "model_code": draw.choice(list(MODELS)),
        "filter_seen": filter_seen,
        "seen_targets": "rank" if filter_seen is False else draw.choice(["rank", "miss", "skip"]),
        "repeats": draw.choice(["keep", "keep", "keep", "first", "last"]),
        "drop_copies": draw.random() < 0.3,
        "min_uc": draw.choice([0, 0, 2, 4]),
        "min_sc": draw.choice([0, 0, 2]),
        "test_negative_sampler_code": draw.choice([[], ["popular"], ["random"], ["popular", "random"]]),
        "test_negative_sample_size": draw.choice([1, 2, 5]),
        "eval_batch_size": draw.choice([1, 4, 512]),
    }


def draw_rows(draw: random.Random, with_parts: bool) -> list[plain.Row]:
    """Random interactions, with ties, repeats and exact copies, in random order."""
    items, most = draw.choice([4, 12, 25, 40]), draw.randrange(4, 15)
    again = draw.choice([0.0, 0.0, 0.02, 0.5])  # how often a user comes back to an item
    rows: list[plain.Row] = []
    for user in range(draw.randrange(5, 25)):
        known: list[str] = []
        for _ in range(draw.randrange(1, most)):
            fresh = [name for name in (f"i{number}" for number in range(items)) if name not in known]
            item = draw.choice(known if known and (draw.random() < again or not fresh) else fresh)
            known.append(item)
            part = draw.choices(plain.PARTS, [3, 1, 1])[0] if with_parts else ""
            rows.append((f"u{user:02d}", item, START + draw.randrange(0, 1000, draw.choice([1, 50])), part))
    rows += [draw.choice(rows) for _ in range(draw.choice([0, 0, 3]))]
    draw.shuffle(rows)
    return rows


def trial(seed: int, folder: Path) -> str:
    """One trial: "checked" or "refused: ...". Raises AssertionError if anything differs."""
    draw = random.Random(seed)  # noqa: S311
    options = draw_options(draw)
    rows = draw_rows(draw, options["split"] == "files")
    path = folder / f"data{seed}.csv"
    path.write_text("user,item,timestamp,part\n" + "".join(f"{u},{i},{t},{p or 'none'}\n" for u, i, t, p in rows))
    expected = plain.split(plain.prepared(rows, options), {"targets": "last", **options})
    given = {"dataset_code": "file", "dataset_path": path, "local_data_folder": folder / "Data", "num_threads": 1}
    given |= {"device": "cpu", "metric_ks": KS, **options, **MODELS[options["model_code"]]}
    try:
        experiment = Experiment.build(configure(_flags(given)))
        experiment.evaluator.check(("test",))
    except UserError as error:
        return f"refused: {' '.join(str(error).split()[:6])} ..."
    _train(experiment, seed)
    _check_split(experiment, expected)
    _check_metrics(experiment, expected, options)
    _check_lists(experiment, options)
    return "checked"


def _flags(options: dict[str, Any]) -> list[str]:
    """Options as words of a command line."""
    words: list[str] = []
    for key, value in options.items():
        many = value if isinstance(value, list | tuple) else [value]
        words += [
            f"--{key}",
            *("null" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in many),
        ]
        if not many:
            words.append("[]")
    return words


def _train(experiment: Experiment, seed: int) -> None:
    """Fit the model, or give it random weights."""
    model, split = experiment.model, experiment.loader.split
    if isinstance(model, FittedModel):
        positions, offsets = split.training_positions()
        model.fit(torch.from_numpy(split.data.items[positions].astype(np.int64)), torch.from_numpy(offsets))
    else:
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.3, generator)
    model.eval()


def _check_split(experiment: Experiment, expected: plain.Plain) -> None:
    """What is trained on, the catalogue, the inputs and the targets."""
    data, split = experiment.loader.data, experiment.loader.split
    names = np.asarray(data.item_ids)
    counts = experiment.loader.training_item_counts()[1:]
    assert {str(n): int(c) for n, c in zip(names, counts, strict=True) if c} == dict(expected.trained), "training"
    assert set(names.tolist()) == expected.items, "catalogue"
    assert data.repeat_consumption == expected.repeats, "repeats"
    test, found = split.test, {}
    for row, user in enumerate(np.asarray(data.user_ids)[test.users].tolist()):
        given = data.items[test.input_start[row] : test.input_end[row]]
        targets = data.items[test.targets[test.target_offsets[row] : test.target_offsets[row + 1]]]
        found[user] = plain.Case(names[given - 1].tolist(), names[targets - 1].tolist())
    assert found == expected.cases, "cases"


def _check_metrics(experiment: Experiment, expected: plain.Plain, options: dict[str, Any]) -> None:
    """Each user's metrics for all candidates, and their means."""
    evaluator, loader, data = experiment.evaluator, experiment.loader, experiment.loader.data
    filtered = (not expected.repeats) if options["filter_seen"] is None else options["filter_seen"]
    names, test = np.asarray(data.item_ids).tolist(), loader.split.test
    got = evaluator.evaluate(experiment.model, CPU, "test", detailed=True)
    users = np.asarray(data.user_ids)[evaluator.heldout("test").users].tolist()
    wanted: dict[str, list[dict[str, float]]] = {name: [] for name in got.metrics}
    evaluated = []
    for row, user in enumerate(np.asarray(data.user_ids)[test.users].tolist()):
        case, of_one = expected.cases[user], slice(row, row + 1)
        with torch.inference_mode():
            batch = loader.inputs(test.users[of_one], test.input_start[of_one], test.input_end[of_one])
            scores = dict(zip(names, experiment.model.scores(batch)[0, 1:].tolist(), strict=True))
        for candidates, values in wanted.items():
            others = {item for item in names if not (filtered and item in case.input)}
            if candidates != "full":
                if user not in users:
                    continue
                drawn = evaluator.negatives("test", candidates)[users.index(user)].tolist()
                others = {names[item - 1] for item in drawn}
                assert len(others) == len(drawn) and not others & {*case.input, *case.targets}, "negatives"
                assert candidates == "random" or others <= set(expected.trained), "popular negatives"
            found = plain.ranks(case, scores, others, options["seen_targets"], filtered)
            if found:
                values.append(plain.metrics(found, KS))
                evaluated += [user] if candidates == "full" else []
    assert evaluated == users, "users"
    for candidates, values in wanted.items():
        for metric in values[0]:
            own = np.array([one[metric] for one in values])
            np.testing.assert_allclose(
                got.per_user[f"{candidates}/{metric}"], own, rtol=2e-6, atol=1e-7, err_msg=metric
            )
            np.testing.assert_allclose(
                got.metrics[candidates][metric], own.mean(), rtol=1e-9, atol=1e-12, err_msg=metric
            )


def _check_lists(experiment: Experiment, options: dict[str, Any]) -> None:
    """The hit rate of the lists that command recommend writes is the measured one; ties may only make it better."""
    evaluator, data = experiment.evaluator, experiment.loader.data
    if options["seen_targets"] == "rank" and evaluator.evaluated("test").seen_share > 0:
        return  # which is warned of
    run = TrainedRun(experiment, Path())
    recipients = known_users(run, "all", "test")
    lists: dict[int, set[int]] = {}

    def keep(rows: np.ndarray[Any, np.dtype[np.int64]], found: Any) -> None:
        items, scores = found
        lists.update({int(row): set(items[n][items[n] > 0].tolist()) for n, row in enumerate(rows)})
        ties.update({int(row) for n, row in enumerate(rows) if len(set(scores[n].tolist())) < scores.shape[1]})

    ties: set[int] = set()
    write_lists(run, recipients, max(KS) + 1, False, None, keep)
    short: dict[int, set[int]] = {}
    write_lists(run, recipients, max(KS), False, None, lambda rows, found: short.update(_lists(rows, found)))
    heldout = evaluator.heldout("test")
    got = evaluator.evaluate(experiment.model, CPU, "test", detailed=True).per_user[f"full/HR@{max(KS)}"]
    for row, user in enumerate(heldout.users.tolist()):
        places = heldout.targets[heldout.target_offsets[row] : heldout.target_offsets[row + 1]]
        hit = float(bool(set(data.items[places].tolist()) & short[user]))
        assert hit == got[row] if user not in ties else hit >= got[row], "lists"


def _lists(rows: np.ndarray[Any, np.dtype[np.int64]], found: Any) -> dict[int, set[int]]:
    """User -> recommended items."""
    return {int(row): {item for item in items.tolist() if item > 0} for row, items in zip(rows, found[0], strict=True)}


def main() -> int:
    """Run the trials of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="number of the first trial")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    began, ends = time.perf_counter(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seed, given.seed + given.trials):
            try:
                ends[trial(seed, Path(folder))] += 1
            except Exception as error:  # of any kind: that is what is looked for
                ends["failed"] += 1
                print(f"trial {seed}: {type(error).__name__}: {str(error)[:300]}")
    refused = {end: count for end, count in ends.items() if end.startswith("refused")}
    for end, count in sorted(refused.items(), key=lambda pair: -pair[1])[:5]:
        print(f"  {count} {end}")
    print(
        f"{ends['checked']} checked, {sum(refused.values())} refused, {ends['failed']} failed in "
        f"{time.perf_counter() - began:.0f} s"
    )
    return int(ends["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
