"""Several processes train one model. Any number of them gives the same bits, also after a kill."""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

import pytest
import torch
from helpers import Ended, Running, flags
from small_runs import TINY, Place, hashes

from common.workers import Workers
from trainers.run_folder import RunFolder

SAS: dict[str, Any] = {
    **TINY,
    "templates": "train_sas_ce",
    "max_len": 8,
    "hidden_units": 8,
    "train_batch_size": 16,
    "num_epochs": 8,
    "synthetic_users": 40,
    "eval_batch_size": 9,
    "checkpoint_seconds": 0,
    "seen_targets": "miss",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def start(place: Place, count: int, die_at: int | None = None, **changes: Any) -> list[Running]:
    """Start so many workers, as torchrun does; the first gets `die_at`."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    words = flags(**{**SAS, **changes})
    return [
        place.launcher.start(
            place.folder, *words, die_at=die_at if rank == 0 else None, env={**shared, "RANK": str(rank)}
        )
        for rank in range(count)
    ]


def run(place: Place, count: int, **changes: Any) -> list[Ended]:
    return [worker.wait() for worker in start(place, count, **changes)]


def outcome(place: Place) -> dict[str, str]:
    """What no number of workers may change."""
    folder = place.run_folder
    names = ("per_user.parquet", "models/best.safetensors", "tables/train_log.csv", "tables/val_log.csv")
    return {name: hashes(folder)[name] for name in (*names, "tables/test_log.csv")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, launcher: Any) -> dict[str, str]:
    """The outcome of one process that was never interrupted."""
    place = Place(tmp_path_factory.mktemp("alone"), launcher)
    place.run({**SAS, "gradient_parts": 8}).ok()
    return outcome(place)


@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_workers_gives_the_same_bits(place: Place, alone: dict[str, str], count: int) -> None:
    leader, *others = run(place, count)
    leader.ok()
    assert [(other.code, other.out, other.err) for other in others] == [(0, "", "")] * (count - 1)
    assert outcome(place) == alone
    assert place.results()["options"]["gradient_parts"] == 8
    assert place.results()["device"] == "cpu, 1 thread" + (f", {count} workers" if count > 1 else "")


LARGE: dict[str, Any] = {
    "loss": "sampled_ce",
    "train_negative_sample_size": 5,
    "share_negatives": "batch",
    "item_optimizer": "sparse",
    "weight_decay": 0.01,
}


def test_rows_of_items_are_added_up_in_order_too(place: Place) -> None:
    """With a sparse item optimizer, also resumed by another number of workers."""
    outcomes = []
    for workers in (1, 3):
        run(place, workers, **LARGE, overwrite=True)[0].ok()
        outcomes.append(outcome(place))
    cut = start(place, 2, die_at=45, **LARGE, overwrite=True)
    assert [worker.wait().code for worker in cut] == [-signal.SIGKILL, 1]
    run(place, 1, **LARGE, resume_training=True)[0].ok()
    assert outcomes[0] == outcomes[1] == outcome(place)


def test_a_killed_worker_ends_all_and_another_number_resumes(place: Place, alone: dict[str, str]) -> None:
    workers = start(place, 2)
    store = RunFolder(place.run_folder).models
    while not list(store.glob("recent-*")):
        time.sleep(0.01)
    workers[1].send(signal.SIGKILL)
    leader = workers[0].wait()
    assert leader.code == 1 and "a worker ended" in leader.err and "--resume_training true" in leader.err
    assert place.status()["state"] == "interrupted"
    assert place.status()["epoch"] < 8
    run(place, 1, resume_training=True)[0].ok()
    assert outcome(place) == alone


def test_a_killed_leader_ends_all_and_a_resume_gives_equal_bits(place: Place, alone: dict[str, str]) -> None:
    workers = start(place, 2, die_at=45)
    codes = [worker.wait().code for worker in workers]
    assert codes == [-signal.SIGKILL, 1]
    assert "finished" not in place.status().values()
    run(place, 2, resume_training=True)[0].ok()
    assert outcome(place) == alone


def test_what_several_processes_can_not_train_is_refused(place: Place) -> None:
    words = flags(**{**TINY, "templates": "train_pop"})
    alone = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "1", "RANK": "0"}
    fitted = place.launcher.start(place.folder, *words, env=alone).wait()
    assert fitted.code != 0 and "model pop is fitted in a single process" in fitted.err
    too_many = run(place, 2, gradient_parts=1)
    assert too_many[0].code != 0 and "gradient_parts is 1" in too_many[0].err
    assert not place.run_folder.exists()


def test_pieces_are_added_up_in_order() -> None:
    generator = torch.Generator().manual_seed(0)
    pieces = [torch.randn(50, generator=generator) for _ in range(5)]
    total = pieces[0].clone()
    for piece in pieces[1:]:
        total += piece
    assert torch.equal(Workers().sum_in_order(pieces, 5), total)
