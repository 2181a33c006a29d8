"""A small sample of each published dataset, in the format of its source, with the expected histories."""

import gzip
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

SECOND = 978_300_760  # 2000-12-31 22:12:40 UTC


@dataclass(frozen=True)
class Sample:
    """A downloaded file and the data that must be read from it.

    name: name of the file at the source; content: its bytes; raw: name of the raw file in the data folder;
    histories: user -> items, in order; first: the first user's first timestamp, in seconds; options: non-default ones.
    """

    code: str
    name: str
    content: bytes
    raw: str
    histories: dict[Any, list[Any]]
    first: int | None = SECOND
    ratings: list[float] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.code, *(str(value) for value in self.options.values())])


def zipped(**files: str) -> bytes:
    """A zip file of texts by their names, and a README."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme/README.txt", "read me")
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def movielens(code: str, folder: str, raw: str, separator: str, header: str = "") -> Sample:
    """User 2 is first in the file; user 1 has a tie, 7 before 5."""
    rows = [(2, 9, 4, SECOND + 9), (1, 7, 5, SECOND + 3), (1, 5, 3.5 if header else 3, SECOND + 3), (1, 6, 1, SECOND)]
    lines = "".join(separator.join(str(value) for value in row) + "\n" for row in rows)
    content = zipped(**{f"{folder}/{raw}": header + lines, f"{folder}/movies{raw[-4:]}": "1,Toy Story\n"})
    ratings = [1.0, 5.0, 3.5 if header else 3.0, 4.0]
    return Sample(code, f"{code}.zip", content, raw, {1: [6, 7, 5], 2: [9]}, ratings=ratings)


def amazon(code: str, raw: str, header: str = "") -> Sample:
    """Alphanumeric ids; an id of digits only stays text with its leading zero."""
    lines = [
        f"A39HTATAQ9V7YF,0205616461,5.0,{SECOND + 60}\n",
        f"A39HTATAQ9V7YF,B002OVV7F0,3.0,{SECOND}\n",
        f"A3JM6GV9MNOF9X,0558925278,3.0,{SECOND + 5}\n",
    ]
    histories = {"A39HTATAQ9V7YF": ["B002OVV7F0", "0205616461"], "A3JM6GV9MNOF9X": ["0558925278"]}
    return Sample(code, raw, (header + "".join(lines)).encode(), raw, histories, ratings=[3.0, 5.0, 3.0])


def amazon_2023(core: str, packed: bool) -> Sample:
    """Times in milliseconds."""
    text = (
        "user_id,parent_asin,rating,timestamp\n"
        f"AGKASBHYZPGTEPO6LWZPVJWB2BVA,B006GBITXC,3.0,{SECOND}500\n"
        f"AGKASBHYZPGTEPO6LWZPVJWB2BVA,B00TLEMSVK,4.0,{SECOND}250\n"
    ).encode()
    return Sample(
        "amazon-2023",
        "All_Beauty.csv.gz" if packed else "All_Beauty.csv",
        gzip.compress(text) if packed else text,
        "All_Beauty.csv",
        {"AGKASBHYZPGTEPO6LWZPVJWB2BVA": ["B00TLEMSVK", "B006GBITXC"]},
        ratings=[4.0, 3.0],
        options={"amazon_category": "All_Beauty", "amazon_core": core},
    )


STEAM_REVIEWS = """\
{u'username': u'Chaos Syren', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, \
u'date': u'2001-01-02', u'text': u"It isn't. {'product_id': '1'}\\n", u'early_access': False, u'page': 1}
{u'username': u'\\u2655', u'compensation': u'Product received for free', u'product_id': u'10', u'date': u'2001-01-01'}
{u'username': u'Chaos Syren', u'product_id': u'328100', u'date': u'2001-01-01', u'text': u''}
"""
STEAM_AUSTRALIAN = """\
{'user_id': '76561197970982479', 'user_url': 'http://steamcommunity.com/profiles/76561197970982479', 'reviews': [\
{'funny': '', 'posted': 'Posted July 15, 2001.', 'last_edited': '', 'item_id': '22200', 'review': "It's fun."}, \
{'funny': '', 'posted': 'Posted January 1, 2001.', 'item_id': '1250', 'recommend': True, 'review': ''}, \
{'funny': '', 'posted': 'Posted June 24.', 'item_id': '43110', 'recommend': True, 'review': 'no year'}]}
{'user_id': 'js41637', 'user_url': '', 'reviews': []}
{'user_id': 'evcentric', 'reviews': [{'posted': 'Posted February 3, 2001.', 'item_id': '248820'}]}
"""
NEW_YEAR = 978_307_200  # 2001-01-01 00:00:00 UTC

SAMPLES = [
    movielens("ml-100k", "ml-100k", "u.data", "\t"),
    movielens("ml-1m", "ml-1m", "ratings.dat", "::"),
    movielens("ml-10m", "ml-10M100K", "ratings.dat", "::"),
    *(
        movielens(code, code, "ratings.csv", ",", "userId,movieId,rating,timestamp\n")
        for code in ("ml-20m", "ml-25m", "ml-32m")
    ),
    amazon("beauty", "ratings_Beauty.csv"),
    amazon("game", "ratings_Video_Games.csv"),
    amazon_2023("5core", packed=True),
    amazon_2023("0core", packed=False),
    Sample(
        "steam",
        "steam_reviews.json.gz",
        gzip.compress(STEAM_REVIEWS.encode()),
        "steam_reviews.json",
        {"Chaos Syren": [328100, 725280], "♕": [10]},
        NEW_YEAR,
    ),
    Sample(
        "steam",
        "australian_user_reviews.json.gz",
        gzip.compress(STEAM_AUSTRALIAN.encode()),
        "australian_user_reviews.json",
        {"76561197970982479": [1250, 22200], "evcentric": [248820]},
        NEW_YEAR,
        options={"steam_version": "australian"},
    ),
    Sample(
        "steam",
        "steam.txt",
        b"1 3\n1 2\n2 3\n",
        "Steam.txt",
        {1: [3, 2], 2: [3]},
        None,
        options={"steam_version": "sasrec"},
    ),
    Sample(
        "gowalla",
        "loc-gowalla_totalCheckins.txt.gz",
        gzip.compress(
            b"0\t2001-01-02T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
            b"0\t2001-01-01T00:00:00Z\t30.2691029532\t-97.7493953705\t420315\n"
            b"7\t2001-01-01T17:26:05Z\t-30.2557\t97.76\t22847\n"
        ),
        "loc-gowalla_totalCheckins.txt",
        {0: [420315, 22847], 7: [22847]},
        NEW_YEAR,
    ),
    Sample(
        "ecommerce",
        "online+retail.zip",
        zipped(
            **{
                "data.csv": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
                "536365,85123A,WHITE HANGING,6,1/1/2001 0:00,2.55,17850,United Kingdom\n"
                '536366,71053,"LANTERN, LARGE",6,1/2/2001 8:26,3.39,17850,United Kingdom\n'
                "536367,71053,LANTERN,1,1/1/2001 8:28,3.39,18000,France\n"
            }
        ),
        "data.csv",
        {17850: ["85123A", "71053"], 18000: ["71053"]},
        NEW_YEAR,
    ),
    *(
        Sample(
            "retailrocket",
            "archive.zip",
            zipped(
                **{
                    "events.csv": "timestamp,visitorid,event,itemid,transactionid\n"
                    f"{SECOND + 60}000,257597,view,355908,\n{SECOND}000,257597,view,248676,\n"
                    f"{SECOND}000,599528,transaction,356475,4000\n"
                }
            ),
            "events.csv",
            {257597: [248676, 355908]} | ({599528: [356475]} if events == "all" else {}),
            options={"visitor_events": events},
        )
        for events in ("view", "all")
    ),
    Sample(
        "yoochoose",
        "yoochoose.zip",
        zipped(
            **{
                "yoochoose-clicks.dat": "1,2001-01-01T10:54:09.868Z,214536500,0\n1,2001-01-01T00:00:00.277Z,21,S\n"
                "2,2001-01-07T13:56:37.614Z,214662742,0\n"
            }
        ),
        "yoochoose-clicks.dat",
        {1: [21, 214536500], 2: [214662742]},
        NEW_YEAR,
    ),
]
