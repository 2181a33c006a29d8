"""UCI Online Retail: invoices of a British gift shop, 2010-12-01 to 2011-12-09."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from datasets.base import RawInteractions
from datasets.download import Source
from datasets.raw_files import RawFileDataset, RawFileOptions
from datasets.raw_tables import Table, bad_raw_rows, read_table
from datasets.readers.numbers import parse_numbers
from datasets.readers.table import BadRows, InvalidRows, RawTable
from datasets.readers.values import to_interactions
from datasets.workbook import read_workbook

HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
WANTED = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "CustomerID")
CSV = Table(",", HEADER, header=HEADER)

BoolArray = npt.NDArray[np.bool_]


class EcommerceOptions(RawFileOptions):
    """Options of the `ecommerce` dataset."""

    keep_anonymous: bool = Field(False, description="keep rows without a customer; each such invoice is a user")
    keep_cancellations: bool = Field(False, description="keep cancellations (invoice numbers that start with C)")
    keep_non_positive: bool = Field(False, description="keep rows with a quantity of zero or less")


class Ecommerce(RawFileDataset[EcommerceOptions]):
    """Online Retail, from Kaggle's data.csv (Latin-1) or UCI's workbook. Each item of an invoice is one interaction."""

    code = "ecommerce"
    Options = EcommerceOptions
    description = "UCI Online Retail: 4,372 customers, 4,070 stock codes, 541,909 invoice lines from 2010-2011"
    repeat_consumption = True
    raw_names = ("data.csv", "Online Retail.csv", "Online Retail.xlsx", "OnlineRetail.csv")
    sources = (
        Source("https://archive.ics.uci.edu/static/public/352/online+retail.zip"),
        Source("https://archive.ics.uci.edu/ml/machine-learning-databases/00352/Online%20Retail.xlsx"),
        Source("gdrive:1jYJwxEaj99QQJioS70zN0KgEAYLfyhYb"),  # a copy of UCI's zip, which its licence permits
        Source("https://www.kaggle.com/datasets/carrie1/ecommerce-data", needs="a Kaggle account"),
    )
    table = CSV
    home = "https://archive.ics.uci.edu/dataset/352/online+retail"
    licence = "CC BY 4.0"
    citation = "Daqing Chen. Online Retail. UCI Machine Learning Repository (2015). https://doi.org/10.24432/C5BW33"
    size = "23 MB"

    def read(self, options: EcommerceOptions) -> RawInteractions:
        """Read the invoice lines that the options keep."""
        path = self.raw_file(options)
        is_workbook = path.suffix.lower() == ".xlsx"
        if is_workbook:
            lines = read_workbook(path, WANTED)
        else:
            lines = read_table(path, CSV, {name: HEADER.index(name) for name in WANTED})
        time_format = _time_format(lines.columns["InvoiceDate"], is_workbook)
        return to_interactions(
            _interactions(_kept_lines(lines, options, bad_raw_rows(path))),
            bad_raw_rows(path),
            time_format=time_format,
            integer_ids=() if options.keep_anonymous else ("user",),
        )


def _time_format(dates: pa.ChunkedArray, is_workbook: bool) -> str | None:
    """The workbook's times are ISO 8601, those of data.csv are American; those of other exports are detected."""
    if is_workbook:
        return "ISO8601"
    is_american = len(dates) > 0 and re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}", dates[0].as_py())
    return "%m/%d/%Y %H:%M" if is_american else None


def _kept_lines(lines: RawTable, options: EcommerceOptions, bad_rows: BadRows) -> RawTable:
    """The lines to keep."""
    if not options.keep_anonymous:
        lines = lines.keep(~_is_empty(lines.columns["CustomerID"]), "drop rows without a customer")
    cancelled = _is_cancelled(lines)
    if not options.keep_cancellations:
        lines = lines.keep(~cancelled, "drop cancellations")
        cancelled = _is_cancelled(lines)
    if not options.keep_non_positive:
        text = lines.columns["Quantity"]
        quantity, ok = parse_numbers(text)
        invalid = InvalidRows(lines.num_rows)
        invalid.add(~ok, lambda row: f"the quantity {text[row].as_py()!r} is not a number")
        invalid.usable_rows(lines, bad_rows)
        lines = lines.keep(cancelled | (np.asarray(quantity, dtype=np.float64) > 0), "drop quantities of zero or less")
    return lines


def _is_cancelled(lines: RawTable) -> BoolArray:
    """Where a line is a cancellation, whose quantity is negative."""
    return _booleans(pc.starts_with(lines.columns["InvoiceNo"], "C"))


def _interactions(lines: RawTable) -> RawTable:
    """User, item and time of the lines; only the first line of each item in an invoice."""
    customer, invoice = lines.columns["CustomerID"], lines.columns["InvoiceNo"]
    user = pc.if_else(pc.equal(customer, ""), pc.binary_join_element_wise("invoice", invoice, "-"), customer)
    keys = pd.DataFrame({"user": user.to_pandas(), "invoice": invoice.to_pandas()})
    keys["item"] = lines.columns["StockCode"].to_pandas()
    columns = {"user": user, "item": lines.columns["StockCode"], "timestamp": lines.columns["InvoiceDate"]}
    first = ~keys.duplicated().to_numpy()
    return replace(lines, columns=columns).keep(first, "merge lines of one item in an invoice")


def _booleans(column: pa.ChunkedArray) -> BoolArray:
    """Booleans as a numpy array."""
    return np.asarray(column.to_numpy(), dtype=bool)


def _is_empty(column: pa.ChunkedArray) -> BoolArray:
    """Where a text column is blank."""
    return _booleans(pc.equal(pc.ascii_trim_whitespace(column), ""))
