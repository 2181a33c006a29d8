"""Tasks in several processes: whatever happens to one, the others still finish."""

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
    """Die as often as the file `marks` says, then return."""
    tries = len(list(Path(marks).parent.glob("try-*")))
    (Path(marks).parent / f"try-{tries}").touch()
    if tries < int(Path(marks).read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def wait_for_interrupt(folder: str) -> str:
    try:
        Path(folder, f"started-{os.getpid()}").touch()
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


def test_results_arrive_as_tasks_finish(options: LaunchOptions) -> None:
    tasks = [Task(f"t{n}", square, (n,)) for n in range(5)]
    assert values(launch(tasks, options)) == {f"t{n}": n * n for n in range(5)}


def test_a_failed_task_reports_its_error(options: LaunchOptions) -> None:
    tasks = [Task("user", break_off, ("user",)), Task("fault", break_off, ("fault",)), Task("good", square, (3,))]
    ended = {result.task.name: result for result in launch(tasks, options)}
    assert ended["user"].error == "a wrong option"
    assert ended["fault"].error == "ValueError: a fault"
    assert (ended["good"].value, ended["good"].error) == (9, None)


def test_the_next_task_may_depend_on_results(options: LaunchOptions) -> None:
    seen: list[int] = []

    def following() -> Iterator[Task[int]]:
        while len(seen) < 4:
            yield Task("next", square, (len(seen),))

    for result in launch(following(), options):
        assert result.value is not None
        seen.append(result.value)
    assert len(seen) in (4, 5)  # the fifth may have started before the fourth ended


@pytest.mark.parametrize(("deaths", "error"), [(1, None), (2, "its process was killed by signal 9")])
def test_a_dying_process_leaves_other_tasks_alone(tmp_path: Path, deaths: int, error: str | None) -> None:
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


def test_output_lines_start_with_the_task_name(capsys: pytest.CaptureFixture[str]) -> None:
    list(launch([Task(f"t{n}", square, (n,)) for n in range(3)], TWO))
    assert sorted(capsys.readouterr().err.splitlines()) == [f"[t{n}] squaring {n}" for n in range(3)]


def threads(chosen: int | None) -> int:
    if chosen is not None:
        torch.set_num_threads(chosen)
    return torch.get_num_threads()


def test_thread_counts_do_not_leak_between_tasks(options: LaunchOptions) -> None:
    tasks = [Task("many", threads, (3,)), Task("share", threads, (None,)), Task("again", threads, (None,))]
    assert values(launch(tasks, options)) == {"many": 3, "share": 1, "again": 1}


def test_ctrl_c_interrupts_all_tasks(tmp_path: Path) -> None:
    def press_ctrl_c() -> None:
        while len(list(tmp_path.glob("started-*"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        pytest.skip("SIGINT is ignored here, as in a background job of a script")
    threading.Thread(target=press_ctrl_c).start()
    results = []
    with pytest.raises(KeyboardInterrupt):
        for result in launch([Task(f"t{n}", wait_for_interrupt, (str(tmp_path),)) for n in range(4)], TWO):
            results.append(result)
    assert [result.interrupted for result in results] == [True, True]
    assert len(list(tmp_path.glob("ended-*"))) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_closing_the_launcher_ends_its_processes(tmp_path: Path) -> None:
    tasks = launch([Task("t", wait_for_interrupt, (str(tmp_path),)), Task("quick", square, (1,))], TWO)
    assert next(tasks).task.name == "quick"
    while not (started := list(tmp_path.glob("started-*"))):
        time.sleep(0.01)
    tasks.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(started[0].name.split("-")[1]), 0)


def test_a_ray_address_needs_launcher_ray() -> None:
    with pytest.raises(ValueError, match="ray_address needs launcher ray"):
        LaunchOptions(ray_address="auto")
