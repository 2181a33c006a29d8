"""Runs on a real Ray cluster of two nodes on this machine, one of which is killed."""

import importlib.util
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import Launcher, Running
from small_runs import TINY_VAE, Place, outcome

from common.errors import UserError
from runs.launchers import LaunchOptions, Task, launch

STORE_BYTES = 80 * 2**20
PATIENCE = "200"  # seconds
STARTS = 3  # attempts: on a busy machine Ray may time out
SEEDS = (0, 1)


class TwoNodes:
    """A cluster of two nodes with one core each, reachable only from this machine."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415

        self.cluster = Cluster()
        try:
            self.nodes = [self._add(include_dashboard=False), self._add()]
        except BaseException:
            self.cluster.shutdown()
            raise

    def _add(self, **options: Any) -> Any:
        return self.cluster.add_node(
            num_cpus=1, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1", **options
        )

    def kill_the_second(self) -> None:
        """Kill its processes at once, like a power cut."""
        self.cluster.remove_node(self.nodes[1], allow_graceful=False)


def start_cluster() -> TwoNodes:
    for _ in range(STARTS - 1):
        try:
            return TwoNodes()
        except Exception as error:  # Ray raises no specific type
            print(f"the cluster didn't start: {error}")
    return TwoNodes()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    folder = tempfile.mkdtemp(prefix="ray")  # not tmp_path: the names of sockets must be short
    settings = {"TMPDIR": folder, "USAGE_STATS_ENABLED": "0", "AUTH_MODE": "disabled"}
    settings |= dict.fromkeys(("raylet_start_wait_time_s", "gcs_server_request_timeout_seconds"), PATIENCE)
    for key, value in settings.items():
        monkeypatch.setenv(f"RAY_{key}", value)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: requirements-ray.txt")
    started = start_cluster()
    yield started
    started.cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def start(place: Place, *options: object) -> Running:
    """Start a comparison of one model under two seeds."""
    left_out = ("experiment_group", "experiment_name", "num_threads", "model_code", "dataset_code")
    plan = {key: value for key, value in TINY_VAE.items() if key not in left_out}
    plan |= {"mode": "compare", "runs": ["train_vae"], "seeds": list(SEEDS), "datasets": ["synthetic"]}
    plan |= {"saturation_wait_epochs": None, "num_epochs": 60, "num_threads": 1}
    (place.folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return place.launcher.start(place.folder, "--templates", "plan.yaml", *options)


def run_folders(place: Place) -> list[Path]:
    return sorted(place.folder.glob("experiments/synthetic/*-seed*"))


def wait_for_checkpoints(place: Place, running: Running) -> None:
    """Wait until every run has a checkpoint to resume from."""
    pattern = "experiments/synthetic/*/models/recent-*.safetensors"
    while len({path.parent for path in place.folder.glob(pattern)}) < len(SEEDS):
        assert not running.ended(), running.wait()
        time.sleep(0.01)


@pytest.mark.slow
def test_the_run_of_a_dead_node_resumes_on_another(cluster: TwoNodes, tmp_path: Path) -> None:
    launcher = Launcher()  # inherits the settings of the cluster
    place, alone = Place(tmp_path / "here", launcher), Place(tmp_path / "alone", launcher)
    running = start(place, "--launcher", "ray", "--ray_address", cluster.cluster.address)
    wait_for_checkpoints(place, running)
    cluster.kill_the_second()
    running.wait().ok()
    start(alone).wait().ok()
    launcher.close()
    assert len(run_folders(place)) == len(SEEDS)
    for disturbed, undisturbed in zip(run_folders(place), run_folders(alone), strict=True):
        assert disturbed.name == undisturbed.name
        assert outcome(disturbed) == outcome(undisturbed)
        assert json.loads((disturbed / "results.json").read_text())["command"].startswith("python main.py --templates")
    logs = [(folder / "log.txt").read_text() for folder in run_folders(place)]
    assert sum("resumed after epoch" in log and "resumed after epoch 0" not in log for log in logs) == 1


def test_missing_ray_names_the_requirements_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install -r requirements-ray\.txt"):
        list(launch([Task("t", len, ("",))], LaunchOptions(launcher="ray")))


def test_an_unreachable_cluster_is_reported_quickly() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: requirements-ray.txt")
    with pytest.raises(UserError, match="there is no Ray cluster at 127"):
        list(launch([Task("t", len, ("",))], LaunchOptions(launcher="ray", ray_address="127.0.0.1:1")))
