"""Comparison tables: means, places, gains, significance and published values; and runs that are refused."""

import statistics
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from evaluation.significance import paired_t
from reports import Report, ReportOptions, report
from reports.numbers import number
from reports.published import published_values, read_published

NDCG = {"metrics": ("NDCG@10",)}


def made(paths: list[Path], **options: Any) -> Report:
    return report([str(path) for path in paths], ReportOptions(**options))


def only(paths: list[Path], **options: Any) -> Any:
    (table,) = made(paths, **options).tables
    return table


def full(value: float) -> dict[str, dict[str, float]]:
    return {"full": {"NDCG@10": value}}


def test_mean_and_deviation_over_seeds(record: Any) -> None:
    values = [0.1, 0.2, 0.4]
    paths = [record("many", full(value), seed=seed) for seed, value in enumerate(values)] + [record("one", full(0.3))]
    rows = {row.label: row for row in only(paths, **NDCG).rows}
    assert rows["many"].cells[0].mean == pytest.approx(0.7 / 3)
    assert rows["many"].cells[0].deviation == pytest.approx(statistics.stdev(values))
    assert rows["one"].cells[0].deviation is None
    assert len(rows["many"].runs) == 3


def test_costs_are_means_over_seeds_and_may_be_missing(record: Any) -> None:
    first, second = record("a", minutes=1.0, parameters=None), record("a", seed=1, minutes=2.0, parameters=None)
    row = only([first, second]).rows[0]
    assert (row.minutes, row.parameters, row.epochs) == (1.5, None, 10)


def test_places_with_ties_and_lower_is_better(record: Any) -> None:
    labels = {"a": 0.5, "b": 0.5, "c": 0.4, "d": 0.3}
    paths = [record(label, {"full": {"NDCG@10": value, "RMSE": value}}) for label, value in labels.items()]
    table = only(paths, metrics=("NDCG@10", "RMSE"), order="label")
    assert [[cell.place for cell in row.cells] for row in table.rows] == [[1, None], [1, None], [2, 2], [None, 1]]


def test_metrics_without_direction_have_no_places_or_tests(record: Any) -> None:
    paths = [record(label, {"full": {"Coverage@10": 0.5 * n}}, per_user=per_user(n)) for n, label in enumerate("abc")]
    table = only(paths, metrics=("Coverage@10",))
    assert {row.cells[0].place for row in table.rows} == {None}
    assert table.comparisons == ()
    assert table.notes == ("not tested because per-user values are missing: Coverage@10",)


def test_a_note_on_different_selection_metrics(record: Any) -> None:
    paths = [
        record("a", protocol={"selected_by": "full/NDCG@10"}, stopped_by="saturation"),
        record("b", protocol={"selected_by": "popular/NDCG@10"}, stopped_by="interrupted"),
    ]
    notes = only(paths, significance=None).notes
    assert notes == ("the best epochs were selected by different validation metrics: full/NDCG@10, popular/NDCG@10",)


def test_a_single_label_has_no_place(record: Any) -> None:
    assert only([record("a")], **NDCG).rows[0].cells[0].place is None


def test_gain_over_the_baseline(record: Any) -> None:
    table = only([record("base", full(0.2)), record("better", full(0.25))], baseline="base", **NDCG)
    gains = {row.label: row.cells[0].gain for row in table.rows}
    assert gains["better"] == pytest.approx(0.25)
    assert gains["base"] is None


@pytest.mark.parametrize(
    ("order", "expected"), [("value", ["c", "a", "b", "z"]), ("label", list("abcz")), ("given", list("zbca"))]
)
def test_the_order_of_rows(record: Any, order: str, expected: list[str]) -> None:
    paths = [record("z", {"popular": {"NDCG@10": 1.0}})]
    paths += [record(label, full(value)) for label, value in {"b": 0.1, "c": 0.3, "a": 0.2}.items()]
    assert [row.label for row in only(paths, order=order, **NDCG).rows] == expected


def test_full_ranking_is_before_sampled_candidates(record: Any) -> None:
    values = {"popular": {"NDCG@10": 0.4, "Recall@10": 0.6}, "full": {"NDCG@10": 0.1, "Recall@10": 0.2}}
    paths = [record("a", values), record("b", {"full": {"NDCG@10": 0.3}})]
    table = only(paths)
    assert [(column.group, column.metric) for column in table.columns] == [
        ("full", "NDCG@10"),
        ("full", "Recall@10"),
        ("pop-100", "NDCG@10"),
        ("pop-100", "Recall@10"),
    ]
    cells = {row.label: [cell and cell.mean for cell in row.cells] for row in table.rows}
    assert cells == {"a": [0.1, 0.2, 0.4, 0.6], "b": [0.3, None, None, None]}
    assert [column.candidates for column in only(paths, candidates=("popular",), **NDCG).columns] == ["popular"]


def test_one_table_per_dataset_and_split(record: Any) -> None:
    other = {"name": "games", "hash": "other", "users": 1, "items": 1, "interactions": 1}
    paths = [
        record("a", name="1"),
        record("a", name="2", data=other),
        record("a", name="3", data=other, split="global_time"),
    ]
    tables = made(paths).tables
    assert [(table.dataset, table.split) for table in tables] == [
        ("games", "global_time"),
        ("games", "leave_one_out"),
        ("ml-1m", "leave_one_out"),
    ]


def per_user(seed: int, shift: float = 0.0, users: int = 60) -> dict[str, Any]:
    noise = np.random.default_rng(seed).random(users) * 0.3
    return {"full/NDCG@10": noise + shift}


def test_paired_tests_against_the_best_with_holm_correction(record: Any) -> None:
    values = {"best": per_user(1, 0.2), "near": per_user(2, 0.17), "far": per_user(3)}
    paths = [record(label, full(float(row["full/NDCG@10"].mean())), per_user=row) for label, row in values.items()]
    table = only(paths, **NDCG)
    single = {
        label: paired_t(
            values[label]["full/NDCG@10"].astype(np.float32), values["best"]["full/NDCG@10"].astype(np.float32)
        ).p_value
        for label in ("near", "far")
    }
    found = {each.label: each for each in table.comparisons}
    assert {each.reference for each in found.values()} == {"best"}
    assert found["far"].corrected == pytest.approx(2 * single["far"], rel=1e-4)
    assert found["near"].corrected == pytest.approx(max(single["near"], 2 * single["far"]), rel=1e-4)
    assert found["far"].difference == pytest.approx(
        (values["far"]["full/NDCG@10"] - values["best"]["full/NDCG@10"]).mean(), abs=1e-6
    )
    assert found["far"].significant
    cells = {row.label: row.cells[0].comparison for row in table.rows}
    assert cells == {"best": None, "near": found["near"], "far": found["far"]}


def test_every_label_is_tested_against_the_baseline(record: Any) -> None:
    paths = [record(label, full(0.1), per_user=per_user(n)) for n, label in enumerate(("a", "b", "c"))]
    for test in ("paired_t", "wilcoxon", "bootstrap"):
        table = only(paths, baseline="b", significance=test, **NDCG)
        assert {(each.label, each.reference) for each in table.comparisons} == {("a", "b"), ("c", "b")}
    assert only(paths, significance=None, **NDCG).comparisons == ()


def test_users_are_matched_by_id_and_averaged_over_seeds(record: Any) -> None:
    names = [f"u{user}" for user in range(60)]
    a, b0, b1 = (per_user(n)["full/NDCG@10"] for n in range(3))
    paths = [
        record("a", full(0.1), per_user={"full/NDCG@10": a}, users=names),
        record("b", full(0.3), per_user={"full/NDCG@10": b0[::-1]}, users=names[::-1]),
        record("b", full(0.2), seed=1, per_user={"full/NDCG@10": b1}, users=names),
    ]
    (comparison,) = only(paths, **NDCG).comparisons
    assert comparison.p_value == pytest.approx(paired_t(a, (b0 + b1) / 2).p_value, rel=1e-3)
    assert comparison.users == 60


def test_labels_without_per_user_values_are_not_tested(record: Any) -> None:
    paths = [
        record("a", full(0.3), per_user=per_user(0)),
        record("b", full(0.2), per_user=per_user(1)),
        record("c", full(0.1)),
    ]
    table = only(paths, **NDCG)
    assert [each.label for each in table.comparisons] == ["b"]
    assert table.notes == ("not tested because per-user values are missing: c",)
    assert only(paths, phase="validation", **NDCG).comparisons == ()


def test_users_are_averaged_over_the_seeds_that_test_them(record: Any) -> None:
    values = {(label, seed): per_user(n)["full/NDCG@10"] for n, (label, seed) in enumerate(product("ab", (0, 1)))}
    users = [[f"u{n}" for n in range(60)], [f"u{n}" for n in range(30, 90)]]  # u30 to u59 are in both
    own = {"split": "random_rating", "options": {"split_seed": None}}
    data = {"name": "ml-1m", "users": 4, "items": 9, "interactions": 40}
    paths = [
        record(
            label,
            full(0.1),
            seed=seed,
            per_user={"full/NDCG@10": value},
            users=users[seed],
            data={**data, "hash": f"draw{seed}"},
            **own,
        )
        for (label, seed), value in values.items()
    ]
    (comparison,) = only(paths, **NDCG).comparisons

    def of(label: str) -> Any:
        first, second = values[label, 0], values[label, 1]
        return np.concatenate([first[:30], (first[30:] + second[:30]) / 2, second[30:]])

    assert comparison.users == 90
    paths.append(record("c", full(0.1), data={**data, "hash": "another"}, **own))
    assert [len(table.rows) for table in made(paths, **NDCG).tables] == [2, 1]
    assert comparison.p_value == pytest.approx(paired_t(of("a"), of("b")).p_value, rel=1e-3)


@pytest.mark.parametrize("seeds", [(0,), (1, 2)])
def test_labels_with_different_seeds_and_splits_are_not_tested(record: Any, seeds: tuple[int, ...]) -> None:
    own = {"split": "random_rating", "options": {"split_seed": None}}
    paths = [record("a", full(0.1), seed=seed, name=f"a{seed}", per_user=per_user(seed), **own) for seed in (0, 1)]
    paths += [record("b", full(0.2), seed=seed, name=f"b{seed}", per_user=per_user(9), **own) for seed in seeds]
    table = only(paths, **NDCG)
    assert table.comparisons == () and "their splits, differ: a" in " ".join(table.notes)


def test_different_users_are_refused(record: Any) -> None:
    paths = [
        record("a", full(0.1), per_user=per_user(0)),
        record("b", full(0.2), per_user=per_user(1), users=[f"other{user}" for user in range(60)]),
    ]
    with pytest.raises(UserError, match="different users"):
        made(paths, **NDCG)


@pytest.mark.parametrize(
    ("change", "variants"),
    [
        (
            {"data": {"name": "ml-1m", "hash": "xyz", "users": 4, "items": 9, "interactions": 40}},
            ["data abc", "data xyz"],
        ),
        ({"filter_seen": False}, ["filter_seen=true", "filter_seen=false"]),
        ({"protocol": {"ties": "optimistic"}}, ["ties=pessimistic", "ties=optimistic"]),
    ],
)
def test_different_protocols_have_tables_of_their_own(record: Any, change: dict[str, Any], variants: list[str]) -> None:
    tables = made([record("a"), record("b", **change)]).tables
    assert [table.variant for table in tables] == variants
    assert [[row.label for row in table.rows] for table in tables] == [["a"], ["b"]]
    assert [only([record(label)]).variant for label in "cd"] == ["", ""]


def test_one_dataset_with_two_filters_has_two_tables(record: Any) -> None:
    data = {"name": "synthetic", "users": 4, "items": 9, "interactions": 40}
    paths = [
        record("a", name=str(least), data={**data, "hash": f"hash{least}"}, options={"min_uc": least, "max_len": least})
        for least in (5, 12)
    ]
    assert [table.name for table in made(paths).tables] == ["synthetic (min_uc=5)", "synthetic (min_uc=12)"]


def test_data_files_of_one_name_are_told_apart(record: Any) -> None:
    data = {"name": "data", "users": 4, "items": 9, "interactions": 40}
    paths = [
        record("a", name=name, data={**data, "hash": name}, options={"dataset_path": f"/home/me/{name}/data.csv"})
        for name in ("old", "new")
    ]
    names = [table.name for table in made(paths).tables]
    assert names == ["data (dataset_path=old/data.csv)", "data (dataset_path=new/data.csv)"]


def test_sampled_protocols_only_affect_sampled_candidates(record: Any) -> None:
    values = {"full": {"NDCG@10": 0.1}, "popular": {"NDCG@10": 0.4}}
    paths = [record("a", values), record("b", values, options={"test_negative_sample_size": 50})]
    paths.append(record("c", full(0.2), options={"test_negative_sample_size": 7}))  # without sampled candidates
    assert [(table.variant, len(table.rows)) for table in made(paths, **NDCG).tables] == [
        ("test_negative_sample_size=100", 2),
        ("test_negative_sample_size=50", 1),
    ]
    assert len(only(paths, candidates=("full",), **NDCG).rows) == 3
    reported = [
        record(label, values, name=label, protocol={"candidates": {"full": {}, "popular": {"seed": seed}}})
        for seed, label in enumerate(("d", "e"))
    ]
    assert len(made(reported, **NDCG).tables) == 2


def names(paths: list[Path], **options: Any) -> list[str]:
    return [row.label for row in only(paths, order="given", **options).rows]


def test_rows_of_one_label_are_told_apart_by_options(record: Any) -> None:
    rates = [
        record("SAS", name=f"{rate}-{seed}", seed=seed, options={"lr": rate}) for rate in (0.1, 0.01) for seed in (0, 1)
    ]
    assert names(rates) == ["SAS (lr=.1)", "SAS (lr=.01)"]
    assert {row.label: len(row.runs) for row in only(rates).rows} == {"SAS (lr=.1)": 2, "SAS (lr=.01)": 2}
    models = [record("b", name=code, model_code=code) for code in ("vae", "sas")]
    assert names(models) == ["b (model_code=vae)", "b (model_code=sas)"]
    many = [record("c", name=f"c{n}", options=dict.fromkeys("pqrst", n) | {"u": n // 2}) for n in range(4)]
    assert names(many) == [f"c (p={n}, …)" for n in range(4)]
    assert names([record("d", options={"device": "cpu"}), record("d", seed=1, options={"device": "cuda"})]) == ["d"]


def test_an_option_that_older_runs_lack_separates_nothing(record: Any) -> None:
    paths = [record("a"), record("a", seed=1, options={"new_option": 3}), record("b", options={"lr": 100.0})]
    paths.append(record("b", seed=1, options={"lr": 100}))
    assert names(paths) == ["a", "b"]


def test_the_last_run_of_a_seed_counts(record: Any) -> None:
    paths = [
        record("a", full(0.3), name="new", finished="2026-02-01T00:00:00"),
        record("a", full(0.1), name="old", finished="2026-01-01T00:00:00"),
    ]
    table = only(paths, **NDCG)
    assert [row.cells[0].mean for row in table.rows] == [0.3]
    assert table.notes == ("left out because a later run has the same label, options and seed: old",)


def test_rows_can_be_renamed_in_the_report(record: Any) -> None:
    paths = [record("VAE_tw", name=f"r{n}", options={"lr": n}) for n in (1, 2)] + [record("Pop"), record("other")]
    labels = ("VAE_tw (lr=1)=slow", "Pop=popularity", f"{paths[3].parent}=by folder")
    assert names(paths, labels=labels) == ["slow", "VAE_tw (lr=2)", "popularity", "by folder"]
    assert names(paths, labels=("r1=ESAPR",), baseline="ESAPR")[0] == "ESAPR"
    with pytest.raises(UserError, match=r"no row has the name 'Popp' in --labels; did you mean `Pop`"):
        names(paths, labels=("Popp=x",))
    with pytest.raises(UserError, match="two rows would have the name 'same'"):
        names(paths, labels=("VAE_tw (lr=1)=same", "VAE_tw (lr=2)=same"))


def test_metrics_that_nobody_chose_are_those_measured(record: Any) -> None:
    def columns(values: dict[str, dict[str, float]]) -> list[str]:
        return [column.metric for column in only([record(str(len(values)) + str(values), values)]).columns]

    assert columns({"full": {"NDCG@5": 0.1, "NDCG@10": 0.1, "NDCG@20": 0.1, "Recall@10": 0.1}}) == [
        "NDCG@10",
        "Recall@10",
    ]
    assert columns({"full": {"NDCG@5": 0.1, "NDCG@7": 0.1}}) == ["NDCG@7"]
    assert columns({"ratings": {"RMSE": 0.1, "MAE": 0.1}}) == ["RMSE", "MAE"]


def test_names_that_no_run_has_are_errors(record: Any) -> None:
    path = record("a")
    with pytest.raises(UserError, match=r"no run has the metric 'NDGC@10' .*did you mean `NDCG@10`"):
        made([path], metrics=("NDGC@10",))
    with pytest.raises(UserError, match=r"no row has the name 'A' of the baseline; did you mean `a`\? Available: a"):
        made([path], baseline="A")
    with pytest.raises(UserError, match="candidates 'random'; available: full"):
        made([path], candidates=("random",))


def test_pilot_runs_are_left_out_with_a_note(record: Any) -> None:
    pilot = record("pilot", options={"pilot": True})
    table = only([pilot, record("a")])
    assert [row.label for row in table.rows] == ["a"]
    assert "pilot" in table.notes[0]
    with pytest.raises(UserError, match="pilot runs"):
        made([pilot])


def test_published_values_match_the_protocol(record: Any) -> None:
    values = {"full": {"NDCG@10": 0.13}, "popular": {"NDCG@10": 0.4284 * 1.03}}
    table = only([record("VAE_tw", values)], **NDCG)
    by_candidates = dict(zip([column.candidates for column in table.columns], table.rows[0].cells, strict=True))
    assert by_candidates["full"].published == ()
    (figure,) = by_candidates["popular"].published
    assert (figure.value, figure.source) == (0.4284, "esapr")
    assert by_candidates["popular"].off_published(figure) == pytest.approx(0.03)
    other = only([record("vae-TW", values, options={"test_negative_sample_size": 50})], **NDCG)
    assert all(cell.published == () for cell in other.rows[0].cells)


def test_the_published_file_is_valid() -> None:
    known = read_published()
    assert {entry.source for entry in known.results} == set(known.sources)
    for entry in known.results:
        assert (entry.negatives is None) == (entry.candidates in ("full", None))
        for name in ("NDCG", "Recall"):
            curve = sorted(
                (int(metric.split("@")[1]), value) for metric, value in entry.metrics.items() if metric.startswith(name)
            )
            assert [value for _, value in curve] == sorted(value for _, value in curve), entry
        if "RMSE" not in entry.metrics:
            assert all(0 < value < 1 for value in entry.metrics.values())
    keys = [(tuple(e.labels), tuple(e.datasets), e.split, e.candidates, e.source) for e in known.results]
    assert len(set(keys)) == len(keys)
    found = published_values("BERT4Rec", "ml-1m", "leave_one_out", "full", None, "Recall@10")
    assert [(figure.value, figure.source) for figure in found] == [
        (0.2843, "klenitskiy"),
        (0.2821, "petrov2022"),
        (0.2921, "rectools"),
    ]


def test_intervals_contain_the_mean_over_users(record: Any) -> None:
    paths = [record(label, full(0.5 - n), per_user=per_user(n)) for n, label in enumerate("ab")]
    assert {row.cells[0].interval for row in only(paths, **NDCG).rows} == {None}
    report = made(paths, **NDCG, intervals=0.9)
    for row in report.tables[0].rows:
        values = per_user({"a": 0, "b": 1}[row.label])["full/NDCG@10"]
        low, high = row.cells[0].interval
        assert low < np.mean(values) < high
        assert f"[{number(low)}, {number(high)}]" in report.markdown().replace("\\", "")
