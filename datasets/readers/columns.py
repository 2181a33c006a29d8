"""Find the user, item, rating and timestamp columns of a table."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import UserError
from datasets.readers.head import Head

log = logging.getLogger(__name__)


class ColumnError(UserError):
    """A required column is missing: of a role, or (role "event") of a condition on the rows."""

    def __init__(self, message: str, role: str) -> None:
        super().__init__(message)
        self.role = role


ROLES = ("user", "item", "rating", "timestamp")
NEEDED = ("user", "item")

# Usual column names in lower case, letters and digits only. The first one that a table has is used.
USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": (
        *("userid", "uid", "user", "users", "userno", "usernumber", "useridx", "reviewerid", "customerid", "cid"),
        *("customer", "customerno", "clientid", "client", "memberid", "member", "visitorid", "accountid", "account"),
        *("profileid", "authorid", "buyerid", "playerid", "username", "userkey", "steamid", "personid", "deviceid"),
        *("householdkey", "householdid", "viewerid", "listenerid", "readerid", "sessionid", "session", "sessid"),
    ),
    "item": (
        *("itemid", "sid", "iid", "item", "items", "itemno", "itemidx", "movieid", "movie", "filmid", "parentasin"),
        *("asin", "productid", "product", "stockcode", "sku", "articleid", "article", "trackid", "track", "songid"),
        *("song", "artistid", "artist", "bookid", "book", "isbn", "gameid", "appid", "businessid", "venueid"),
        *("locationid", "poiid", "placeid", "animeid", "recipeid", "newsid", "videoid", "showid", "contentid"),
        *("adid", "listingid", "hotelid", "courseid", "pageid", "goodsid", "offerid", "aid", "restaurantid", "jokeid"),
    ),
    "rating": (
        *("rating", "ratings", "stars", "star", "score", "overall", "rate", "reviewscore", "starrating", "bookrating"),
        *("userrating", "movierating", "reviewrating", "ratingvalue", "ratingscore"),
    ),
    "timestamp": (
        *("timestamp", "timestamps", "unixreviewtime", "unixtime", "unixtimestamp", "time", "ts", "epoch"),
        *("datetime", "eventtime", "createdat", "date", "day", "invoicedate", "purchasedate", "orderdate"),
        *("reviewtime", "reviewdate", "ratedat", "playedat", "checkintime", "timestampms", "createdtime", "timems"),
        *("ratingtime", "ratingtimestamp", "eventtimestamp", "clicktime", "viewedat", "visittime", "tdat"),
        *("transactiontime", "transactiondate", "transactiondt", "ordertime", "purchasetime", "eventdate", "visitdate"),
        *("boughtat", "purchasedat", "orderedat", "watchedat", "listenedat", "clickedat", "occurredat"),
    ),
}


def plain(name: str) -> str:
    """A column name without RecBole's type, case and punctuation: `user_id:token` -> `userid`."""
    return re.sub(r"[^a-z0-9]", "", name.partition(":")[0].lower())


def is_usual(name: str) -> bool:
    """Whether a name is one of the usual ones for some role."""
    return any(plain(name) in usual for usual in USUAL_NAMES.values())


def find_columns(head: Head, wanted: Mapping[str, str | None], path: Path) -> dict[str, int]:
    """Find the column of each role.

    Parameters
    ----------
    head : the table's columns
    wanted : role -> name given by the user; None = detect; "" = don't read (rating and timestamp only)
    path : the file, for messages

    Returns
    -------
    dict
        Role -> index into `head.names`.

    Raises
    ------
    UserError
        A name is missing or ambiguous, or no column is recognised as user or item.
    """
    names = head.names
    found: dict[str, int] = {}
    unread = {role for role in ROLES if role not in NEEDED and wanted.get(role) == ""}
    for role in ROLES:
        name = wanted.get(role)
        if name is not None and role not in unread:
            found[role] = named_column(names, name, role, f"--{role}_column", path)
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        positions.setdefault(plain(name), []).append(position)
    for role in ROLES:
        if role in found or role in unread:
            continue
        index = _recognised(head, positions, role, set(found.values()), path)
        if index is not None:
            found[role] = index
    for role in NEEDED:
        if role not in found:
            raise ColumnError(
                f"{path}: no column is recognised as the {role}; name it with --{role}_column. "
                f"The columns are: {listed(names)}",
                role,
            )
    for role in ROLES:
        same = [other for other in found if found[other] == found.get(role) and other != role]
        if role in found and same:
            raise UserError(f"{path}: column {names[found[role]]!r} can't be both {role} and {same[0]}")
    sequences = [names[index] for index in found.values() if names[index].lower().endswith("_seq")]
    if sequences:
        raise UserError(f"{path}: column {sequences[0]!r} holds sequences; a row must be one interaction")
    return found


def warn_about_time(head: Head, wanted: Mapping[str, str | None], found: Mapping[str, int], path: Path) -> None:
    """Warn if no column is recognised as the timestamp, or if another column may tell the time more finely."""
    unused = {
        index: head.time_kind(index)
        for index, name in enumerate(head.names)
        if index not in found.values() and plain(name) not in USUAL_NAMES["rating"]
    }
    if wanted.get("timestamp") is not None or not unused:
        return
    times = [head.names[index] for index, kind in unused.items() if kind is not None]
    if "timestamp" not in found:
        which = f"If one of {listed(times)} holds the time" if times else "If a column holds the time"
        log.warning(
            "%s: no column is recognised as the timestamp, so the rows are assumed to be in time order. %s, name it "
            "with --timestamp_column",
            path,
            which,
        )
        return
    used = head.names[found["timestamp"]]
    kind = head.time_kind(found["timestamp"])
    moments = [head.names[index] for index, other in unused.items() if other == "moment"]
    parts = [head.names[index] for index, other in unused.items() if other not in (None, "moment", kind)]
    if kind in ("day", "clock") and moments:
        log.warning(
            "%s: the timestamp column %r tells only the %s, but %s looks like a finer time: to use it, give "
            "--timestamp_column",
            path,
            used,
            "day" if kind == "day" else "time of day",
            listed(moments),
        )
    elif kind in ("day", "clock") and parts:
        log.warning(
            "%s: the timestamp column %r tells only the %s, so rows of one day stay in the file's order. To use %s as "
            "well, join them to one column first, e.g. with pandas: frame['timestamp'] = frame[%r].astype(str) + ' ' + "
            "frame[%r].astype(str)",
            path,
            used,
            "day" if kind == "day" else "time of day",
            listed(parts),
            *((used, parts[0]) if kind == "day" else (parts[0], used)),
        )


def named_column(names: Sequence[str], name: str, role: str, option: str, path: Path) -> int:
    """The column that the user named with an option: an exact match, or one that ignores case and punctuation."""
    matches = [index for index, other in enumerate(names) if other == name]
    matches = matches or [index for index, other in enumerate(names) if plain(other) == plain(name) != ""]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UserError(f"{path}: there are {len(matches)} columns {name!r} for {option}")
    raise ColumnError(f"{path}: there is no column {name!r} ({option}); the columns are: {listed(names)}", role)


def _recognised(head: Head, positions: Mapping[str, list[int]], role: str, taken: set[int], path: Path) -> int | None:
    """The column with the most usual name for the role, or None; positions: plain name -> indices.

    A timestamp that tells only the day or only the time of day gives way to one that tells more.
    """
    usual = [[index for index in positions.get(name, []) if index not in taken] for name in USUAL_NAMES[role]]
    found = [indices for indices in usual if indices]
    if role == "timestamp" and len(found) > 1 and head.time_kind(found[0][0]) in ("day", "clock"):
        kinds = {"moment": 0, "day": 1, "clock": 2, None: 3}
        found.sort(key=lambda indices: kinds[head.time_kind(indices[0])])
    if not found:
        return None
    if len(found[0]) > 1:
        which = ", ".join(repr(head.names[index]) for index in found[0])
        raise UserError(f"{path}: which of the columns {which} is the {role}? Name it with --{role}_column")
    return found[0][0]


def listed(names: Sequence[str]) -> str:
    """The first names, for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
