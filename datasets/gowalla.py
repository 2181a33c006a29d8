"""Gowalla: check-ins in a location-based social network."""

from datasets.download import Source
from datasets.raw_files import RawFileOptions, TableDataset
from datasets.raw_tables import Table


class Gowalla(TableDataset[RawFileOptions]):
    """loc-gowalla_totalCheckins.txt: user, time, latitude, longitude, place; newest first."""

    code = "gowalla"
    description = "Gowalla: 107,092 users, 1,280,969 places, 6,442,892 check-ins from 2009-2010"
    repeat_consumption = True
    raw_names = ("loc-gowalla_totalCheckins.txt", "Gowalla_totalCheckins.txt")
    sources = (
        Source("https://snap.stanford.edu/data/loc-gowalla_totalCheckins.txt.gz"),
        Source("https://www.kaggle.com/datasets/bqlearner/gowalla-checkins", needs="a Kaggle account"),
    )
    home = "https://snap.stanford.edu/data/loc-Gowalla.html"
    table = Table(
        "\t",
        ("user", "timestamp", "latitude", "longitude", "item"),
        integer_ids=("user", "item"),
        time_format="ISO8601",
    )
    licence = "research use (no licence is stated)"
    citation = (
        "Eunjoon Cho, Seth A. Myers, and Jure Leskovec. Friendship and Mobility: User Movement in Location-Based "
        "Social Networks. KDD 2011, 1082-1090. https://doi.org/10.1145/2020408.2020579"
    )
    size = "105 MB"
