"""One file per published model; adding one = a module, a line here, a template."""

from models.als import ALS
from models.autorec import AutoRec, UserAutoRec
from models.base import Dimensions, FittedModel, Model, Stage
from models.bias import Bias
from models.bert import Bert
from models.cdae import CDAE
from models.ease import EASE
from models.hvamp import HVamp
from models.itemknn import ItemKNN
from models.mult_dae import MultDAE
from models.mult_vae import MultVAE
from models.pop import Pop
from models.recvae import RecVAE
from models.sas import SAS
from models.vae import VAE

MODELS: dict[str, type[Model]] = {
    "als": ALS,
    "autorec": AutoRec,
    "autorec_user": UserAutoRec,
    "bias": Bias,
    "bert": Bert,
    "cdae": CDAE,
    "ease": EASE,
    "hvamp": HVamp,
    "itemknn": ItemKNN,
    "mult_dae": MultDAE,
    "mult_vae": MultVAE,
    "pop": Pop,
    "recvae": RecVAE,
    "sas": SAS,
    "vae": VAE,
}

__all__ = ["MODELS", "Dimensions", "FittedModel", "Model", "Stage"]
