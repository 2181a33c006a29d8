"""Find the user, item, rating and timestamp columns of a table."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import UserError

log = logging.getLogger(__name__)


class ColumnError(UserError):
    """The column of a required role (user or item) is missing."""

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
        *("sessionid", "session", "sessid"),
    ),
    "item": (
        *("itemid", "sid", "iid", "item", "items", "itemno", "itemidx", "movieid", "movie", "filmid", "parentasin"),
        *("asin", "productid", "product", "stockcode", "sku", "articleid", "article", "trackid", "track", "songid"),
        *("song", "artistid", "artist", "bookid", "book", "isbn", "gameid", "appid", "businessid", "venueid"),
        *("locationid", "poiid", "placeid", "animeid", "recipeid", "newsid", "videoid", "showid", "contentid"),
        *("adid", "listingid", "hotelid", "courseid", "pageid", "goodsid", "offerid"),
    ),
    "rating": ("rating", "ratings", "stars", "star", "score", "overall", "rate", "reviewscore", "starrating"),
    "timestamp": (
        *("timestamp", "timestamps", "unixreviewtime", "unixtime", "unixtimestamp", "time", "ts", "epoch"),
        *("datetime", "eventtime", "createdat", "date", "day", "invoicedate", "purchasedate", "orderdate"),
        *("reviewtime", "reviewdate", "ratedat", "playedat", "checkintime", "timestampms", "createdtime"),
    ),
}


def plain(name: str) -> str:
    """A column name without RecBole's type, case and punctuation: `user_id:token` -> `userid`."""
    return re.sub(r"[^a-z0-9]", "", name.partition(":")[0].lower())


def is_usual(name: str) -> bool:
    """Whether a name is one of the usual ones for some role."""
    return any(plain(name) in usual for usual in USUAL_NAMES.values())


def find_columns(names: Sequence[str], wanted: Mapping[str, str | None], path: Path) -> dict[str, int]:
    """Find the column of each role.

    Parameters
    ----------
    names : column names of the table
    wanted : role -> name given by the user; None = detect; "" = don't read (rating and timestamp only)
    path : the file, for messages

    Returns
    -------
    dict
        Role -> index into `names`.

    Raises
    ------
    UserError
        A name is missing or ambiguous, or no column is recognised as user or item.
    """
    found: dict[str, int] = {}
    unread = {role for role in ROLES if role not in NEEDED and wanted.get(role) == ""}
    for role in ROLES:
        name = wanted.get(role)
        if name is not None and role not in unread:
            found[role] = _named(names, name, role, path)
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        positions.setdefault(plain(name), []).append(position)
    for role in ROLES:
        if role in found or role in unread:
            continue
        index = _recognised(names, positions, role, set(found.values()), path)
        if index is not None:
            found[role] = index
    for role in NEEDED:
        if role not in found:
            raise ColumnError(
                f"{path}: no column is recognised as the {role}; name it with --{role}_column. "
                f"The columns are: {_listed(names)}",
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


def warn_without_time(
    names: Sequence[str], wanted: Mapping[str, str | None], found: Mapping[str, int], path: Path
) -> None:
    """Warn if no column is recognised as the timestamp although there are unused columns."""
    ratings = USUAL_NAMES["rating"] if wanted.get("rating") == "" else ()
    unused = [name for index, name in enumerate(names) if index not in found.values() and plain(name) not in ratings]
    if "timestamp" not in found and unused and wanted.get("timestamp") is None:
        log.warning(
            "%s: no column is recognised as the timestamp, so the rows are assumed to be in time order. "
            "If one of %s holds the time, name it with --timestamp_column",
            path,
            _listed(unused),
        )


def _named(names: Sequence[str], name: str, role: str, path: Path) -> int:
    """The column that the user named: an exact match, or else one that ignores case and punctuation."""
    matches = [index for index, other in enumerate(names) if other == name]
    matches = matches or [index for index, other in enumerate(names) if plain(other) == plain(name) != ""]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UserError(f"{path}: there are {len(matches)} columns {name!r} for --{role}_column")
    raise ColumnError(f"{path}: there is no column {name!r} (--{role}_column); the columns are: {_listed(names)}", role)


def _recognised(
    names: Sequence[str], positions: Mapping[str, list[int]], role: str, taken: set[int], path: Path
) -> int | None:
    """The column with the most usual name for the role, or None; positions: plain name -> indices."""
    for usual in USUAL_NAMES[role]:
        matches = [index for index in positions.get(usual, []) if index not in taken]
        if len(matches) > 1:
            listed = ", ".join(repr(names[index]) for index in matches)
            raise UserError(f"{path}: which of the columns {listed} is the {role}? Name it with --{role}_column")
        if matches:
            return matches[0]
    return None


def _listed(names: Sequence[str]) -> str:
    """The first names, for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
