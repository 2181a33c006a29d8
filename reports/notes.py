"""The notes below a table: what its marks mean, and what to know of its runs."""

from common.plurals import counted
from reports.layout import TEST_NAMES
from reports.numbers import DAGGER
from reports.table import Row, Table

CUT_SHORT = (
    f"{DAGGER} Interrupted, out of time or diverged before training was complete; the best epoch up to then was tested."
)


def notes_of(table: Table, emphasis: bool = True) -> list[str]:
    """Return the notes of a comparison table, which shows the best values in bold or has no `emphasis`."""
    notes = []
    if len(table.rows) > 1 and emphasis:
        notes.append(f"Bold: {_first(table)} value of the column; underlined: second.")
    notes += [
        f"{column.group}: the target is ranked among {column.described_candidates}."
        for column in {column.candidates: column for column in table.columns if column.negatives is not None}.values()
    ]
    notes += _seeds(table.rows)
    if table.intervals is not None:
        notes.append(
            f"In square brackets: {table.intervals * 100:g} % bootstrap confidence intervals of the mean over users."
        )
    if table.baseline is not None:
        notes.append(f"In parentheses: gain over {table.baseline}.")
    significance = significance_note(table)
    if significance is not None:
        notes.append(significance)
    if any(row.cut_short for row in table.rows):
        notes.append(CUT_SHORT)
    return [*notes, *(note[0].upper() + note[1:] + "." for note in table.notes)]


def significance_note(table: Table) -> str | None:
    """Return what * means in a table; None if nothing was tested."""
    if table.significance is None:
        return None
    against = table.baseline or f"the {_first(table)} value of its column"
    comparisons = counted(len(table.comparisons), "comparison")
    return (
        f"* significantly different from {against}: {TEST_NAMES[table.significance]} over users, Holm-corrected "
        f"over the {comparisons} of this table, p < {table.alpha:g}."
    )


def _first(table: Table) -> str:
    return "lowest" if any(column.sign < 0 for column in table.columns) else "highest"


def _seeds(rows: tuple[Row, ...]) -> list[str]:
    notes = []
    if any(len(row.runs) > 1 and not row.deterministic for row in rows):
        notes.append("Mean \N{PLUS-MINUS SIGN} standard deviation over seeds; costs are means over seeds.")
    if any(len(row.runs) > 1 for row in rows) and any(row.deterministic for row in rows):
        notes.append("Seeds any: the seed changes nothing.")
    if len(rows) > 1 and any(row.one_of_many for row in rows):
        notes.append("Rows with one seed: how much another seed would change them was not measured.")
    return notes
