"""MovieLens: film ratings by users of movielens.org."""

from datasets.download import Source
from datasets.raw_files import RawFileOptions, TableDataset
from datasets.raw_tables import Table

HOST = "https://files.grouplens.org/datasets/movielens"
HOME = "https://grouplens.org/datasets/movielens/"
LICENCE = "research use, no redistribution (see the README in the zip)"
CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4 (2015), 19:1-19:19. https://doi.org/10.1145/2827872"
)
ROLES = ("user", "item", "rating", "timestamp")
INTEGERS = ("user", "item")
DAT = Table("::", ROLES, integer_ids=INTEGERS, time_format="s")
CSV = Table(",", ROLES, header=("userId", "movieId", "rating", "timestamp"), integer_ids=INTEGERS, time_format="s")


class MovieLens(TableDataset[RawFileOptions]):
    """What all MovieLens datasets share."""

    home, licence, citation = HOME, LICENCE, CITATION


class MovieLens100K(MovieLens):
    """u.data, separated by tabs."""

    code = "ml-100k"
    description = "MovieLens-100K: 943 users, 1,682 films, 100,000 ratings from 1997-1998"
    raw_names = ("u.data",)
    sources = (Source(f"{HOST}/ml-100k.zip", "md5:0e33842e24a9c977be4e0107933c0723"),)
    table = Table("\t", ROLES, integer_ids=INTEGERS, time_format="s")
    size = "5 MB"


class MovieLens1M(MovieLens):
    """ratings.dat, separated by double colons."""

    code = "ml-1m"
    description = "MovieLens-1M: 6,040 users, 3,706 films, 1,000,209 ratings from 2000-2003"
    raw_names = ("ratings.dat",)
    sources = (Source(f"{HOST}/ml-1m.zip", "md5:c4d9eecfca2ab87c1945afe126590906"),)
    table = DAT
    size = "6 MB"


class MovieLens10M(MovieLens):
    """ratings.dat, with half stars."""

    code = "ml-10m"
    description = "MovieLens-10M: 69,878 users, 10,677 films, 10,000,054 ratings from 1995-2009"
    raw_names = ("ratings.dat",)
    sources = (Source(f"{HOST}/ml-10m.zip", "md5:ce571fd55effeba0271552578f2648bd"),)
    table = DAT
    size = "66 MB"


class MovieLens20M(MovieLens):
    """ratings.csv."""

    code = "ml-20m"
    description = "MovieLens-20M: 138,493 users, 26,744 films, 20,000,263 ratings from 1995-2015"
    raw_names = ("ratings.csv",)
    sources = (Source(f"{HOST}/ml-20m.zip", "md5:cd245b17a1ae2cc31bb14903e1204af3"),)
    table = CSV
    size = "190 MB"


class MovieLens25M(MovieLens):
    """ratings.csv."""

    code = "ml-25m"
    description = "MovieLens-25M: 162,541 users, 59,047 films, 25,000,095 ratings from 1995-2019"
    raw_names = ("ratings.csv",)
    sources = (Source(f"{HOST}/ml-25m.zip", "md5:6b51fb2759a8657d3bfcbfc42b592ada"),)
    table = CSV
    size = "262 MB"


class MovieLens32M(MovieLens):
    """ratings.csv."""

    code = "ml-32m"
    description = "MovieLens-32M: 200,948 users, 84,432 films, 32,000,204 ratings from 1995-2023"
    raw_names = ("ratings.csv",)
    sources = (Source(f"{HOST}/ml-32m.zip", "md5:d472be332d4daa821edc399621853b57"),)
    table = CSV
    size = "239 MB"
