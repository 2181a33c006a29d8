"""What a resumed run may change: nothing that decides results, but the limit that ended it."""

import shutil

import pytest
from small_runs import TINY_VAE, Place, outcome

SHORT = {**TINY_VAE, "train_transfer": False, "saturation_wait_epochs": 3}


def test_a_finished_run_is_extended(place: Place) -> None:
    """It ends in the bits of a run that had the larger limit from the start."""
    place.run(SHORT, num_epochs=2).ok()
    same = place.run(SHORT, num_epochs=2, resume_training=True)
    assert same.code == 1 and "--resume_training true with the limit that ended it raised" in same.err
    lower = place.run(SHORT, num_epochs=1, resume_training=True)
    assert lower.code == 1 and "num_epochs: 2 then, 1 now" in lower.err
    another = place.run(SHORT, num_epochs=2, saturation_wait_epochs=4, resume_training=True)
    assert another.code == 1 and "ended by num_epochs, not by a raised limit: raise num_epochs" in another.err
    config = place.run_folder / "config.yaml"
    words = ("--templates", config, "--num_epochs", 4, "--resume_training", "true")
    place.launcher.run(place.folder, *words).ok()
    extended, whole = outcome(place.run_folder), Place(place.folder / "whole", place.launcher)
    whole.run(SHORT, num_epochs=4).ok()
    assert extended == outcome(whole.run_folder)
    assert (place.results()["epochs"], place.status()["stopped_by"]) == (4, "num_epochs")
    assert "num_epochs: 4\n" in config.read_text()


@pytest.mark.parametrize("change", [1, 2, 4])
def test_an_extension_that_is_killed_is_resumed(place: Place, change: int) -> None:
    place.run(SHORT, num_epochs=2).ok()
    place.run(SHORT, num_epochs=3, resume_training=True, die_at=change)
    place.run(SHORT, num_epochs=3, resume_training=True).ok()
    assert (place.results()["epochs"], place.results()["options"]["num_epochs"]) == (3, 3)


def test_an_edited_config_is_noticed(finished: Place, place: Place) -> None:
    shutil.copytree(finished.folder / "experiments", place.folder / "experiments")
    (place.run_folder / "status.json").write_text('{"state": "interrupted"}')
    config = place.run_folder / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.01\n", "lr: 0.02\n"))
    before = (place.run_folder / "results.json").read_bytes()
    ended = place.launcher.run(place.folder, "--templates", config, "--resume_training", "true")
    assert ended.code == 1 and "config.yaml was edited" in ended.err and "lr: 0.01 then, 0.02 now" in ended.err
    assert (place.run_folder / "results.json").read_bytes() == before
    assert place.status() == {"state": "interrupted"}


def test_lost_rows_of_a_table_are_noticed(place: Place) -> None:
    place.run(SHORT, num_epochs=4).ok()
    table = place.run_folder / "tables" / "val_log.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:2] + lines[4:]))
    ended = place.run(SHORT, num_epochs=5, resume_training=True).ok()
    assert "val_log.csv lacks the rows of epochs 2, 3" in ended.err
    assert "train_log.csv has lost" not in ended.err
