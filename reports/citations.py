"""The papers of the models, for the tables and the bibliography of a paper."""

from collections.abc import Iterable
from typing import NamedTuple


class Work(NamedTuple):
    """A paper, as BibTeX writes it: authors are joined by "and", and "and others" stands for the rest of them."""

    key: str
    authors: str
    title: str
    venue: str
    year: int


_AUTOREC = Work(
    "sedhain2015autorec",
    "Sedhain, Suvash and Menon, Aditya Krishna and Sanner, Scott and Xie, Lexing",
    "{AutoRec}: Autoencoders Meet Collaborative Filtering",
    "WWW Companion",
    2015,
)
_MULT_VAE = Work(
    "liang2018variational",
    "Liang, Dawen and Krishnan, Rahul G. and Hoffman, Matthew D. and Jebara, Tony",
    "Variational Autoencoders for Collaborative Filtering",
    "WWW",
    2018,
)
_SLIST = Work(
    "choi2021session",
    "Choi, Minjin and Kim, Jinhong and Lee, Joonseok and Shim, Hyunjung and Lee, Jongwuk",
    "Session-aware Linear Item-Item Models for Session-based Recommendation",
    "WWW",
    2021,
)

WORKS: dict[str, Work] = {  # by model code; models without an entry aren't cited
    "als": Work(
        "hu2008collaborative",
        "Hu, Yifan and Koren, Yehuda and Volinsky, Chris",
        "Collaborative Filtering for Implicit Feedback Datasets",
        "ICDM",
        2008,
    ),
    "autorec": _AUTOREC,
    "autorec_user": _AUTOREC,
    "bert": Work(
        "sun2019bert4rec",
        "Sun, Fei and Liu, Jun and Wu, Jian and Pei, Changhua and Lin, Xiao and Ou, Wenwu and Jiang, Peng",
        "{BERT4Rec}: Sequential Recommendation with Bidirectional Encoder Representations from Transformer",
        "CIKM",
        2019,
    ),
    "bpr_mf": Work(
        "rendle2009bpr",
        "Rendle, Steffen and Freudenthaler, Christoph and Gantner, Zeno and Schmidt-Thieme, Lars",
        "{BPR}: {Bayesian} Personalized Ranking from Implicit Feedback",
        "UAI",
        2009,
    ),
    "bsarec": Work(
        "shin2024attentive",
        "Shin, Yehjin and Choi, Jeongwhan and Wi, Hyowon and Park, Noseong",
        "An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention",
        "AAAI",
        2024,
    ),
    "caser": Work(
        "tang2018personalized",
        "Tang, Jiaxi and Wang, Ke",
        "Personalized Top-{N} Sequential Recommendation via Convolutional Sequence Embedding",
        "WSDM",
        2018,
    ),
    "cdae": Work(
        "wu2016collaborative",
        "Wu, Yao and DuBois, Christopher and Zheng, Alice X. and Ester, Martin",
        "Collaborative Denoising Auto-Encoders for Top-{N} Recommender Systems",
        "WSDM",
        2016,
    ),
    "duorec": Work(
        "qiu2022contrastive",
        "Qiu, Ruihong and Huang, Zi and Yin, Hongzhi and Wang, Zijian",
        "Contrastive Learning for Representation Degeneration Problem in Sequential Recommendation",
        "WSDM",
        2022,
    ),
    "ease": Work(
        "steck2019embarrassingly",
        "Steck, Harald",
        "Embarrassingly Shallow Autoencoders for Sparse Data",
        "WWW",
        2019,
    ),
    "esas": Work(
        "tikhonovich2025esasrec",
        "Tikhonovich, Daria and Zelinskiy, Nikita and Petrov, Aleksandr V. and Spirina, Mayya and Semenov, Andrei and "
        "Savchenko, Andrey V. and Kuliev, Sergei",
        "{eSASRec}: Enhancing Transformer-based Recommendations in a Modular Fashion",
        "RecSys",
        2025,
    ),
    "fmlp": Work(
        "zhou2022filter",
        "Zhou, Kun and Yu, Hui and Zhao, Wayne Xin and Wen, Ji-Rong",
        "Filter-enhanced {MLP} is All You Need for Sequential Recommendation",
        "WWW",
        2022,
    ),
    "fpmc": Work(
        "rendle2010factorizing",
        "Rendle, Steffen and Freudenthaler, Christoph and Schmidt-Thieme, Lars",
        "Factorizing Personalized {Markov} Chains for Next-Basket Recommendation",
        "WWW",
        2010,
    ),
    "gru4rec": Work(
        "hidasi2016session",
        "Hidasi, Bal{\\'a}zs and Karatzoglou, Alexandros and Baltrunas, Linas and Tikk, Domonkos",
        "Session-based Recommendations with Recurrent Neural Networks",
        "ICLR",
        2016,
    ),
    "fuxi": Work(
        "ye2025fuxi",
        "Ye, Yufei and Guo, Wei and Chin, Jin Yao and Wang, Hao and Zhu, Hong and Lin, Xi and Ye, Yuyang and Liu, Yong "
        "and Tang, Ruiming and Lian, Defu and Chen, Enhong",
        "{FuXi-$\\alpha$}: Scaling Recommendation Model with Feature Interaction Enhanced Transformer",
        "arXiv:2502.03036",
        2025,
    ),
    "hstu": Work(
        "zhai2024actions",
        "Zhai, Jiaqi and others",
        "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for Generative Recommendations",
        "ICML",
        2024,
    ),
    "hvamp": Work(
        "kim2019enhancing",
        "Kim, Daeryong and Suh, Bongwon",
        "Enhancing {VAEs} for Collaborative Filtering: Flexible Priors \\& Gating Mechanisms",
        "RecSys",
        2019,
    ),
    "lightgcn": Work(
        "he2020lightgcn",
        "He, Xiangnan and Deng, Kuan and Wang, Xiang and Li, Yan and Zhang, Yongdong and Wang, Meng",
        "{LightGCN}: Simplifying and Powering Graph Convolution Network for Recommendation",
        "SIGIR",
        2020,
    ),
    "lrurec": Work(
        "yue2024linear",
        "Yue, Zhenrui and Wang, Yueqi and He, Zhankui and Zeng, Huimin and McAuley, Julian and Wang, Dong",
        "Linear Recurrent Units for Sequential Recommendation",
        "WSDM",
        2024,
    ),
    "mamba4rec": Work(
        "liu2024mamba4rec",
        "Liu, Chengkai and Lin, Jianghao and Wang, Jianling and Liu, Hanzhou and Caverlee, James",
        "{Mamba4Rec}: Towards Efficient Sequential Recommendation with Selective State Space Models",
        "arXiv:2403.03900",
        2024,
    ),
    "marank": Work(
        "yu2019multi",
        "Yu, Lu and Zhang, Chuxu and Liang, Shangsong and Zhang, Xiangliang",
        "Multi-order Attentive Ranking Model for Sequential Recommendation",
        "AAAI",
        2019,
    ),
    "meantime": Work(
        "cho2020meantime",
        "Cho, Sung Min and Park, Eunhyeok and Yoo, Sungjoo",
        "{MEANTIME}: Mixture of Attention Mechanisms with Multi-temporal Embeddings for Sequential Recommendation",
        "RecSys",
        2020,
    ),
    "mult_dae": _MULT_VAE,
    "mult_vae": _MULT_VAE,
    "narm": Work(
        "li2017neural",
        "Li, Jing and Ren, Pengjie and Chen, Zhumin and Ren, Zhaochun and Lian, Tao and Ma, Jun",
        "Neural Attentive Session-based Recommendation",
        "CIKM",
        2017,
    ),
    "recvae": Work(
        "shenbin2020recvae",
        "Shenbin, Ilya and Alekseev, Anton and Tutubalina, Elena and Malykh, Valentin and Nikolenko, Sergey I.",
        "{RecVAE}: A New Variational Autoencoder for Top-{N} Recommendations with Implicit Feedback",
        "WSDM",
        2020,
    ),
    "sas": Work(
        "kang2018self",
        "Kang, Wang-Cheng and McAuley, Julian",
        "Self-Attentive Sequential Recommendation",
        "ICDM",
        2018,
    ),
    "sequential_rules": Work(
        "kamehkhosh2017comparison",
        "Kamehkhosh, Iman and Jannach, Dietmar and Ludewig, Malte",
        "A Comparison of Frequent Pattern Techniques and a Deep Learning Method for Session-Based Recommendation",
        "Workshop at RecSys, CEUR-WS 1922",
        2017,
    ),
    "slis": _SLIST,
    "slist": _SLIST,
    "slit": _SLIST,
    "stan": Work(
        "garg2019sequence",
        "Garg, Diksha and Gupta, Priyanka and Malhotra, Pankaj and Vig, Lovekesh and Shroff, Gautam",
        "Sequence and Time Aware Neighborhood for Session-based Recommendations: {STAN}",
        "SIGIR",
        2019,
    ),
    "tiger": Work(
        "rajput2023recommender",
        "Rajput, Shashank and Mehta, Nikhil and Singh, Anima and Keshavan, Raghunandan H. and Vu, Trung and others",
        "Recommender Systems with Generative Retrieval",
        "NeurIPS",
        2023,
    ),
    "tisas": Work(
        "li2020time",
        "Li, Jiacheng and Wang, Yujie and McAuley, Julian",
        "Time Interval Aware Self-Attention for Sequential Recommendation",
        "WSDM",
        2020,
    ),
    "vae": Work("esapr2020", "{1207koo}", "{ESAPR}", "Repository github.com/1207koo/ESAPR", 2020),
    "vsknn": Work(
        "ludewig2018evaluation",
        "Ludewig, Malte and Jannach, Dietmar",
        "Evaluation of Session-based Recommendation Algorithms",
        "User Modeling and User-Adapted Interaction",
        2018,
    ),
}


def bibliography(model_codes: Iterable[str]) -> str:
    """Return the BibTeX entries of these models' papers, sorted by key; "" if none is known."""
    works = {WORKS[code].key: WORKS[code] for code in model_codes if code in WORKS}
    return "\n".join(_entry(works[key]) for key in sorted(works))


def _entry(work: Work) -> str:
    """A paper is entered as @misc: the kinds of BibTeX for proceedings and journals ask for more than is known here."""
    fields = {"author": work.authors, "title": work.title, "howpublished": work.venue, "year": str(work.year)}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{work.key},", *lines, "}", ""])
