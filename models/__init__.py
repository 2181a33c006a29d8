"""One file per published model; adding one = a module, a line here, a template."""

from models.als import ALS
from models.autorec import AutoRec, UserAutoRec
from models.base import Dimensions, FittedModel, Model, Stage
from models.bert import Bert
from models.bias import Bias
from models.bpr_mf import BPRMF
from models.bsarec import BSARec
from models.caser import Caser
from models.cdae import CDAE
from models.decay_pop import DecayPop
from models.duorec import DuoRec
from models.ease import EASE
from models.esas import ESAS
from models.fmlp import FMLP
from models.fpmc import FPMC
from models.fuxi import FuXi
from models.gru4rec import GRU4Rec
from models.hstu import HSTU
from models.hvamp import HVamp
from models.itemknn import ItemKNN
from models.lightgcn import LightGCN
from models.lrurec import LRURec
from models.mamba4rec import Mamba4Rec
from models.marank import MARank
from models.markov import Markov
from models.meantime import Meantime
from models.mult_dae import MultDAE
from models.mult_vae import MultVAE
from models.narm import NARM
from models.pop import Pop
from models.recent_pop import RecentPop
from models.recvae import RecVAE
from models.sas import SAS
from models.sequential_rules import SequentialRules
from models.slist import SLIS, SLIST, SLIT
from models.stan import STAN
from models.tiger import Tiger
from models.tisas import TiSAS
from models.vae import VAE
from models.vsknn import VSKNN

MODELS: dict[str, type[Model]] = {
    "als": ALS,
    "autorec": AutoRec,
    "autorec_user": UserAutoRec,
    "bert": Bert,
    "bias": Bias,
    "bsarec": BSARec,
    "bpr_mf": BPRMF,
    "caser": Caser,
    "cdae": CDAE,
    "decay_pop": DecayPop,
    "duorec": DuoRec,
    "ease": EASE,
    "esas": ESAS,
    "fmlp": FMLP,
    "fpmc": FPMC,
    "fuxi": FuXi,
    "gru4rec": GRU4Rec,
    "hstu": HSTU,
    "hvamp": HVamp,
    "itemknn": ItemKNN,
    "lightgcn": LightGCN,
    "lrurec": LRURec,
    "mamba4rec": Mamba4Rec,
    "marank": MARank,
    "markov": Markov,
    "meantime": Meantime,
    "mult_dae": MultDAE,
    "mult_vae": MultVAE,
    "narm": NARM,
    "pop": Pop,
    "recent_pop": RecentPop,
    "recvae": RecVAE,
    "sas": SAS,
    "sequential_rules": SequentialRules,
    "slis": SLIS,
    "slist": SLIST,
    "slit": SLIT,
    "stan": STAN,
    "tiger": Tiger,
    "tisas": TiSAS,
    "vae": VAE,
    "vsknn": VSKNN,
}

__all__ = ["MODELS", "Dimensions", "FittedModel", "Model", "Stage"]
