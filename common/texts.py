"""Texts from outside, made safe for where they go (parts of paths, lines of a screen), and the hash of a value."""

import hashlib
import json
import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST_PART = 200  # bytes of UTF-8; file systems allow 255, and some characters are added


def path_part(text: str, default: str) -> str:
    """Return `text` as one part of a path: everything but letters, digits and `._+-` becomes `_`.

    The result has no separator, doesn't start or end with a dot, and has at most 200 bytes: a longer text is cut, and a
    hash of the whole text appended. `default` is returned if nothing is left.
    """
    part = re.sub(r"[^\w.+-]+", "_", text).strip(".") or default
    if len(part.encode()) <= LONGEST_PART:
        return part
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{part.encode()[: LONGEST_PART - 9].decode(errors='ignore')}-{digest}"


def value_hash(value: object, length: int) -> str:
    """Return `length` hexadecimal digits of the SHA-256 of a JSON value; the order of its keys doesn't matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]


def escaped(text: str, longest: int) -> str:
    """Return `text` for a screen or a log, with its lines: control characters are written as `\\x1b`.

    A text of more than `longest` characters is cut.
    """
    if len(text) > longest:
        text = f"{text[:longest]} ... ({len(text):,} characters)"
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable(text: str) -> str:
    """Return `text` on one line without control characters: white space becomes a space, others become U+FFFD."""
    shown = (
        letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return "".join(shown)
