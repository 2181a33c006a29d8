"""Raw files from their sources: with a progress bar, checksum and retries; what arrives is whole or not there."""

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

logger = logging.getLogger(__name__)
pooch.get_logger().setLevel(logging.WARNING)  # it would name temporary files

ATTEMPTS = 3
PAUSE_SECONDS = 1.0  # before the second attempt; doubled before each further one
TIMEOUT_SECONDS = 30.0  # without a byte
LARGEST_BYTES = 32 << 30
GDRIVE = "gdrive:"
FILE = "file"
WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")


@dataclass(frozen=True)
class Source:
    """Where a raw file or the archive that holds it can be had.

    url: http(s)://..., or gdrive:<file id>.
    checksum: "md5:..." or "sha256:..." of what the url gives; None if nobody has published it.
    needs: what it asks of the user, e.g. an account; such a source is only named, not tried.
    """

    url: str
    checksum: str | None = None
    needs: str = ""


class _NotThere(Exception):
    """A source can't give the file, and asking again won't help."""


class _Bounded:
    """A file that refuses to grow beyond a bound; pooch writes to it."""

    def __init__(self, file: IO[bytes], bound: int) -> None:
        self._file = file
        self._left = bound

    def write(self, content: bytes) -> int:
        """Write, unless it is too much."""
        self._left -= len(content)
        if self._left < 0:
            raise _NotThere("it sends more than any dataset has")
        return self._file.write(content)

    def flush(self) -> None:
        """Flush the file beneath."""
        self._file.flush()


def download(sources: Sequence[Source], folder: Path, use: Callable[[Path], Path], what: str) -> Path:
    """Fetch from the first source that gives a file which can be used; returns what `use` makes of it.

    folder: the caller's own, where files are kept while they are fetched.
    use: from the path of a whole file to that of the raw file; an ArchiveError from it counts as the source's fault.
    what: said in the error if no source gives the file: what to put where, and what works offline.
    Raises UserError naming each source and what went wrong there.
    """
    failures = []
    for source in sources:
        if source.needs:
            failures.append(f"{source.url}: not tried, it needs {source.needs}: fetch it there yourself")
            continue
        try:
            raw_file = use(_try_source(source, folder))
            logger.info("downloaded from %s", source.url)
            return raw_file
        except (_NotThere, ArchiveError) as error:
            reason = str(error).replace(str(folder / FILE), "what it gave").replace(f"{folder}{os.sep}", "")
            logger.warning("%s: %s", source.url, reason)
            failures.append(f"{source.url}: {reason}")
    tried = "".join(f"\n  {failure}" for failure in failures)
    raise UserError(f"the raw data can't be downloaded:{tried}\n{what}")


def _try_source(source: Source, folder: Path) -> Path:
    """Ask a source a few times. Raises _NotThere if it doesn't give the whole, right file."""
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
            if source.checksum is None:  # only pooch's complaint about a checksum is expected
                raise
            problem = f"it is not the published file: {error}"
        logger.info("%s: %s (attempt %d of %d)", source.url, problem, attempt + 1, ATTEMPTS)
    raise _NotThere(f"{problem}, {ATTEMPTS} times")


def _fetch(source: Source, folder: Path) -> Path:
    """One attempt. Raises what requests, pooch and gdown raise; what they leave then is not under the final name."""
    (folder / FILE).unlink(missing_ok=True)
    if source.url.startswith(("http://", "https://")):
        downloader = _download_http
    elif source.url.startswith(GDRIVE):
        downloader = _download_gdrive
    else:
        raise _NotThere(f"a source is http://..., https://... or {GDRIVE}<file id>")
    pooch.retrieve(source.url, source.checksum, fname=FILE, path=folder.absolute(), downloader=downloader)
    return folder / FILE


def _download_http(url: str, output_file: str, caller: Any) -> None:
    """pooch's own downloader, bounded in time and size."""
    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 16, timeout=TIMEOUT_SECONDS)
    with open(output_file, "wb") as file:
        try:
            fetch(url, _Bounded(file, LARGEST_BYTES), caller)
        except requests.RequestException:
            raise
        except ValueError as error:  # of a header
            raise _NotThere(f"its answer is malformed ({error})") from error


def _download_gdrive(url: str, output_file: str, caller: Any) -> None:
    """A file of Google Drive by its id."""
    import gdown  # noqa: PLC0415 (slow to import, seldom needed)

    quiet = not sys.stderr.isatty()
    try:
        gdown.download(id=url.removeprefix(GDRIVE), output=str(output_file), quiet=quiet, timeout=TIMEOUT_SECONDS)
    except gdown.exceptions.DownloadError as error:
        raise requests.ConnectionError(str(error).strip().partition("\n")[0]) from error


def _refuse_web_page(file: Path) -> None:
    """Raise _NotThere if a web page came in place of data."""
    with open(file, "rb") as content:
        start = content.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise _NotThere("it gave an empty file")
    if start.startswith(WEB_PAGE):
        raise _NotThere("it gave a web page in place of the file")


def _innermost(error: BaseException) -> str:
    """What is at the bottom of a network error, in one line."""
    while isinstance(error, Exception) and error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None) or (error.args[-1] if error.args else error)
    return str(reason).split(": ", 1)[-1]
