"""MovieLens: films rated by the users of movielens.org."""

from datasets.download import Source
from datasets.raw_files import RawFileOptions, Table, TableDataset

HOST = "https://files.grouplens.org/datasets/movielens"
LICENCE = "research use, no redistribution (see the README in the zip)"
CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4 (2015), 19:1-19:19. https://doi.org/10.1145/2827872"
)


class MovieLens1M(TableDataset[RawFileOptions]):
    """ratings.dat: 1,000,209 ratings of 3,706 films by 6,040 users."""

    code = "ml-1m"
    description = "MovieLens-1M: 6,040 users, 3,706 films, 1,000,209 ratings of 2000-2003"
    raw_names = ("ratings.dat",)
    sources = (Source(f"{HOST}/ml-1m.zip", "md5:c4d9eecfca2ab87c1945afe126590906"),)
    table = Table("::", ("user", "item", "rating", "timestamp"), integer_ids=("user", "item"), time_format="s")
    licence, citation, size = LICENCE, CITATION, "6 MB"


class MovieLens20M(TableDataset[RawFileOptions]):
    """ratings.csv: 20,000,263 ratings of 26,744 films by 138,493 users."""

    code = "ml-20m"
    description = "MovieLens-20M: 138,493 users, 26,744 films, 20,000,263 ratings of 1995-2015"
    raw_names = ("ratings.csv",)
    sources = (Source(f"{HOST}/ml-20m.zip", "md5:cd245b17a1ae2cc31bb14903e1204af3"),)
    table = Table(
        ",",
        ("user", "item", "rating", "timestamp"),
        header=("userId", "movieId", "rating", "timestamp"),
        integer_ids=("user", "item"),
        time_format="s",
    )
    licence, citation, size = LICENCE, CITATION, "190 MB"
