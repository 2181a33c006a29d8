"""Content hashes of raw files, cached so that an unchanged file isn't read again."""

import contextlib
import hashlib
import json
import time
from pathlib import Path

from common.errors import UserError
from common.files import sha256_file, write_text

# A file that changed this recently may change again without a new modification time, so its hash isn't cached.
SETTLED_SECONDS = 2.0


def content_hash(path: Path, data_folder: Path) -> str:
    """SHA-256 of a file's content, cached in `<data_folder>/prepared/hashes` by path, size and times.

    Raises
    ------
    UserError
        The file can't be read.
    """
    try:
        status = path.stat()
        key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"
        memo = data_folder / "prepared" / "hashes" / (hashlib.sha256(key.encode()).hexdigest()[:24] + ".json")
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(memo.read_text(encoding="utf-8"))
            if known["key"] == key:
                return str(known["sha256"])
        started = time.time()
        digest = sha256_file(path)
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror or error}") from error
    if started - max(status.st_mtime, status.st_ctime) > SETTLED_SECONDS:
        with contextlib.suppress(OSError):  # optional: an unwritable data folder is reported elsewhere
            write_text(memo, json.dumps({"key": key, "sha256": digest}))
    return digest
