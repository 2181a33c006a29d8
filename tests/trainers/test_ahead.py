"""Batches prepared ahead in a thread: the same, in order; errors arrive; the thread ends with the loop."""

import threading
from collections.abc import Iterator

import pytest

from trainers.ahead import ahead


def threads() -> int:
    return sum(thread.name == "batches" for thread in threading.enumerate())


def test_elements_come_in_order() -> None:
    assert list(ahead(iter(range(20)), lambda number: number * number)) == [number * number for number in range(20)]
    assert list(ahead(iter([]), lambda number: number)) == []
    assert threads() == 0


def test_a_few_are_prepared_before_they_are_asked_for() -> None:
    made: list[int] = []
    arrived = threading.Semaphore(0)

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            arrived.release()
            yield number

    batches = ahead(source(), lambda number: number, count=2)
    assert next(batches) == 0
    for _ in range(4):  # the one that was taken, two that wait and one in the thread's hands
        assert arrived.acquire(timeout=60)
    assert made == [0, 1, 2, 3]
    batches.close()  # type: ignore[attr-defined]
    assert threads() == 0


def test_errors_of_the_thread_are_raised() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    batches = ahead(source(), lambda number: number)
    assert next(batches) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(batches)
