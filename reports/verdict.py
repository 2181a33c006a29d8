"""What a table says, in sentences: which row is best, by how much, how sure that is, and at what cost."""

from collections.abc import Sequence

from reports.layout import TEST_NAMES
from reports.numbers import minutes, number, percent, probability
from reports.table import Cell, Column, Row, Table

NAMED = 4  # rows named in a sentence
CLOSE = 0.05  # a row within this part of the first one's value is an alternative to it
Standing = tuple[Row, Cell]


def verdict_of(table: Table) -> list[str]:
    """Return the verdict on the first column that has a best value; [] if there is nothing to compare.

    A row is called best only if it is measured well enough: training was complete, several seeds unless the seed
    changes nothing, and a significant difference from every other row.
    """
    place = next((place for place, column in enumerate(table.columns) if column.has_best), None)
    if place is None:
        return []
    column = table.columns[place]
    standings = [(row, cell) for row in table.rows if (cell := row.cells[place]) is not None]
    if len(standings) < 2:
        return []
    standings.sort(key=lambda standing: -column.sign * standing[1].mean)
    sentences = [_first(table, column, standings), _sure(table, standings)]
    return [sentence for sentence in (*sentences, _cost(column, standings)) if sentence]


def _first(table: Table, column: Column, standings: Sequence[Standing]) -> str:
    (row, cell), (other, second) = standings[:2]
    if cell.mean == second.mean:
        equal = [each.label for each, its in standings if its.mean == cell.mean]
        return f"Equal {column.in_words}: {_list(equal)} ({number(cell.mean)})."
    word = "Highest" if column.sign > 0 else "Lowest"
    best = "Best" if _is_best(table, standings) else word
    gain = f", {percent(second.mean / cell.mean - 1)}" if cell.mean else ""
    return (
        f"{best} {column.in_words}: {row.label}, {number(cell.mean)}; next: {other.label}, {number(second.mean)}{gain}."
    )


def _is_best(table: Table, standings: Sequence[Standing]) -> bool:
    (first, _), (second, _) = standings[:2]
    measured = not any(row.one_of_many or row.cut_short for row in (first, second))
    return measured and table.baseline is None and all(_differs(cell) for _, cell in standings[1:])


def _differs(cell: Cell) -> bool:
    return cell.comparison is not None and cell.comparison.significant


def _sure(table: Table, standings: Sequence[Standing]) -> str:
    """Return what is known about chance: over users by the test, over seeds by their number."""
    (first, top), rest = standings[0], standings[1:]
    parts = []
    tested = [cell.comparison for _, cell in standings if cell.comparison is not None]
    if table.significance is not None and tested and table.baseline is not None:
        own = top.comparison
        if own is not None:
            sign = "" if own.significant else "not "
            parts.append(
                f"the difference between {first.label} and {table.baseline} is {sign}significant ({_p(own.corrected)})"
            )
    elif table.significance is not None and tested:
        alike = [row.label for row, cell in rest if cell.comparison is not None and not cell.comparison.significant]
        test = f"{TEST_NAMES[table.significance]} over {tested[0].users:,} users"
        if alike:
            parts.append(f"not significantly different from {first.label}: {_list(alike)} ({test})")
        else:
            worst = max(each.corrected for each in tested)
            parts.append(f"every other row is significantly different ({test}, {_p(worst)})")
    else:
        parts.append("differences were not tested for significance")
    single = [row.label for row, _ in standings[:2] if row.one_of_many]
    if single:
        parts.append(f"one seed of {_list(single)}, so the order may change with another seed")
    cut = [row.label for row, _ in standings[:2] if row.cut_short]
    if cut:
        parts.append(f"training of {_list(cut)} was cut short")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "." if text[0].islower() else text + "."


def _p(value: float) -> str:
    text = probability(value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def _cost(column: Column, standings: Sequence[Standing]) -> str:
    """Return the training time of the first row, and the fastest row that is almost as good."""
    (first, top) = standings[0]
    if first.minutes is None:
        return ""
    text = f"Training time: {minutes(first.minutes)} for {first.label}"
    close = [
        (row.minutes, row, cell)
        for row, cell in standings[1:]
        if row.minutes is not None and row.minutes < first.minutes and _loss(column, top, cell) <= CLOSE
    ]
    if not close:
        return f"{text}; no faster row is within {CLOSE * 100:g} % of it."
    time, row, cell = min(close, key=lambda each: each[0])
    return f"{text}; {minutes(time)} for {row.label}, {_loss(column, top, cell) * 100:.1f} % worse."


def _loss(column: Column, top: Cell, cell: Cell) -> float:
    """Return by which part of the first value another one is worse."""
    return column.sign * (1 - cell.mean / top.mean) if top.mean else 0.0


def _list(names: Sequence[str]) -> str:
    shown = [*names[:NAMED], f"{len(names) - NAMED} more"] if len(names) > NAMED + 1 else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
