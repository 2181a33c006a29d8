"""Amazon product ratings: the 2014 and 2023 collections."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from datasets.download import Source
from datasets.raw_files import RawFile, RawFileOptions, TableDataset
from datasets.raw_tables import Table

HOSTS_2014 = (  # the files have moved more than once
    "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles",
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon/categoryFiles",
)
LICENCE = "research use (no licence is stated; the reviews belong to Amazon's customers)"
CITATION_2014 = (
    "Julian McAuley, Christopher Targett, Qinfeng Shi, and Anton van den Hengel. Image-Based Recommendations on Styles "
    "and Substitutes. SIGIR 2015, 43-52. https://doi.org/10.1145/2766462.2767755"
)
CITATION_2023 = (
    "Yupeng Hou, Jiacheng Li, Zhankui He, An Yan, Xiusi Chen, and Julian McAuley. Bridging Language and Items for "
    "Retrieval and Recommendation. arXiv:2403.03952 (2024). https://arxiv.org/abs/2403.03952"
)
ROLES = ("user", "item", "rating", "timestamp")


class Amazon2014(TableDataset[RawFileOptions]):
    """`ratings_<Category>.csv`: without a header from the authors, with one from Kaggle."""

    table = Table(
        ",", ROLES, header=("UserId", "ProductId", "Rating", "Timestamp"), header_optional=True, time_format="s"
    )
    home = "https://jmcauley.ucsd.edu/data/amazon/index_2014.html"
    licence, citation = LICENCE, CITATION_2014


class Beauty(Amazon2014):
    """ratings_Beauty.csv."""

    code = "beauty"
    description = "Amazon Beauty (2014): 1,210,271 customers, 249,274 products, 2,023,070 ratings from 1998-2014"
    raw_names = ("ratings_Beauty.csv",)
    sources = (
        *(Source(f"{host}/ratings_Beauty.csv") for host in HOSTS_2014),
        Source("https://www.kaggle.com/datasets/skillsmuggler/amazon-ratings", needs="a Kaggle account"),
    )
    size = "82 MB"


class Game(Amazon2014):
    """ratings_Video_Games.csv."""

    code = "game"
    description = "Amazon Video Games (2014): 826,767 customers, 50,210 products, 1,324,753 ratings from 1997-2014"
    raw_names = ("ratings_Video_Games.csv",)
    sources = tuple(Source(f"{host}/ratings_Video_Games.csv") for host in HOSTS_2014)
    size = "55 MB"


Category = Literal[
    "All_Beauty",
    "Amazon_Fashion",
    "Appliances",
    "Arts_Crafts_and_Sewing",
    "Automotive",
    "Baby_Products",
    "Beauty_and_Personal_Care",
    "Books",
    "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories",
    "Clothing_Shoes_and_Jewelry",
    "Digital_Music",
    "Electronics",
    "Gift_Cards",
    "Grocery_and_Gourmet_Food",
    "Handmade_Products",
    "Health_and_Household",
    "Health_and_Personal_Care",
    "Home_and_Kitchen",
    "Industrial_and_Scientific",
    "Kindle_Store",
    "Magazine_Subscriptions",
    "Movies_and_TV",
    "Musical_Instruments",
    "Office_Products",
    "Patio_Lawn_and_Garden",
    "Pet_Supplies",
    "Software",
    "Sports_and_Outdoors",
    "Subscription_Boxes",
    "Tools_and_Home_Improvement",
    "Toys_and_Games",
    "Unknown",
    "Video_Games",
]


class Amazon2023Options(RawFileOptions):
    """Options of the `amazon-2023` dataset."""

    amazon_category: Category = Field("Video_Games", description="product category")
    amazon_core: Literal["5core", "0core"] = Field(
        "5core", description="the authors' own filtering: 5core, or 0core (only repeated ratings removed)"
    )


class Amazon2023(TableDataset[Amazon2023Options]):
    """The authors' rating-only CSV of one category, which keeps a user's earliest rating of each item."""

    code = "amazon-2023"
    Options = Amazon2023Options
    description = "Amazon Reviews 2023, one of 34 categories; Video_Games, 5-core: 814,586 ratings from 1999-2023"
    table = Table(",", ROLES, header=("user_id", "parent_asin", "rating", "timestamp"), time_format="ms")
    home = "https://amazon-reviews-2023.github.io"
    licence, citation, size = LICENCE, CITATION_2023, "0.1 MB to 1 GB a category"

    def name(self, options: Amazon2023Options) -> str:
        """The code, the category and, unless it is 5core, the filtering."""
        core = "" if options.amazon_core == "5core" else f"-{options.amazon_core}"
        return f"{self.code}-{options.amazon_category}{core}"

    def declaration(self, options: Amazon2023Options) -> RawFile:
        """One file per category, in a folder per filtering, as the file names are the same."""
        path = f"benchmark/{options.amazon_core}/rating_only/{options.amazon_category}.csv"
        sources = (
            Source(f"https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/{path}.gz"),
            Source(f"https://huggingface.co/datasets/McAuley-Lab/Amazon-Reviews-2023/resolve/main/{path}"),
        )
        folder = Path(self.code) / options.amazon_core
        return RawFile((f"{options.amazon_category}.csv",), sources, folder, self.table)
