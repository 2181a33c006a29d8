"""Downloading raw files, with progress bar, checksum and retries. A file arrives complete or not at all."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pooch
import requests

from common.errors import UserError
from datasets.archives import ArchiveError

log = logging.getLogger(__name__)

ATTEMPTS = 3
PAUSE_SECONDS = 1.0  # before the second attempt; doubled before each further one
TIMEOUT_SECONDS = 30.0  # without receiving a byte
LARGEST_BYTES = 32 << 30
GDRIVE = "gdrive:"
FILE = "file"
WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")


@dataclass(frozen=True)
class Source:
    """A source of a raw file, or of an archive that contains it.

    Attributes
    ----------
    url : http(s)://..., or gdrive:<file id>
    checksum : "md5:..." or "sha256:..." of the download; None if none is published
    needs : what users need to download from it, e.g. an account; such a source is named in the error, but not tried
    """

    url: str
    checksum: str | None = None
    needs: str = ""


class _NotThere(Exception):
    """A source can't provide the file, and trying again won't help."""


class _Bounded:
    """A file for pooch to write to that refuses to grow beyond a bound."""

    def __init__(self, file: IO[bytes], bound: int) -> None:
        self._file = file
        self._left = bound

    def write(self, content: bytes) -> int:
        """Write `content`. Raises _NotThere if the file gets too large."""
        self._left -= len(content)
        if self._left < 0:
            raise _NotThere("the file is larger than any dataset")
        return self._file.write(content)

    def flush(self) -> None:
        """Flush the underlying file."""
        self._file.flush()


def download(sources: Sequence[Source], folder: Path, use: Callable[[Path], Path], what: str) -> Path:
    """Download from the first source that provides a usable file.

    Parameters
    ----------
    sources : tried in this order
    folder : a temporary folder of the caller, for files that are being downloaded
    use : makes the raw file from the downloaded file, and returns its path; after an ArchiveError the next source is
        tried
    what : the end of the error message: where to put which file, and what works offline

    Returns
    -------
    The path of the raw file.

    Raises
    ------
    UserError
        If no source provides the file. Names each source with its problem.
    """
    if not sources:
        raise UserError(f"the raw data can't be downloaded: no source of it is known\n{what}")
    failures = []
    for source in sources:
        if source.needs:
            failures.append(f"{source.url}: not tried because it needs {source.needs}: download the file yourself")
            continue
        try:
            raw_file = use(_try_source(source, folder))
            log.info("downloaded from %s", source.url)
            return raw_file
        except (_NotThere, ArchiveError) as error:
            reason = str(error).replace(str(folder / FILE), "the downloaded file").replace(f"{folder}{os.sep}", "")
            log.warning("%s: %s", source.url, reason)
            failures.append(f"{source.url}: {reason}")
    tried = "".join(f"\n  {failure}" for failure in failures)
    raise UserError(f"the raw data can't be downloaded:{tried}\n{what}")


def _try_source(source: Source, folder: Path) -> Path:
    """Try a source a few times. Raises _NotThere if it doesn't provide the complete, correct file."""
    problem = "no attempt"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            file = _fetch(source, folder)
            _refuse_web_page(file)
            return file
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 500
            problem = f"HTTP {status} {error.response.reason if error.response is not None else ''}".strip()
            if status < 500 and status not in (408, 429):
                raise _NotThere(problem) from error
        except requests.RequestException as error:
            problem = f"the connection failed ({_innermost(error)})"
        except ValueError as error:
            if source.checksum is None:  # pooch raises ValueError for a wrong checksum
                raise
            problem = f"the download is damaged, or its declared checksum is wrong: {error}"
        log.info("%s: %s (attempt %d of %d)", source.url, problem, attempt + 1, ATTEMPTS)
    raise _NotThere(f"{problem}, {ATTEMPTS} times")


def _fetch(source: Source, folder: Path) -> Path:
    """Make one attempt. Errors of requests and pooch pass through, and no partial file has the final name then."""
    (folder / FILE).unlink(missing_ok=True)
    if source.url.startswith(("http://", "https://")):
        downloader = _download_http
    elif source.url.startswith(GDRIVE):
        downloader = _download_gdrive
    else:
        raise _NotThere(f"a source must be http://..., https://... or {GDRIVE}<file id>")
    pooch.get_logger().setLevel(logging.WARNING)  # its messages name temporary files
    pooch.retrieve(source.url, source.checksum, fname=FILE, path=folder.absolute(), downloader=downloader)
    return folder / FILE


def _download_http(url: str, output_file: str, caller: Any) -> None:
    """Download by HTTP, limited in time and size."""
    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 16, timeout=TIMEOUT_SECONDS)
    with open(output_file, "wb") as file:
        try:
            fetch(url, _Bounded(file, LARGEST_BYTES), caller)
        except requests.RequestException:
            raise
        except ValueError as error:  # from a malformed header
            raise _NotThere(f"its response is malformed ({error})") from error


def _download_gdrive(url: str, output_file: str, caller: Any) -> None:
    """Download a file from Google Drive by its id."""
    import gdown  # noqa: PLC0415 (slow to import, rarely needed)

    quiet = not sys.stderr.isatty()
    try:
        gdown.download(id=url.removeprefix(GDRIVE), output=str(output_file), quiet=quiet, timeout=TIMEOUT_SECONDS)
    except gdown.exceptions.DownloadError as error:
        raise requests.ConnectionError(str(error).strip().partition("\n")[0]) from error


def _refuse_web_page(file: Path) -> None:
    """Raise _NotThere if the file is empty or a web page."""
    with open(file, "rb") as content:
        start = content.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise _NotThere("it sent an empty file")
    if start.startswith(WEB_PAGE):
        raise _NotThere("it sent a web page instead of the file")


def _innermost(error: BaseException) -> str:
    """The root cause of a network error, in one line."""
    while isinstance(error, Exception) and error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None) or (error.args[-1] if error.args else error)
    return str(reason).split(": ", 1)[-1]
