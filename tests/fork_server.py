"""A process that has imported the project and forks a child for each command line: `python main.py` in milliseconds.

It reads a JSON object a line from its standard input, starts a child for it and answers {"pid"}; when a child ends it
tells {"pid", "code"}. A child can be asked to send itself a signal at its n-th change of files (SIGKILL: no clean-up).
"""

import contextlib
import json
import logging
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")


def watch_changes(under: str, die_at: int | None, die_of: int, count_file: str) -> Any:
    """Count what this process does to files under a folder; send it a signal at the `die_at`-th, before it happens."""
    count = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and bool(args[2] & WRITING)
        if not (writes or event in CHANGES) or isinstance(args[0], int):
            return
        name = os.fsdecode(args[0])
        if not str(Path(name).absolute()).startswith(under) or name == count_file or "tensorboard" in name:
            return  # TensorBoard writes in a thread of its own, whenever that comes to it
        count += 1
        if count == die_at:
            os.kill(os.getpid(), die_of)

    sys.addaudithook(hook)
    return lambda: Path(count_file).write_text(str(count))


def run_child(job: dict[str, Any]) -> int:
    """What the forked process does."""
    os.setsid()
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, job["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o666)
        os.dup2(opened, descriptor)
        os.close(opened)
    if job["closed"]:  # as by `>&- 2>&-` in a shell
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        os.close(1)
        os.close(2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["main.py", *job["argv"]]
    import main  # noqa: PLC0415

    finish = watch_changes(job["cwd"], job["die_at"], job["die_of"], job["events"])
    try:
        return main.main()
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        logging.shutdown()
        for screen in (sys.stdout, sys.stderr):
            if screen is not None:
                with contextlib.suppress(OSError):
                    screen.flush()
        finish()


def serve() -> None:
    """Start a child for each line until the input ends; then end the children that are left."""
    answers = os.dup(1)
    os.dup2(2, 1)
    children: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.005 if children else None)
        if ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                child = os.fork()
                if child == 0:
                    os.close(answers)
                    os._exit(run_child(json.loads(line)))
                children.add(child)
                os.write(answers, json.dumps({"pid": child}).encode() + b"\n")
        for child in list(children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                children.discard(child)
                reported = {"pid": child, "code": os.waitstatus_to_exitcode(status)}
                os.write(answers, json.dumps(reported).encode() + b"\n")
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import torch

    import runs.commands
    import runs.tuning.search  # noqa: F401  (imports everything that a run needs)

    torch.set_num_threads(1)
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], fused=True)  # the first one imports much of torch
    serve()
