"""Name files that are not tables of text, by their first bytes or lines, and say how to convert them."""

import re
from pathlib import Path

from common.errors import UserError

TO_CSV = "convert it to CSV or Parquet"
# First bytes -> what the file is, and a function that reads it.
BINARY = {
    b"PARE": ("an encrypted Parquet file", "pyarrow.parquet"),
    b"ARROW1": ("a Feather (Arrow) file", "pandas.read_feather"),
    b"FEA1": ("a Feather file", "pandas.read_feather"),
    b"\xff\xff\xff\xff": ("an Arrow stream", "pyarrow.ipc.open_stream"),
    b"ORC": ("an ORC file", "pandas.read_orc"),
    b"Obj\x01": ("an Avro file", "the package fastavro"),
    b"\x89HDF\r\n": ("an HDF5 file", "pandas.read_hdf"),
    b"\x93NUMPY": ("a NumPy array", "numpy.load"),
    b"SQLite format 3\0": ("an SQLite database", "pandas.read_sql"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "pandas.read_excel"),
    b"<stata_dta>": ("a Stata file", "pandas.read_stata"),
    b"$FL2": ("an SPSS file", "pandas.read_spss"),
    b"RDX": ("an R data file", "R's write.csv"),
    b"X\n\0\0": ("an R data file", "R's write.csv"),
    b"MATLAB 5.0": ("a MATLAB file", "scipy.io.loadmat"),
    b"%PDF": ("a PDF", ""),
    b"\x89PNG": ("a picture", ""),
    b"\xff\xd8\xff": ("a picture", ""),
}
PICKLE = re.compile(rb"\x80[\x02-\x05]")
ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf\x27", b"Rar!\x1a\x07", b"\xfd7zXZ\x00")
UTF_32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
PYTHON_DICT = re.compile(rb"\s*[\[(]?\s*\{\s*u?'[^'\r\n]*'\s*:")
BLOCKS = re.compile(rb"\s*([^\s:,;|]+):[ \t]*[\r\n]+[^\r\n]*[,;|\t ][^\r\n]*")  # Netflix: `1:`, then `user,rating,date`
SVMLIGHT = re.compile(rb"\s*[^\s:,;|]+([ \t]+\d+:[\d.eE+-]+)+[ \t]*[\r\n]")


def refuse_binary(path: Path, start: bytes) -> None:
    """Raise UserError if the first bytes are those of a known format that is not text.

    Parameters
    ----------
    path : the file
    start : its first bytes, unpacked; at least 512 if the file has them
    """
    if start[:512].isascii() and b"\0" not in start[:512]:
        return  # a table may start with a word such as ORCID
    if start.startswith(b"PAR1"):
        raise UserError(f"{path} is a Parquet file: leave out --file_format, or set it to parquet")
    for magic, (kind, reader) in BINARY.items():
        if start.startswith(magic):
            raise UserError(f"{path} is {kind}: {TO_CSV}{f', e.g. with {reader}' if reader else ''}")
    if PICKLE.match(start):
        raise UserError(f"{path} is a Python pickle, which can run code and is never read: {TO_CSV}")
    if start.startswith(b"PK") and path.suffix.lower() in (".xlsx", ".xlsm", ".ods"):
        raise UserError(f"{path} is a workbook: save its sheet as CSV")
    if start.startswith(ARCHIVES) or start[257:262] == b"ustar":  # the last is tar
        raise UserError(
            f"{path} is an archive: unpack it and give the file inside (.gz, .bz2 and .zst need no unpacking)"
        )
    if start.startswith(UTF_32):
        raise UserError(f"{path} is UTF-32: save it as UTF-8")


def refuse_other_text(path: Path, sample: bytes) -> None:
    """Raise UserError if the first lines are text of another form than a table or lists.

    Parameters
    ----------
    path : the file
    sample : its start, unpacked
    """
    start = sample[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if PYTHON_DICT.match(start):
        raise UserError(
            f"{path} contains dictionaries of Python, which are not a table: read each line with ast.literal_eval, and "
            f"write user, item, rating and time to CSV"
        )
    if block := BLOCKS.match(start):
        name = block[1].decode("utf-8", errors="replace")[:40]
        raise UserError(
            f"{path} consists of blocks, each under a line such as '{name}:' (as in the Netflix prize), so the rows "
            "lack one of their ids: write it into each row, e.g. with awk "
            '\'/:$/ {sub(":", ""); item = $0; next} {print item "," $0}\''
        )
    if start.startswith(b"version https://git-lfs"):
        raise UserError(
            f"{path} is a pointer of Git LFS, not the data: run `git lfs pull`, or download the file itself"
        )
    if start.startswith(b"%%MatrixMarket"):
        raise UserError(f"{path} is a matrix in Matrix Market format: {TO_CSV}, e.g. with scipy.io.mmread")
    if start[:9].lower() == b"@relation":
        raise UserError(f"{path} is an ARFF file: {TO_CSV}, e.g. with scipy.io.arff.loadarff")
    if SVMLIGHT.match(start):
        raise UserError(
            f"{path} has fields such as '7:1.0' (svmlight): {TO_CSV}, e.g. with sklearn.datasets.load_svmlight_file"
        )
