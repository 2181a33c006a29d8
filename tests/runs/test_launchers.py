"""Many tasks in several processes: none takes another with it, whatever happens to it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from common.errors import UserError
from runs.launchers import LaunchOptions, Result, Task, launch

TWO = LaunchOptions(max_parallel=2)


def square(number: int) -> int:
    print(f"squaring {number}")
    return number * number


def break_off(kind: str) -> int:
    if kind == "user":
        raise UserError("a wrong option")
    raise ValueError("a fault")


def die(marks: str) -> str:
    """Die at the first time, and at the second, but not at the third."""
    tries = len(list(Path(marks).parent.glob("try-*")))
    (Path(marks).parent / f"try-{tries}").touch()
    if tries < int(Path(marks).read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def wait_for_interrupt(folder: str) -> str:
    try:
        Path(folder, f"began-{os.getpid()}").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        Path(folder, f"ended-{os.getpid()}").touch()
        raise
    return "not interrupted"


def values(results: Iterator[Result[int]]) -> dict[str, int | None]:
    return {result.task.name: result.value for result in results}


@pytest.fixture(params=[1, 2], ids=["serial", "two processes"])
def options(request: pytest.FixtureRequest) -> LaunchOptions:
    return LaunchOptions(max_parallel=request.param)


def test_results_come_as_tasks_end(options: LaunchOptions) -> None:
    tasks = [Task(f"t{n}", square, (n,)) for n in range(5)]
    assert values(launch(tasks, options)) == {f"t{n}": n * n for n in range(5)}


def test_a_task_that_fails_says_why(options: LaunchOptions) -> None:
    tasks = [Task("user", break_off, ("user",)), Task("fault", break_off, ("fault",)), Task("good", square, (3,))]
    ended = {result.task.name: result for result in launch(tasks, options)}
    assert ended["user"].error == "a wrong option"
    assert ended["fault"].error == "ValueError: a fault"
    assert (ended["good"].value, ended["good"].error) == (9, None)


def test_a_task_can_follow_from_results(options: LaunchOptions) -> None:
    seen: list[int] = []

    def doubling() -> Iterator[Task[int]]:
        while len(seen) < 4:
            yield Task("next", square, (len(seen),))

    for result in launch(doubling(), options):
        assert result.value is not None
        seen.append(result.value)
    assert len(seen) in (4, 5)  # the last one may have begun before the fourth had ended


@pytest.mark.parametrize(("deaths", "error"), [(1, None), (2, "its process was killed by signal 9")])
def test_a_process_that_dies_takes_no_other_with_it(tmp_path: Path, deaths: int, error: str | None) -> None:
    marks = tmp_path / "deaths"
    marks.write_text(str(deaths))
    tasks = [Task("dying", die, (str(marks),)), *(Task(f"t{n}", square, (n,)) for n in range(4))]
    ended = {result.task.name: result for result in launch(tasks, TWO)}
    assert {name: result.value for name, result in ended.items() if name != "dying"} == {
        f"t{n}": n * n for n in range(4)
    }
    if error is None:
        assert ended["dying"].value == "alive"
    else:
        assert error in str(ended["dying"].error)


def test_lines_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    list(launch([Task(f"t{n}", square, (n,)) for n in range(3)], TWO))
    assert sorted(capsys.readouterr().err.splitlines()) == [f"[t{n}] squaring {n}" for n in range(3)]


def threads(chosen: int | None) -> int:
    if chosen is not None:
        torch.set_num_threads(chosen)
    return torch.get_num_threads()


def test_a_task_s_threads_are_its_own(options: LaunchOptions) -> None:
    tasks = [Task("many", threads, (3,)), Task("share", threads, (None,)), Task("again", threads, (None,))]
    assert values(launch(tasks, options)) == {"many": 3, "share": 1, "again": 1}


def test_the_keyboard_interrupts_all(tmp_path: Path) -> None:
    def press() -> None:
        while len(list(tmp_path.glob("began-*"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        pytest.skip("Ctrl-C is ignored here, as in a script's background job")
    threading.Thread(target=press).start()
    results = []
    with pytest.raises(KeyboardInterrupt):
        for result in launch([Task(f"t{n}", wait_for_interrupt, (str(tmp_path),)) for n in range(4)], TWO):
            results.append(result)
    assert [result.interrupted for result in results] == [True, True]
    assert len(list(tmp_path.glob("ended-*"))) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_processes_end_with_the_one_that_asked(tmp_path: Path) -> None:
    tasks = launch([Task("t", wait_for_interrupt, (str(tmp_path),)), Task("quick", square, (1,))], TWO)
    assert next(tasks).task.name == "quick"
    while not (began := list(tmp_path.glob("began-*"))):
        time.sleep(0.01)
    tasks.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(began[0].name.split("-")[1]), 0)


def test_an_address_is_for_ray_alone() -> None:
    with pytest.raises(ValueError, match="ray_address is for launcher ray"):
        LaunchOptions(ray_address="auto")
