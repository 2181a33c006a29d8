"""A damaged or changed file of a search is named and not used."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from small_runs import Place
from test_tune_command import TUNE, folder_of

SMALL = {**TUNE, "num_trials": 2, "num_epochs": 2, "pruner": "none"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, launcher: object) -> Place:
    """A finished search of two trials."""
    done = Place(tmp_path_factory.mktemp("searched") / "here", launcher)  # type: ignore[arg-type]
    done.run(SMALL).ok()
    return done


def zero_pages(database: Path) -> None:
    """Overwrite the pages after the first with zeros."""
    content = database.read_bytes()
    database.write_bytes(content[:4096] + bytes(len(content) - 4096))


def execute(database: Path, statement: str) -> None:
    """Change the database."""
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


DAMAGE = {
    "zeroed pages": zero_pages,
    "text": lambda path: path.write_text("no database" * 1000),
    "value": lambda path: execute(path, "update trial_values set value = 0.99 where trial_id = 2"),
    "state": lambda path: execute(path, "update trials set state = 'PRUNED' where trial_id = 1"),
    "parameter": lambda path: execute(path, "update trial_params set param_value = 0.05 where param_name = 'lr'"),
    "curve": lambda path: execute(path, "update trial_intermediate_values set intermediate_value = 0.9"),
    "odd state": lambda path: execute(path, "update trials set state = 'ODD'"),
    "odd attribute": lambda path: execute(path, "update trial_user_attributes set value_json = '{'"),
    "lost table": lambda path: execute(path, "drop table trial_params"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_study_is_named(searched: Place, place: Place, damage: str) -> None:
    shutil.copytree(searched.folder / "experiments", place.folder / "experiments")
    shutil.copytree(searched.folder / "Data", place.folder / "Data")
    DAMAGE[damage](folder_of(place) / "study.db")
    ended = place.run(SMALL, num_trials=3)
    assert ended.code == 1 and "study.db" in ended.err and "Traceback" not in ended.err, ended.err


def test_a_damaged_config_of_a_search_is_named(searched: Place, place: Place) -> None:
    shutil.copytree(searched.folder / "experiments", place.folder / "experiments")
    (folder_of(place) / "config.yaml").write_bytes(b"search: [\xff")
    ended = place.run(SMALL, num_trials=3)
    assert ended.code == 1 and "config.yaml is damaged" in ended.err and "Traceback" not in ended.err


def test_an_intact_search_goes_on(searched: Place, place: Place) -> None:
    shutil.copytree(searched.folder / "experiments", place.folder / "experiments")
    place.run(SMALL, num_trials=3).ok()
