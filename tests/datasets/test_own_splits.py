"""A split that comes with the data: what is trained on, the inputs and the targets; and what doesn't fit together."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

import datasets
import main
from common.errors import UserError
from datasets import Split
from datasets.sequence_data import Heldout
from datasets.splits.leakage import check_leakage

TRAIN = "user,item,timestamp\na,1,10\na,2,20\nb,2,11\nb,3,21\nc,1,12\n"
VALIDATION = "user,item,timestamp\na,3,30\nb,4,31\nb,1,33\nnew,1,5\n"
TEST = "user,item,timestamp\na,4,40\na,4,41\nb,5,42\n"


def load(folder: Path, train: str = TRAIN, validation: str = VALIDATION, test: str = TEST, **more: Any) -> Split:
    """The split of three files."""
    paths = {"dataset_path": train, "validation_path": validation, "test_path": test}
    for key, content in paths.items():
        (folder / f"{key}.csv").write_text(content)
    given = {key: folder / f"{key}.csv" for key in paths}
    rest = {"min_uc": 0, "min_sc": 0, "local_data_folder": folder / "Data"}
    data = datasets.load("file", datasets.DATASETS["file"].Options(**given, **{**rest, **more}))
    return datasets.split(data, "files", datasets.SPLITS["files"].Options())


def cases(split: Split, heldout: Heldout) -> dict[str, tuple[list[int], list[int]]]:
    """User -> (input items, targets), by original ids."""
    data, found = split.data, {}
    for row, user in enumerate(heldout.users):
        targets = heldout.targets[heldout.target_offsets[row] : heldout.target_offsets[row + 1]]
        positions = range(heldout.input_start[row], heldout.input_end[row])
        ids = [[int(data.item_ids[data.items[place] - 1]) for place in places] for places in (positions, targets)]
        found[str(data.user_ids[user])] = (ids[0], ids[1])
    return found


def trained(split: Split) -> dict[str, list[int]]:
    """User -> items of the training interactions, by original ids."""
    data = split.data
    return {
        str(user): [int(data.item_ids[item - 1]) for item in data.items[start:end]]
        for user, start, end in zip(data.user_ids, split.train_start, split.train_end, strict=True)
    }


def test_the_parts_are_those_of_the_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = load(tmp_path)
    assert trained(split) == {"a": [1, 2], "b": [2, 3], "c": [1], "new": []}
    assert cases(split, split.validation) == {"a": ([1, 2], [3]), "b": ([2, 3], [4, 1])}
    assert cases(split, split.test) == {"a": ([1, 2, 3], [4]), "b": ([2, 3, 4, 1], [5])}
    assert split.in_time and check_leakage(split) == []
    assert "1 of 3 validation users without training interactions" in caplog.text
    assert "2 of 2 test targets have items without training interactions" in caplog.text
    again = load(tmp_path)  # from the cache
    assert cases(again, again.test) == cases(split, split.test) and again.data.hash == split.data.hash


def test_time_units_formats_and_kinds_of_ids_may_differ(tmp_path: Path) -> None:
    """Milliseconds beside seconds, a tab beside commas, words beside numbers."""
    start = 1_700_000_000
    train = f"user,item,timestamp\n1,10,{start}\n1,20,{start + 1}\n2,10,{start}\n"
    validation = f"user,item,timestamp\n1,30,{start + 2}\n2,20,{start + 2}\n"
    test = f"user\titem\ttimestamp\n1\t40\t{start}500\n2\t10\t{start + 9}000\nword\t10\t{start}000\n"
    split = load(tmp_path, train, validation, test)
    assert cases(split, split.test) == {"1": ([10, 20, 30], [40]), "2": ([10, 20], [10])}
    assert split.data.timestamps is not None and split.data.timestamps.max() == start + 9
    assert not split.in_time


def test_rows_without_times_keep_their_order(tmp_path: Path) -> None:
    """The validation file comes after the training file, and the test file last."""
    split = load(tmp_path, "user,item\na,2\na,1\n", "user,item\na,4\na,3\n", "user,item\na,1\n")
    assert cases(split, split.validation) == {"a": ([2, 1], [4, 3])}
    assert cases(split, split.test) == {"a": ([2, 1, 4, 3], [1])}
    assert check_leakage(split) == []


def test_a_split_at_random_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = load(tmp_path, TRAIN.replace("a,1,10", "a,1,99"))
    assert not split.in_time and check_leakage(split) == []
    assert "interactions of 1 user are newer than some in a later part" in caplog.text


def test_dropped_rows_of_the_split_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path, min_uc=4)
    assert "1 of 4 validation rows and 0 of 3 test rows were dropped" in caplog.text and "--min_uc 0" in caplog.text


def test_merging_and_copies_stay_within_a_part(tmp_path: Path) -> None:
    """An interaction that is in two files stays in both."""
    leaky = VALIDATION + "a,1,10\n"
    split = load(tmp_path, TRAIN + "a,1,10\n", leaky, drop_copies=True)
    assert trained(split)["a"] == [1, 2] and cases(split, split.validation)["a"] == ([1, 2], [1, 3])
    merged = load(tmp_path, TRAIN, VALIDATION.replace("a,3", "a,1"), TEST, repeats="last")
    assert cases(merged, merged.validation)["a"] == ([1, 2], [1])
    assert cases(merged, merged.test)["a"] == ([1, 2, 1], [4])


COLUMN = "user,item,timestamp,fold\n" + "".join(
    row + f",{part}\n"
    for part, table in (("Train", TRAIN), ("valid", VALIDATION), (" TEST", TEST))
    for row in table.splitlines()[1:]
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_may_name_the_parts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"all.{kind}"
    frame = pd.read_csv(io.StringIO(COLUMN))
    frame.to_parquet(path) if kind == "parquet" else path.write_text(COLUMN)
    rest = {"min_uc": 0, "min_sc": 0, "local_data_folder": tmp_path / "Data", "split_column": "fold"}
    data = datasets.load("file", datasets.DATASETS["file"].Options(dataset_path=path, **rest))
    split, files = datasets.split(data, "files", datasets.SPLITS["files"].Options()), load(tmp_path)
    assert trained(split) == trained(files) and split.data.hash == files.data.hash
    for phase in ("validation", "test"):
        assert cases(split, getattr(split, phase)) == cases(files, getattr(files, phase))


def test_other_words_in_the_column_are_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text(COLUMN.replace("Train", "A", 1))
    options = datasets.DATASETS["file"].Options(
        dataset_path=path, local_data_folder=tmp_path, split_column="fold", min_uc=0, min_sc=0
    )
    with pytest.raises(UserError, match=r"line 2: the part 'a' .* is not train, valid or test"):
        datasets.load("file", options)
    with pytest.raises(UserError, match="there is no column 'part'"):
        datasets.load("file", options.model_copy(update={"split_column": "part"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": VALIDATION.replace(",timestamp", ",size")}, "all must have the same"),
        ({"validation": "user,item,timestamp\nnew,1,5\n"}, "leaves no validation user"),
        ({"test": TEST.replace("a,", "A,").replace("b,", "B,")}, "leaves no test user"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(tmp_path, **changes)


def test_the_options_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError, match="give both validation_path and test_path"):
        datasets.DATASETS["file"].Options(dataset_path="x.csv", test_path="y.csv")
    load(tmp_path)
    words = ["--templates", "train_ease", "--experiment_root", tmp_path, "--num_threads", "1"]
    data = ["--dataset_code", "file", "--dataset_path", tmp_path / "dataset_path.csv", "--min_uc", "0", "--min_sc", "0"]
    data += ["--test_negative_sampler_code", "[]", "--local_data_folder", tmp_path / "Data"]
    both = ["--validation_path", tmp_path / "validation_path.csv", "--test_path", tmp_path / "test_path.csv"]

    def run(*argv: object) -> int:
        return main.run([str(word) for word in argv])

    assert run(*words, *data, "--split", "files") == run(*words, "--dataset_code", "ml-1m", "--split", "files") == 2
    assert "split files needs dataset file with validation_path" in capsys.readouterr().err
    assert run(*words, *data, *both, "--split", "ratio") == 2
    assert "are for split files, not for ratio" in capsys.readouterr().err
    assert run(*words, *data, *both, "--split", "files") == 0
    assert "files, full ranking, seen items not filtered, 8.3 % repeats" in capsys.readouterr().out
    (tmp_path / "test_path.csv").unlink()
    assert run(*words, *data, *both, "--split", "files", "--experiment_name", "again") == 1
    assert "test_path.csv: no such file" in capsys.readouterr().err
