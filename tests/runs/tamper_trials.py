"""Damage a file of a run, a search or an export, and use it: the file is named, or nothing depends on it.

    python tests/runs/tamper_trials.py          about a thousand damaged files
    python tests/runs/tamper_trials.py 100      100 of them

Prints a line for each fault: a traceback, an error that names neither the file nor its folder, or other results without
a word. (A text that stays valid with values that a user may have written is no damage.)
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[number]) for number in (2, 1, 0)]

from helpers import Launcher
from kill_trials import (
    COMPARE,
    EXPORT,
    LISTS,
    REPLACE,
    REPORT,
    RESUME,
    SHORT,
    TUNE,
    Words,
    of_file,
    of_folder,
    of_run,
    of_runs,
)
from small_runs import Place

Draw = random.Random
Damage = Callable[[bytes, Draw], bytes]


def cut(content: bytes, draw: Draw) -> bytes:
    """Without its end."""
    return content[: draw.randrange(len(content))]


def flipped(content: bytes, draw: Draw) -> bytes:
    """With another byte somewhere."""
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]


def zeroed(content: bytes, draw: Draw) -> bytes:
    """With zeros in a part."""
    at = draw.randrange(len(content))
    return content[:at] + bytes(min(4096, len(content) - at)) + content[at + 4096 :]


def not_text(content: bytes, draw: Draw) -> bytes:
    """With a byte that is no UTF-8."""
    at = draw.randrange(len(content))
    return content[:at] + b"\xff" + content[at:]


def _another_type(value: Any, draw: Draw) -> Any:
    """A value in which one part has another type."""
    if isinstance(value, dict) and value:
        key = draw.choice(list(value))
        return {**value, key: _another_type(value[key], draw)}
    return draw.choice([[[1]], {"x": [1]}, "\x1b[31m" * 10, -(10**30)])


def retyped(content: bytes, draw: Draw) -> bytes:
    """JSON in which one value has another type."""
    return json.dumps(_another_type(json.loads(content), draw)).encode()


EVERY: tuple[Damage, ...] = (
    lambda content, draw: b"",
    lambda content, draw: draw.randbytes(300),
    lambda content, draw: b"[1]",
    lambda content, draw: b"[" * 50_000,
)
BINARY = (*EVERY, cut, flipped, zeroed)
JSON = (*EVERY, cut, not_text, retyped)
YAML = (*EVERY, not_text, lambda content, draw: content + b"a: &a [1, 1]\nb: [*a, *a]\n")
CSV = (*EVERY[1:], not_text, lambda content, draw: content + b"x,y\n")
OF_KIND = {".json": JSON, ".yaml": YAML, ".csv": CSV, ".safetensors": BINARY, ".parquet": BINARY, ".db": BINARY}


@dataclass(frozen=True)
class Use:
    """A command that uses files.

    Attributes
    ----------
    words : its options
    files : patterns of the files to damage
    found : reads its results, which damage must not change without a word
    before : the commands that write the files
    prepare : changes the folder before the damage
    """

    words: Words
    files: tuple[str, ...]
    found: Callable[[Place], object]
    before: tuple[Words, ...] = (SHORT,)
    prepare: Callable[[Place], object] = field(default=lambda place: None)


def interrupt(place: Place) -> None:
    """Let the run look as if it was killed before it wrote its results."""
    status = place.status()
    (place.run_folder / "status.json").write_text(json.dumps({**status, "state": "running"}))


def tested(place: Place) -> object:
    """The metrics that a test measured."""
    return json.loads((place.run_folder / "evaluation" / "test.json").read_text())["test"]


RUN_FILES = ("experiments/g/run/config.yaml", "experiments/g/run/models/best.safetensors")
USES = {
    "resume": Use(
        {**SHORT, **RESUME},
        ("experiments/g/run/*.json", "experiments/g/run/config.yaml", "**/recent-*", "experiments/g/run/tables/*.csv"),
        of_run,
        prepare=interrupt,
    ),
    "test": Use({"mode": "test", "templates": "experiments/g/run/config.yaml"}, RUN_FILES, tested),
    "recommend": Use(LISTS, RUN_FILES, of_file("lists.csv")),
    "report": Use(REPORT, ("**/results.json", "**/per_user.parquet"), of_file("tables/report.md")),
    "compare": Use(COMPARE, ("experiments/**/*.json", "experiments/**/*.yaml"), of_runs, (COMPARE,)),
    "tune": Use(
        {**TUNE, "num_trials": 3},
        ("experiments/**/study.db", "experiments/**/*.json", "experiments/**/*.yaml"),
        of_file("experiments/g/tune-run/best.yaml"),
        (TUNE,),
    ),
    "export": Use(
        {**EXPORT, **REPLACE}, ("served/*.json", *RUN_FILES), of_folder("served"),
        (SHORT, EXPORT),
    ),
}  # fmt: skip


def trials_of(name: str, launcher: Launcher, place: Path, count: int, draw: Draw) -> Iterator[str | None]:
    """Damage `count` files and use them; yields a fault, or None, of each."""
    use = USES[name]
    base = Place(place / "base", launcher)
    for words in use.before:
        base.run(words).ok()
    use.prepare(base)
    whole, damaged = Place(place / "whole", launcher), Place(place / "damaged", launcher)
    shutil.copytree(base.folder, whole.folder, dirs_exist_ok=True)
    whole.run(use.words).ok()
    right = use.found(whole)
    files = sorted({path.relative_to(base.folder) for pattern in use.files for path in base.folder.glob(pattern)})
    for _ in range(count):
        file = draw.choice(files)
        number = draw.randrange(len(OF_KIND[file.suffix]))
        shutil.rmtree(damaged.folder)
        shutil.copytree(base.folder, damaged.folder)
        target = damaged.folder / file
        target.write_bytes(OF_KIND[file.suffix][number](target.read_bytes(), draw))
        fault = _fault(use, damaged, file, right)
        yield None if fault is None else f"{name}, {file} with damage {number}: {fault}"


def _fault(use: Use, place: Place, file: Path, right: object) -> str | None:
    """What went wrong with one damaged file."""
    ended = place.run(use.words)
    said = ended.out + ended.err
    if "Traceback" in said:
        return f"a traceback: {said[-600:]}"
    named = file.name in said or file.parent.name in said
    if ended.code != 0:
        return None if named else f"exit code {ended.code} without the file's name: {said[-300:]}"
    if "\x1b" in said:
        return "an escape sequence on the screen"
    return None if file.name in said or use.found(place) == right else "other results without a word"


def main(words: list[str]) -> int:
    """Run the trials; returns 1 if one has a fault."""
    count, draw = -(-int(words[0] if words else 1000) // len(USES)), Draw(19)
    launcher, done, faults = Launcher(), 0, 0
    for name in words[1:] or USES:
        with tempfile.TemporaryDirectory() as folder:
            for fault in trials_of(name, launcher, Path(folder), count, draw):
                done, faults = done + 1, faults + (fault is not None)
                if fault is not None:
                    print(fault, flush=True)
        print(f"{name}: {done} files so far, {faults} faults", flush=True)
    launcher.close()
    print(f"{done} damaged files, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
