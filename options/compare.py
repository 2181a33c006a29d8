"""Mode compare: every run on every dataset with every seed, each one resolved request."""

from dataclasses import dataclass, field, replace
from typing import Any

from common.errors import nearest
from common.schema import Options
from options.arguments import COMMAND_LINE
from options.problems import Problems
from options.registries import Registries
from options.request import Request
from options.resolve import Section, check_section, choose, last_wins, owners_of, resolve
from options.run_options import RunOptions
from options.templates import read_templates
from options.tune import resolve_tune
from options.values import Given, settle

OWN = ("mode", "label", "experiment_name", "model_code")  # a run's own: a comparison never overrides these
MODES = ("compare", "status")  # doing the runs of a comparison, and looking at them
_LISTED = {"dataset_code": "datasets", "seed": "seeds"}  # one value of a run -> the list of a comparison


@dataclass(frozen=True)
class _Plan:
    """What all cells of a comparison share."""

    options: Options
    latest: dict[str, Given]
    shared: list[Given]
    registries: Registries
    problems: Problems
    used: set[str] = field(default_factory=set)
    all_keys: set[str] = field(default_factory=set)

    def source(self, key: str) -> tuple[str, int]:
        """The origin and the layer of an option of the comparison."""
        return (self.latest[key].origin, self.latest[key].layer) if key in self.latest else ("default of compare", 0)


def resolve_compare(
    given: list[Given], registries: Registries, problems: Problems, templates: tuple[str, ...]
) -> Request | None:
    """The request of a comparison, with one request per run, dataset and seed; None where problems were noted."""
    latest = _one_or_list(last_wins(given), problems)
    mode = str(settle(RunOptions, latest["mode"])) if "mode" in latest else "compare"
    schema = registries.modes[mode].Options
    before = len(problems.found)
    run_section, own_section = Section("run", "", RunOptions), Section("compare", "", schema)
    shared = [item for item in latest.values() if item.key not in schema.model_fields and item.key not in OWN]
    for item in latest.values():
        if item.key in ("label", "model_code"):
            problems.add("is each run's own; give it in `runs`", item.origin, item.key, item.text)
    run, options = check_section(run_section, latest, problems), check_section(own_section, latest, problems)
    if run is None or options is None:
        return None
    plan = _Plan(options, latest, shared, registries, problems)
    cells = _cells(plan)
    _judge_shared(plan)
    if len(problems.found) > before:
        return None
    values: dict[str, Any] = {"mode": mode}
    origins = {"mode": latest["mode"].origin if "mode" in latest else "default of run"}
    for key, value in options.model_dump(mode="json").items():
        values[key], origins[key] = value, plan.source(key)[0]
    for item in latest.values():
        if item.key not in values:
            values[item.key], origins[item.key] = _shared_value(item, run, cells), item.origin
    return Request(mode, {"run": run, "compare": options}, values, origins, templates, tuple(cells))


def _one_or_list(latest: dict[str, Given], problems: Problems) -> dict[str, Given]:
    """`dataset_code` and `seed` beside `datasets` and `seeds`: the one of higher priority counts."""
    latest = dict(latest)
    for one, many in _LISTED.items():
        if one not in latest:
            continue
        item = latest.pop(one)
        if many not in latest or item.layer > latest[many].layer:
            value = _settle_any(item)
            latest[many] = Given(many, value if isinstance(value, list) else [value], item.origin, item.layer)
        elif item.layer == latest[many].layer:
            problems.add(f"stands beside `{many}`; give only one of them", item.origin, one, item.text)
    return latest


class _AnyValue(Options):
    value: Any = None


def _settle_any(item: Given) -> Any:
    """What a given value means where no schema says more."""
    return settle(_AnyValue, replace(item, key="value"))


def _shared_value(item: Given, run: Options, cells: list[Request]) -> Any:
    """The typed value of an override, as the comparison's own or the first cell that uses it reads it."""
    if item.key in RunOptions.model_fields:
        return run.model_dump(mode="json")[item.key]
    return next(cell.values[item.key] for cell in cells if item.key in cell.values)


def _cells(plan: _Plan) -> list[Request]:
    dumped = plan.options.model_dump(mode="json")
    cells = []
    for number, row in enumerate(dumped["runs"], 1):
        entry = {"template": row} if isinstance(row, str) else row
        for dataset in dumped["datasets"] or [{}]:
            for seed in dumped["seeds"] or [None]:
                cell = _cell(plan, number, entry, dataset, seed)
                if cell is not None:
                    cells.append(cell)
    return cells


def _cell(plan: _Plan, number: int, entry: dict[str, Any], dataset: Any, seed: int | None) -> Request | None:
    """One run of a comparison; what is wrong with it is noted with its name.

    Priority, lowest first: the run's template; the comparison's templates: for all runs, for this run, for the dataset;
    the command line in the same order; then the dataset and the seed of this cell, which can't be overridden.
    """
    template = entry.get("template") or []
    names = tuple(template) if isinstance(template, list) else (template,)
    problems = Problems()
    own = _template_values(names, plan.registries, problems)
    runs, datasets, seeds = plan.source("runs"), plan.source("datasets"), plan.source("seeds")
    mine = [Given(key, value, *runs) for key, value in (entry.get("overrides") or {}).items()]
    if entry.get("label") is not None:
        mine.append(Given("label", entry["label"], *runs))
    dataset = dataset if isinstance(dataset, dict) else {"dataset_code": dataset}
    data = [Given(key, value, *datasets) for key, value in dataset.items()]
    fixed = [item for item in data if item.key == "dataset_code"]
    fixed += [] if seed is None else [Given("seed", seed, *seeds)]
    tuning = _tuning(plan, entry)
    mine += [item for item in tuning if item.key == "search"]
    searched = bool(tuning) and any(item.key == "search" for item in [*own, *plan.shared, *mine])
    mode = Given("mode", "tune" if searched else "train", "mode compare", COMMAND_LINE)
    fixed += [mode, *(item for item in tuning if searched and item.key != "search")]
    shared = _used(plan, [*own, *mine, *data], mode)
    overrides = sorted([*shared, *mine, *data], key=lambda item: item.layer >= COMMAND_LINE)
    resolver = resolve_tune if searched else resolve
    cell = None if problems.found else resolver([*own, *overrides, *fixed], plan.registries, problems, names)
    name = entry.get("label") or " + ".join(names) or str(number)
    everyones = {(item.origin, item.key) for item in [*plan.shared, *data, *fixed]}
    for problem in problems.found:
        message = problem.message if (problem.origin, problem.key) in everyones else f"run `{name}`: {problem.message}"
        plan.problems.add(message, problem.origin, problem.key, problem.value)
    return cell


def _tuning(plan: _Plan, entry: dict[str, Any]) -> list[Given]:
    """What makes a run one that is tuned: the search of its entry, the budget, and the seed; [] without a budget."""
    options = plan.options.model_dump(mode="json")
    trials, seeds = options.get("tune_trials"), options.get("seeds")
    if trials is None:
        return []
    given = [Given("num_trials", trials, *plan.source("tune_trials"))]
    if entry.get("search") is not None:
        given.append(Given("search", entry["search"], *plan.source("runs")))
    if seeds:
        given.append(Given("tune_seed", seeds[0], *plan.source("seeds")))
    return given


def _template_values(names: tuple[str, ...], registries: Registries, problems: Problems) -> list[Given]:
    """What a run's templates say, without where an earlier run of them was kept."""
    given = read_templates(names, registries.templates, problems)
    for item in [item for item in given if item.key == "mode"][-1:]:
        if item.value not in ("train", "tune"):
            problems.add(
                "a comparison's runs are trained, but this is for another mode", item.origin, "mode", item.text
            )
    return [item for item in given if item.key not in ("mode", "experiment_name")]


def _used(plan: _Plan, given: list[Given], mode: Given) -> list[Given]:
    """The shared overrides that the components of this run have."""
    choosers = [item for item in plan.shared if item.key in RunOptions.model_fields]
    choice = choose(last_wins([*given, *choosers, mode]), plan.registries, Problems())
    used = [item for item in plan.shared if choice.schema_of(item.key) is not None]
    plan.used.update(item.key for item in used)
    plan.all_keys.update(key for section in choice.sections.values() for key in section.schema.model_fields)
    return used


def _judge_shared(plan: _Plan) -> None:
    """Note each override that no run uses."""
    broken = {problem.key for problem in plan.problems.found}
    for item in plan.shared:
        if item.key in plan.used or item.key in broken:
            continue
        owners = owners_of(item.key, plan.registries)
        if owners:
            named = ", ".join(f"{kind} `{code}`" for kind, code in owners)
            message = f"is an option of {named}, which no run of this comparison uses"
        else:
            hint = nearest(item.key, plan.all_keys | set(type(plan.options).model_fields))
            message = f"there is no such option in any run of this comparison{'; ' + hint if hint else ''}"
        plan.problems.add(message, item.origin, item.key, item.text)
