"""Running `main.py` as tests do: in other processes that can be interrupted and killed; and small data to run on."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataloaders import DATALOADERS
from datasets import SPLITS, SequenceData, Split
from models import MODELS

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("REAL_DATA", ROOT / ".." / "shared" / "data"))
PATIENCE = 240  # seconds after which a process counts as hanging

SMALL_MODELS: dict[str, Any] = {  # what makes models small, where they have it
    "max_len": 9,
    "hidden_units": 8,
    "num_heads": 2,
    "num_blocks": 1,
    "gru_units": 8,
    "hidden_layers": [8],
    "latent_size": 4,
    "pseudo_inputs": 5,
    "neighbours": 7,
    "tisas_max_time_intervals": 20,
    "marank_num_att_layers": 1,
    "marank_num_linear_layers": 1,
    "train_batch_size": 32,
}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (-9 after kill -9), what it printed, how often it changed files."""

    code: int
    out: str
    err: str
    changes: int | None

    def ok(self) -> Ended:
        """Itself, if all went well."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self


class Running:
    """A process of `main.py`."""

    def __init__(self, launcher: Launcher, pid: int, files: dict[str, Path]) -> None:
        self.launcher, self.pid, self.files = launcher, pid, files

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        if not self.ended():
            os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether the process has ended."""
        self.launcher.listen(0)
        return self.pid in self.launcher.codes

    def wait(self) -> Ended:
        """Wait for the end."""
        deadline = time.monotonic() + PATIENCE
        while self.pid not in self.launcher.codes:
            assert time.monotonic() < deadline, f"process {self.pid} hangs: {self.files['err'].read_text()}"
            self.launcher.listen(1)
        events = self.files["events"]
        changes = int(events.read_text()) if events.exists() else None
        out, err = (self.files[kind].read_text() if self.files[kind].exists() else "" for kind in ("out", "err"))
        return Ended(self.launcher.codes[self.pid], out, err, changes)


class Launcher:
    """Starts `main.py` with arguments in a folder, as often as asked for, from one process that has imported it all."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "fork_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.codes: dict[int, int] = {}
        self.started: list[int] = []
        self._pending = b""
        self._number = 0

    def start(
        self,
        folder: Path,
        *argv: object,
        die_at: int | None = None,
        die_of: signal.Signals = signal.SIGKILL,
        env: dict[str, str] | None = None,
        screen: dict[str, str] | None = None,
    ) -> Running:
        """Start a process; `die_at` lets it get a signal just before its n-th change of a file in `folder`.

        `screen` names other files for "out" and "err"; {} = none, both are closed.
        """
        self._number += 1
        written = folder.parent / f"{folder.name}-process-{self._number}"
        files = {kind: written.with_name(f"{written.name}.{kind}") for kind in ("out", "err", "events")}
        job = {"argv": [str(a) for a in argv], "cwd": str(folder.resolve()), "die_at": die_at, "die_of": int(die_of)}
        job |= {"env": env or {}, "closed": screen == {}}
        line = json.dumps({**job, **{kind: str(path) for kind, path in files.items()}, **(screen or {})})
        assert self.server.stdin is not None
        self.server.stdin.write(line.encode() + b"\n")
        self.server.stdin.flush()
        while not self.started:
            self.listen(PATIENCE)
        return Running(self, self.started.pop(), files)

    def run(self, folder: Path, *argv: object, die_at: int | None = None) -> Ended:
        """Start a process and wait for its end."""
        return self.start(folder, *argv, die_at=die_at).wait()

    def listen(self, seconds: float) -> None:
        """Take what the server has to say, waiting at most so long for it."""
        assert self.server.stdout is not None
        descriptor = self.server.stdout.fileno()
        if select.select([descriptor], [], [], seconds)[0]:
            read = os.read(descriptor, 65536)
            assert read, "the process that starts the others has ended"
            *lines, self._pending = (self._pending + read).split(b"\n")
            for line in lines:
                reported = json.loads(line)
                if "code" in reported:
                    self.codes[reported["pid"]] = reported["code"]
                else:
                    self.started.append(reported["pid"])

    def close(self) -> None:
        """End the server, and what it started."""
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait(timeout=PATIENCE)


def small_options(code: str) -> dict[str, Any]:
    """Those of `SMALL_MODELS` that the model or its dataloader has."""
    kind = MODELS[code]
    keys = {*kind.Options.model_fields, *DATALOADERS[kind.dataloader_code].Options.model_fields}
    return {key: value for key, value in SMALL_MODELS.items() if key in keys}


def flags(**values: object) -> list[str]:
    """Options as command-line arguments; lists with a value each."""
    given = []
    for key, value in values.items():
        many = value if isinstance(value, list | tuple) else [value]
        text = [str(v).lower() if isinstance(v, bool) else "null" if v is None else str(v) for v in many]
        given += [f"--{key}", *text]
    return given


def sequence_data(histories: list[list[int]], num_items: int | None = None, **fields: Any) -> SequenceData:
    """Data of users with these histories (item ids from 1)."""
    flat = np.array([item for history in histories for item in history], dtype=np.int32)
    known = int(flat.max(initial=0)) if num_items is None else num_items
    plain = {
        "name": "small",
        "items": flat,
        "offsets": np.cumsum([0, *map(len, histories)]).astype(np.int64),
        "timestamps": None,
        "ratings": None,
        "user_ids": np.arange(len(histories), dtype=np.int64) + 1000,
        "item_ids": np.arange(known, dtype=np.int64) + 100,
        "hash": "small",
        "repeat_consumption": False,
    }
    return SequenceData(**{**plain, **fields})


def random_histories(seed: int, users: int, items: int, longest: int, repeats: bool = False) -> list[list[int]]:
    """Histories of 3..longest items drawn uniformly."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, longest + 1, users)
    return [
        random.choice(np.arange(1, items + 1), size=n, replace=repeats or n > items).tolist() for n in lengths.tolist()
    ]


def leave_one_out(data: SequenceData) -> Split:
    """The leave-one-out split."""
    return SPLITS["leave_one_out"]().make(data, SPLITS["leave_one_out"].Options())
