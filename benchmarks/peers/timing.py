"""Seconds and memory of a unit of work; standard library only, for the environments of all peers."""

import resource
import time


class Clock:
    """Collects the seconds and the CPU seconds of pieces of work of some kinds, in `figures`."""

    def __init__(self) -> None:
        self.figures: dict[str, list[float]] = {}
        self._began = (0.0, 0.0)

    def begin(self) -> None:
        """A piece of work begins."""
        self._began = (time.perf_counter(), time.process_time())

    def end(self, kind: str) -> None:
        """It ends."""
        for key, began, now in zip(
            (kind, f"{kind}_cpu"), self._began, (time.perf_counter(), time.process_time()), strict=True
        ):
            self.figures.setdefault(key, []).append(now - began)


class TimedEpochs:
    """The methods that PyTorch Lightning calls at the start and end of a training epoch."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_epoch_start(self, *_: object) -> None:
        """Begin an epoch."""
        self.clock.begin()

    def on_train_epoch_end(self, *_: object) -> None:
        """End an epoch."""
        self.clock.end("epoch")


def peak_mib() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
