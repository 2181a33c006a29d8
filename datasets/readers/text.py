"""Open text files, plain or packed (gzip, bzip2, zstd), with a bound on the unpacked size."""

import bz2
import codecs
import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from common.errors import UserError
from datasets.readers.foreign import refuse_binary
from datasets.readers.preamble import preamble_of

SAMPLE_BYTES = 1 << 18
PREAMBLE_BYTES = 1 << 16
LARGEST_RATIO = 100  # of unpacked to packed size, for files that unpack to more than HARMLESS_BYTES
HARMLESS_BYTES = 1 << 28
LONGEST_ROW = 1 << 24  # bytes
PACKINGS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd"))
BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))

csv.field_size_limit(LONGEST_ROW)  # the default of 128 KiB is too small for some reviews


class TextBytes(io.RawIOBase):
    """The bytes of a text file, unpacked if it is packed. Lines of the preamble are read as blank lines.

    Reading raises UserError if the file is of a known binary format or has a NUL byte, or if a packed file is
    truncated, damaged, or unpacks to an implausible size.

    Attributes
    ----------
    preamble : the original text of those lines
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._unpacked = self._lines = 0
        self._may_have_nul = False
        try:
            self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 - closed by close()
            self._raw = self._file
            magic = self._file.peek(4)[:4]
            self._limit = max(HARMLESS_BYTES, LARGEST_RATIO * path.stat().st_size)
        except OSError as error:
            raise UserError(f"can't read {path}: {error.strerror or error}") from error
        self._packing = next((name for start, name in PACKINGS if magic.startswith(start)), None)
        if self._packing == "gzip":
            self._file = gzip.GzipFile(fileobj=self._file)  # type: ignore[assignment]
        elif self._packing == "bzip2":
            self._file = bz2.BZ2File(self._file)  # type: ignore[assignment]
        elif self._packing == "zstd":
            self._file = pa.CompressedInputStream(pa.PythonFile(self._file), "zstd")
        start = self._unpack(PREAMBLE_BYTES, is_start=True)
        self.preamble = preamble_of(start)
        self._pending = re.sub(rb"[^\r\n]", b"", self.preamble) + start[len(self.preamble) :]

    def readable(self) -> bool:
        """True: this is for reading."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read up to len(buffer) bytes into it; 0 at the end."""
        content = self._pending[: len(buffer)] or self._unpack(len(buffer))
        self._pending = self._pending[len(content) :]
        buffer[: len(content)] = content
        return len(content)

    def _unpack(self, size: int, *, is_start: bool = False) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        try:
            content = self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from error
        except OSError as error:
            if self._packing in ("bzip2", "zstd") and error.errno is None:  # not the disk's
                raise self._damaged(error) from error
            raise UserError(f"can't read {self.path}: {error.strerror or error}") from error
        if is_start:
            refuse_binary(self.path, content)
            self._may_have_nul = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16
        if not self._may_have_nul and b"\0" in content:
            self._refuse_nul(content)
        self._lines += content.count(b"\n")
        self._unpacked += len(content)
        if self._packing and self._unpacked > self._limit:
            raise UserError(
                f"{self.path} unpacks to more than {LARGEST_RATIO} times its size; if you trust it, unpack it and give "
                "the unpacked file"
            )
        return content

    def _damaged(self, error: Exception) -> UserError:
        return UserError(f"{self.path} is a damaged or truncated {self._packing} file ({error}): download it again")

    def _refuse_nul(self, content: bytes) -> None:
        """Raise UserError for a NUL byte."""
        place = content.index(b"\0")
        line = self._lines + content.count(b"\n", 0, place) + 1
        start = content[:1000] if self._unpacked == 0 else b""
        is_utf_16 = start.count(b"\0") * 3 > len(start) > 0 and start.strip(b"\0") != b""
        hint = ", perhaps UTF-16 without a byte order mark: save it as UTF-8" if is_utf_16 else ""
        raise UserError(f"{self.path}, line {line}: there is a NUL byte, so this is no UTF-8 text{hint}")

    def close(self) -> None:
        """Close the file beneath."""
        if hasattr(self, "_file"):
            self._file.close()
            self._raw.close()
        super().close()


class NotUtf8(Exception):
    """A file that was taken for UTF-8 is not."""


class TableBytes(io.RawIOBase):
    """A text file converted to UTF-8, without leading blank lines and with a final line end.

    Reading raises NotUtf8 if the encoding is UTF-8 and the file isn't, and UserError as TextBytes does.

    Attributes
    ----------
    lines : number of lines read so far
    has_quotes : whether there was a double quote so far
    """

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__()
        self.lines = 0
        self.has_quotes = False
        self._path = path
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._at_character_end = True  # whether the last chunk ended with a complete character
        self._file = open_text(path)
        self._rest = b""
        self._last = b""
        self._ended = False

    def readable(self) -> bool:
        """True: this is for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read `size` (> 0) bytes; fewer only at the end."""
        parts, have = [self._rest], len(self._rest)
        while have < size and not self._ended:
            parts.append(self._more(size - have))
            have += len(parts[-1])
        content = b"".join(parts)
        self._rest = content[size:]
        return content[:size]

    def _more(self, size: int) -> bytes:
        """About `size` more bytes; may be empty before the end."""
        raw = self._file.read(size)
        content = self._as_utf8(raw)
        if not self._last:
            content = content.lstrip(b"\r\n")
        if not raw:
            self._ended = True
            content += b"\n" if self._last + content and not (self._last + content).endswith(b"\n") else b""
        self._last = content[-1:] or self._last
        self.lines += content.count(b"\n")
        self.has_quotes = self.has_quotes or b'"' in content
        return content

    def _as_utf8(self, raw: bytes) -> bytes:
        """The next bytes in UTF-8, without an incomplete last character."""
        if self._encoding == "utf-8" and raw and raw.isascii() and self._at_character_end:
            return raw
        try:
            content = self._decoder.decode(raw, final=not raw).encode()
        except UnicodeDecodeError as error:
            if self._encoding.startswith("utf-8"):
                raise NotUtf8 from error
            raise UserError(f"{self._path} is damaged: it starts as {self._encoding}, but can't be decoded") from error
        self._at_character_end = not self._decoder.getstate()[0]
        return content

    def close(self) -> None:
        """Close the file beneath."""
        self._file.close()
        super().close()


def open_text(path: Path) -> io.BufferedReader:
    """A buffered stream over TextBytes."""
    return io.BufferedReader(TextBytes(path), buffer_size=1 << 20)


def read_sample(path: Path) -> tuple[bytes, bool]:
    """The first bytes of a file, unpacked, and whether they are the whole file.

    Raises
    ------
    UserError
        The file is not readable text, e.g. missing, empty, an archive or a web page.
    """
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if not path.is_file():
        raise UserError(f"{path} is not a file")
    with open_text(path) as stream:
        sample = stream.read(SAMPLE_BYTES + 1)
    start = sample[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not sample.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UserError(f"{path} is empty")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UserError(f"{path} is a web page, not a table: download the data itself")
    if re.match(rb'\{\s*"[^"]*"\s*:|\[\s*[\[{]', start):
        raise UserError(
            f"{path} contains JSON: convert it to CSV or Parquet; or, if each line is one object, read it with "
            "--dataset_query"
        )
    return sample[:SAMPLE_BYTES], len(sample) <= SAMPLE_BYTES


def encoding_of(sample: bytes) -> str:
    """utf-8-sig or utf-16 by the byte order mark, latin-1 if the sample is not UTF-8, otherwise utf-8."""
    for mark, name in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return name
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # otherwise the last character is incomplete
            return "latin-1"
    return "utf-8"
